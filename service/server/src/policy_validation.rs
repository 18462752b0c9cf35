//! Asking AWS what it finds in policies that are checked: Access Analyzer's `ValidatePolicy`, for one document after the other.
//!
//! It is a second opinion. Where AWS refuses, or takes its time, the check goes on without it and says so.

use std::time::Duration;

use landfall_controls::aws::Aws;
use landfall_controls::error::CloudError;
use landfall_controls::policy_validation;
use landfall_model::landing_zone::LandingZone;
use landfall_model::scp;
use tokio::time::timeout;

use crate::scp_check::aws_findings::AwsFindings;
use crate::scp_check::files::ScpFiles;

/// How long all documents together may take.
const WITHIN: Duration = Duration::from_secs(15);

/// What AWS finds in the documents, their words filled in. `open`: the way to AWS.
pub async fn ask(
    open: impl Future<Output = Result<Aws, CloudError>>,
    files: &ScpFiles,
    zone: &LandingZone,
) -> AwsFindings {
    let mut all = Vec::new();
    let asking = async {
        let aws = Box::pin(open).await.map_err(|error| error.to_string())?;
        for (file, text) in &files.documents {
            let text = scp::filled_in(text, zone);
            let found = Box::pin(policy_validation::findings(&aws, &text)).await;
            let found =
                found.map_err(|error| format!("{file} and what comes after it: {error}"))?;
            all.extend(found.into_iter().map(|found| (file.clone(), found)));
        }
        Ok(())
    };
    let missing = match timeout(WITHIN, asking).await {
        Ok(asked) => asked.err(),
        Err(_) => Some(format!("it took longer than {} s", WITHIN.as_secs())),
    };
    AwsFindings {
        found: all,
        missing,
    }
}
