//! Which resource types a recorder records, and which combinations of the group's six members mean something.

use serde_json::{Value, json};

use crate::call::AwsError;

/// What AWS's `RecordingGroup` says once its redundant members agree.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RecordingGroup {
    /// All types that the Region supports; the IAM types only with `global`.
    All {
        global: bool,
    },
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl RecordingGroup {
    /// Reads the input's member. A recorder without one records all but the IAM types.
    ///
    /// # Errors
    ///
    /// `InvalidRecordingGroupException` for members that contradict each other, or that together say nothing.
    pub(super) fn read(input: Option<&Value>) -> Result<Self, AwsError> {
        let Some(group) = input.filter(|group| !group.is_null()) else {
            return Ok(RecordingGroup::All { global: false });
        };
        let flag = |member: &str| group[member].as_bool().unwrap_or_default();
        let (all, global) = (flag("allSupported"), flag("includeGlobalResourceTypes"));
        let only = types(&group["resourceTypes"]);
        let excluded = types(&group["exclusionByResourceTypes"]["resourceTypes"]);
        match group["recordingStrategy"]["useOnly"].as_str() {
            None | Some("ALL_SUPPORTED_RESOURCE_TYPES") if all => {
                if !only.is_empty() || !excluded.is_empty() {
                    return Err(invalid(
                        "allSupported cannot be true together with a list of resource types.",
                    ));
                }
                Ok(RecordingGroup::All { global })
            }
            Some("EXCLUSION_BY_RESOURCE_TYPES") if !all => {
                if excluded.is_empty() {
                    return Err(invalid(
                        "The exclusion strategy needs resource types to exclude.",
                    ));
                }
                Ok(RecordingGroup::AllBut(excluded))
            }
            None | Some("INCLUSION_BY_RESOURCE_TYPES") if !all => {
                if only.is_empty() || !excluded.is_empty() {
                    return Err(invalid(
                        "Give allSupported, resourceTypes, or exclusionByResourceTypes with its recording strategy.",
                    ));
                }
                if global {
                    return Err(invalid(
                        "includeGlobalResourceTypes cannot be true unless allSupported is.",
                    ));
                }
                Ok(RecordingGroup::Only(only))
            }
            _ => Err(invalid(
                "The recording strategy does not agree with allSupported.",
            )),
        }
    }

    /// All members, as AWS answers them whatever was given.
    pub(super) fn describe(&self) -> Value {
        let none: &[String] = &[];
        let (strategy, only, excluded) = match self {
            RecordingGroup::All { .. } => ("ALL_SUPPORTED_RESOURCE_TYPES", none, none),
            RecordingGroup::Only(types) => ("INCLUSION_BY_RESOURCE_TYPES", types.as_slice(), none),
            RecordingGroup::AllBut(types) => {
                ("EXCLUSION_BY_RESOURCE_TYPES", none, types.as_slice())
            }
        };
        json!({
            "allSupported": matches!(self, RecordingGroup::All { .. }),
            "includeGlobalResourceTypes": *self == RecordingGroup::All { global: true },
            "resourceTypes": only,
            "exclusionByResourceTypes": { "resourceTypes": excluded },
            "recordingStrategy": { "useOnly": strategy },
        })
    }
}

fn types(list: &Value) -> Vec<String> {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    super::texts(items).into_iter().map(str::to_owned).collect()
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("InvalidRecordingGroupException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_must_agree() {
        let all = RecordingGroup::All { global: false };
        let bucket = || vec!["AWS::S3::Bucket".to_owned()];
        let cases = [
            (json!(null), Some(all.clone())),
            (json!({"allSupported": true}), Some(all)),
            (
                json!({"allSupported": true, "includeGlobalResourceTypes": true}),
                Some(RecordingGroup::All { global: true }),
            ),
            (
                json!({"resourceTypes": ["AWS::S3::Bucket"]}),
                Some(RecordingGroup::Only(bucket())),
            ),
            (
                json!({"exclusionByResourceTypes": {"resourceTypes": ["AWS::S3::Bucket"]},
                       "recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"}}),
                Some(RecordingGroup::AllBut(bucket())),
            ),
            (json!({}), None),
            (json!({"allSupported": false, "resourceTypes": []}), None),
            (
                json!({"allSupported": true, "resourceTypes": ["AWS::S3::Bucket"]}),
                None,
            ),
            (
                json!({"allSupported": true, "recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"}}),
                None,
            ),
            (
                json!({"recordingStrategy": {"useOnly": "ALL_SUPPORTED_RESOURCE_TYPES"}}),
                None,
            ),
            (
                json!({"recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"}}),
                None,
            ),
            (
                json!({"exclusionByResourceTypes": {"resourceTypes": ["AWS::S3::Bucket"]}}),
                None,
            ),
            (
                json!({"includeGlobalResourceTypes": true, "resourceTypes": ["AWS::S3::Bucket"]}),
                None,
            ),
        ];
        for (input, expected) in cases {
            assert_eq!(
                RecordingGroup::read(Some(&input)).ok(),
                expected,
                "for {input}"
            );
        }
    }

    #[test]
    fn a_described_group_reads_as_itself() {
        for group in [
            RecordingGroup::All { global: true },
            RecordingGroup::Only(vec!["AWS::IAM::Role".to_owned()]),
            RecordingGroup::AllBut(vec!["AWS::IAM::Role".to_owned()]),
        ] {
            let described = group.describe();
            assert_eq!(RecordingGroup::read(Some(&described)), Ok(group));
        }
    }
}
