//! How long AWS takes to answer. Benches read the table as `GET /_awsim/limits`.

use std::time::Duration;

use serde::Serialize;

/// How long an operation takes to answer: the mean, around which answers scatter.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub service: &'static str,
    /// Empty: all operations that no other row of the service names and that begin with no word of [`READS`].
    pub operations: &'static [&'static str],
    pub milliseconds: u32,
    /// What operations that only read take, where the row is for all others.
    pub reads: u32,
}

/// How the names of operations begin that only read.
const READS: [&str; 6] = ["Get", "List", "Describe", "Head", "Batch", "Lookup"];

const fn takes(
    service: &'static str,
    operations: &'static [&'static str],
    milliseconds: u32,
    reads: u32,
) -> Latency {
    Latency {
        service,
        operations,
        milliseconds,
        reads,
    }
}

/// The latencies, of the order that clients in the same continent see.
pub static LATENCIES: &[Latency] = &[
    takes("organizations", &["CreateAccount", "CloseAccount"], 600, 0),
    takes(
        "organizations",
        &[
            "AttachPolicy",
            "DetachPolicy",
            "CreatePolicy",
            "UpdatePolicy",
        ],
        400,
        0,
    ),
    takes("organizations", &[], 250, 120),
    takes("account", &[], 250, 120),
    takes("sts", &[], 80, 60),
    takes("iam", &[], 150, 90),
    takes("s3", &["CreateBucket"], 300, 0),
    takes("s3", &[], 60, 40),
    takes("s3control", &[], 120, 90),
    takes("access-analyzer", &["CreateAnalyzer"], 500, 0),
    takes("access-analyzer", &[], 200, 120),
    takes("cloudtrail", &["CreateTrail", "UpdateTrail"], 700, 0),
    takes("cloudtrail", &[], 250, 120),
    takes("config", &[], 250, 120),
    takes("ec2", &["DeleteSubnet", "DeleteVpc"], 400, 0),
    takes("ec2", &[], 200, 100),
    takes("guardduty", &["CreateDetector"], 600, 0),
    takes("guardduty", &[], 300, 150),
    takes(
        "securityhub",
        &["EnableSecurityHub", "BatchEnableStandards"],
        800,
        0,
    ),
    takes("securityhub", &[], 300, 150),
    takes("sqs", &[], 20, 20),
    takes("events", &[], 100, 60),
];

/// An operation's mean latency.
pub fn mean_latency(service: &str, operation: &str) -> Duration {
    let rows = || LATENCIES.iter().filter(|row| row.service == service);
    let named = rows()
        .find(|row| row.operations.contains(&operation))
        .map(|row| row.milliseconds);
    let is_read = READS.iter().any(|word| operation.starts_with(word))
        && !operation.starts_with("BatchEnable");
    let other = || {
        rows()
            .find(|row| row.operations.is_empty())
            .map(|row| if is_read { row.reads } else { row.milliseconds })
    };
    Duration::from_millis(named.or_else(other).unwrap_or_default().into())
}

/// An operation's latency this time: three times the mean for one in twenty, and 0.6 to 1.2 times the mean for the others.
/// `chance` is even over all of `u64`.
pub fn latency(service: &str, operation: &str, chance: u64) -> Duration {
    let mean = mean_latency(service, operation);
    let percent = if chance.is_multiple_of(20) {
        300
    } else {
        60 + (chance >> 32) % 60
    };
    mean * u32::try_from(percent).unwrap_or(100) / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::model::Model;

    #[test]
    fn every_operation_named_exists_and_every_service_has_a_latency() {
        for row in LATENCIES {
            let model = Model::by_signing_name(row.service).unwrap();
            assert!(
                row.operations
                    .iter()
                    .all(|operation| model.operation(operation).is_some()),
                "{row:?}"
            );
        }
        for service in Model::services() {
            assert!(!mean_latency(service, "Anything").is_zero(), "{service}");
        }
    }

    #[test]
    fn latencies_scatter_around_the_mean() {
        assert_eq!(
            mean_latency("guardduty", "ListDetectors"),
            Duration::from_millis(150)
        );
        assert_eq!(
            mean_latency("securityhub", "BatchEnableStandards"),
            Duration::from_millis(800)
        );
        assert_eq!(latency("sts", "AssumeRole", 20), Duration::from_millis(240));
        for chance in [1, u64::MAX, 7 << 40 | 1] {
            let latency = latency("sts", "AssumeRole", chance).as_millis();
            assert!((48..=96).contains(&latency), "{latency}");
        }
        let chances = (0..120_000_u64).map(|n| (n % 60) << 32 | n);
        let all = chances.map(|chance| latency("sts", "AssumeRole", chance).as_secs_f64());
        let mean = all.sum::<f64>() / 120_000.0;
        assert!((0.079..0.081).contains(&mean), "{mean}");
    }
}
