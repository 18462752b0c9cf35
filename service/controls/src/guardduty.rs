//! What GuardDuty's controls share: the detector of an account and Region, of which there is at most one.

use aws_sdk_guardduty::operation::create_detector::builders::CreateDetectorFluentBuilder;

use crate::aws::Aws;
use crate::error::CloudError;

pub(crate) const LIST_DETECTORS: &str = "guardduty:ListDetectors";
pub(crate) const CREATE_DETECTOR: &str = "guardduty:CreateDetector";

/// The id of the account's detector in the Region.
pub(crate) async fn detector_of(aws: &Aws) -> Result<Option<String>, CloudError> {
    let guardduty = aws.guardduty();
    let ids = aws
        .call(LIST_DETECTORS, || guardduty.list_detectors().send())
        .await?
        .detector_ids;
    Ok(ids.unwrap_or_default().into_iter().next())
}

/// Makes the detector, if there is none.
///
/// A second one is refused with the code of any bad request. The list is asked first, and may be older than the
/// detector: then the message tells.
pub(crate) async fn create_detector(
    aws: &Aws,
    detector: &CreateDetectorFluentBuilder,
) -> Result<(), CloudError> {
    if detector_of(aws).await?.is_some() {
        return Ok(());
    }
    match aws.call(CREATE_DETECTOR, || detector.clone().send()).await {
        Err(error) if error.is(&["BadRequestException"]) && error.says("already exists") => Ok(()),
        created => created.map(drop),
    }
}
