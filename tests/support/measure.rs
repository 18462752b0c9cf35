//! What benches measure of a server and of the simulated AWS, and the limits that they hold it against.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use awsim::Shared;
use awsim::calls::Kind;
use awsim::latencies::mean_latency;
use awsim::limits::{self, LIMITS};

/// Calls that AWS was asked for.
#[derive(Clone, Debug, Default)]
pub struct Calls(BTreeMap<(Bucket, String), u64>);

/// Which bucket's call it was: service, operation, account, Region.
type Bucket = (&'static str, &'static str, String, String);

impl Calls {
    /// All calls so far.
    pub fn so_far(shared: &Shared) -> Self {
        let mut calls = BTreeMap::new();
        for (kind, count) in shared.calls().counts() {
            *calls
                .entry((bucket(kind), kind.outcome.to_string()))
                .or_default() += count;
        }
        Calls(calls)
    }

    /// The calls since `before`.
    pub fn since(&self, before: &Calls) -> Calls {
        let left = self.0.iter().map(|(key, count)| {
            let before = before.0.get(key).copied().unwrap_or_default();
            (key.clone(), count - before)
        });
        Calls(left.filter(|(_, count)| *count > 0).collect())
    }

    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Those that AWS refused as too many.
    pub fn throttled(&self) -> u64 {
        let throttled = self.0.iter().filter(|((_, outcome), _)| {
            ["Throttl", "TooManyRequests", "SlowDown", "Rate exceeded"]
                .iter()
                .any(|word| outcome.contains(word))
        });
        throttled.map(|(_, count)| count).sum()
    }

    /// Those that may have changed something; assuming a role does not count.
    pub fn mutating(&self) -> BTreeMap<String, u64> {
        let mut mutating = BTreeMap::new();
        for (((service, operation, ..), _), count) in &self.0 {
            let reads = [
                "Get", "List", "Describe", "Head", "Assume", "Lookup", "Receive",
            ];
            if !reads.iter().any(|verb| operation.starts_with(verb)) {
                *mutating
                    .entry(format!("{service}:{operation}"))
                    .or_default() += count;
            }
        }
        mutating
    }

    /// Calls by service and operation, the most frequent first.
    pub fn by_operation(&self) -> Vec<(String, u64)> {
        let mut by_operation: BTreeMap<String, u64> = BTreeMap::new();
        for (((service, operation, ..), _), count) in &self.0 {
            *by_operation
                .entry(format!("{service}:{operation}"))
                .or_default() += count;
        }
        let mut sorted: Vec<_> = by_operation.into_iter().collect();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        sorted
    }

    /// How long these calls take at the least when `in_flight` of them are under way at any time.
    pub fn by_latency(&self, in_flight: usize) -> Duration {
        let waits = self.0.iter().map(|(((service, operation, ..), _), count)| {
            mean_latency(service, operation).as_secs_f64() * *count as f64
        });
        Duration::from_secs_f64(waits.sum::<f64>() / in_flight as f64)
    }

    /// How long they take at the least because of AWS's rates: the fullest bucket, and which one that is.
    pub fn by_rate(&self) -> (Duration, String) {
        let mut drawn: BTreeMap<(usize, &str, &str, &str), f64> = BTreeMap::new();
        for (((service, operation, account, region), _), count) in &self.0 {
            let Some((index, limit)) = limits::limit(service, operation) else {
                continue;
            };
            let operation = if limit.shared { "" } else { operation };
            let region = if limits::is_global(service) {
                ""
            } else {
                region
            };
            *drawn
                .entry((index, operation, account, region))
                .or_default() += *count as f64;
        }
        let waits = drawn
            .into_iter()
            .map(|((index, operation, account, region), count)| {
                let limit = &LIMITS[index];
                let seconds = (count - limit.burst).max(0.0) / limit.rate;
                let name = format!("{}:{operation} in {account} {region}", limit.service);
                (Duration::from_secs_f64(seconds), name)
            });
        waits.max().unwrap_or_default()
    }
}

fn bucket(kind: &Kind) -> Bucket {
    let account = kind.account.map(|account| account.to_string());
    (
        kind.service,
        kind.operation,
        account.unwrap_or_default(),
        kind.region.to_string(),
    )
}

/// User and system time of a process: fields 14 and 15 of `/proc/PID/stat`, in hundredths of a second.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a process has a name")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Resident memory of a process, in MiB.
pub fn resident(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("a process has memory")?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes / 1024.0)
}
