//! Security Hub's finding aggregator: an account has at most one, in the Region that shows all Regions' findings.

use landfall_model::cloud_error::CloudErrorKind;
use serde::Serialize;

use crate::aws::Aws;
use crate::error::CloudError;

pub(crate) const LIST: &str = "securityhub:ListFindingAggregators";
pub(crate) const GET: &str = "securityhub:GetFindingAggregator";
pub(crate) const CREATE: &str = "securityhub:CreateFindingAggregator";
pub(crate) const UPDATE: &str = "securityhub:UpdateFindingAggregator";

const ALL_REGIONS: &str = "ALL_REGIONS";

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FindingAggregator {
    pub(crate) arn: String,
    pub(crate) all_regions: bool,
}

/// The account's aggregator. It is an error where it stands in another Region: only there can it be changed, and its
/// removal stops the aggregation that somebody set up.
pub(crate) async fn find(aws: &Aws) -> Result<Option<FindingAggregator>, CloudError> {
    let securityhub = aws.securityhub();
    let mut token = None;
    let arn = loop {
        let page = aws
            .call(LIST, || {
                securityhub
                    .list_finding_aggregators()
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
        let found = page.finding_aggregators.unwrap_or_default().into_iter();
        if let Some(arn) = found.filter_map(|one| one.finding_aggregator_arn).next() {
            break arn;
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(None);
        }
    };
    let found = aws
        .call(GET, || {
            securityhub
                .get_finding_aggregator()
                .finding_aggregator_arn(&arn)
                .send()
        })
        .await?;
    let region = found.finding_aggregation_region.unwrap_or_default();
    if region != aws.region().as_str() {
        return Err(CloudError::new(
            CloudErrorKind::Invalid,
            CREATE,
            format!(
                "findings are gathered in {region} already; delete that finding aggregator first"
            ),
        ));
    }
    Ok(Some(FindingAggregator {
        arn,
        all_regions: found.region_linking_mode.as_deref() == Some(ALL_REGIONS),
    }))
}

/// A second aggregator is refused with the code of any wrong input, so that what is there is asked for first. The list may be
/// older than the aggregator: then the message tells.
pub(crate) async fn create(aws: &Aws) -> Result<(), CloudError> {
    if find(aws).await?.is_some() {
        return Ok(());
    }
    let securityhub = aws.securityhub();
    let created = aws
        .call(CREATE, || {
            securityhub
                .create_finding_aggregator()
                .region_linking_mode(ALL_REGIONS)
                .send()
        })
        .await;
    match created {
        Err(error) if error.is(&["InvalidInputException"]) && error.says("already exists") => {
            Ok(())
        }
        created => created.map(drop),
    }
}

pub(crate) async fn update(aws: &Aws, arn: &str) -> Result<(), CloudError> {
    let securityhub = aws.securityhub();
    aws.call(UPDATE, || {
        securityhub
            .update_finding_aggregator()
            .finding_aggregator_arn(arn)
            .region_linking_mode(ALL_REGIONS)
            .send()
    })
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;

    #[tokio::test]
    async fn one_that_the_list_does_not_show_yet_is_there() {
        let none = r#"{"FindingAggregators":[]}"#;
        let known = r#"{"__type":"InvalidInputException","Message":"A finding aggregator already exists for this account"}"#;
        let wrong = r#"{"__type":"InvalidInputException","Message":"RegionLinkingMode is none"}"#;
        for (refusal, is_there) in [(known, true), (wrong, false)] {
            let wire = Wire::with([(200, none), (400, refusal)]);
            let created = create(&wire.aws("eu-west-1", &[LIST, GET, CREATE])).await;
            assert_eq!(created.is_ok(), is_there, "{created:?}");
        }
    }
}
