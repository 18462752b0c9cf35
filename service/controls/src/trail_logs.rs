//! The organization trail's log files, as they lie in the log bucket: which there are, and what is in one.
//!
//! An organization trail writes to `AWSLogs/o-ORG/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/`, days by UTC, and Landfall's has no
//! prefix in front of that (CloudTrail User Guide, "Finding your CloudTrail log files"; `cloudtrail_organization_trail`).

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use jiff::civil::Date;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::{AccountId, Region};

use crate::aws::Aws;
use crate::cloud::{Cloud, Errand};
use crate::error::CloudError;

const LIST: &str = "s3:ListBucket";
const GET: &str = "s3:GetObject";

/// All that a session for the log files may do.
pub const ACTIONS: &[&str] = &[LIST, GET];

/// How long a file may take to come once S3 has begun to send it: the SDK's own time limits end there.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// A way to the log files of one organization.
#[derive(Debug)]
pub struct TrailLogs {
    aws: Aws,
    bucket: String,
    organization: String,
}

/// One log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    pub key: String,
    /// In bytes, as it lies there.
    pub size: u64,
}

/// The log files of one account, Region and day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    pub account: AccountId,
    /// As the trail names it, governed or not.
    pub region: String,
    /// By UTC.
    pub day: Date,
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Folder {
            account,
            region,
            day,
        } = self;
        write!(f, "{account} {region} {day}")
    }
}

impl TrailLogs {
    /// Assumes the execution role of the log archive account, for the actions of this module alone. `organization`: its id, `o-…`.
    ///
    /// # Errors
    ///
    /// What AWS says where the role cannot be assumed.
    pub async fn open(
        cloud: &Cloud,
        log_archive: &AccountId,
        home: &Region,
        bucket: String,
        organization: String,
    ) -> Result<Self, CloudError> {
        let errand = Errand {
            account: log_archive.clone(),
            region: home.clone(),
            actions: ACTIONS.iter().copied().collect(),
            reason: "scp-check".to_owned(),
            young: false,
            shared: true,
        };
        let aws = Box::pin(cloud.assume(&errand)).await?;
        Ok(TrailLogs {
            aws,
            bucket,
            organization,
        })
    }

    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The accounts that have log files, by number. What is no account's number is somebody else's folder.
    ///
    /// # Errors
    ///
    /// What AWS says where the bucket cannot be listed.
    pub async fn accounts(&self) -> Result<Vec<AccountId>, CloudError> {
        let folders = self
            .folders(&format!("AWSLogs/{}/", self.organization))
            .await?;
        Ok(folders
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect())
    }

    /// The Regions in which an account has log files, on any day.
    ///
    /// # Errors
    ///
    /// What AWS says where the bucket cannot be listed.
    pub async fn regions(&self, account: &AccountId) -> Result<Vec<String>, CloudError> {
        self.folders(&format!(
            "AWSLogs/{}/{account}/CloudTrail/",
            self.organization
        ))
        .await
    }

    /// The log files of a folder, oldest first, and at most so many; and whether there are more.
    ///
    /// # Errors
    ///
    /// What AWS says where the bucket cannot be listed.
    pub async fn files(
        &self,
        folder: &Folder,
        most: usize,
    ) -> Result<(Vec<LogFile>, bool), CloudError> {
        let prefix = format!(
            "AWSLogs/{}/{}/CloudTrail/{}/{}/",
            self.organization,
            folder.account,
            folder.region,
            folder.day.strftime("%Y/%m/%d")
        );
        let mut files = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(&prefix, None, token).await?;
            let found = page.contents.unwrap_or_default().into_iter();
            files.extend(found.filter_map(|object| {
                let key = object.key.filter(|key| key.ends_with(".json.gz"))?;
                let size = object.size.and_then(|size| u64::try_from(size).ok());
                Some(LogFile {
                    key,
                    size: size.unwrap_or_default(),
                })
            }));
            token = page.next_continuation_token;
            if files.len() > most {
                files.truncate(most);
                return Ok((files, true));
            }
            if token.is_none() {
                return Ok((files, false));
            }
        }
    }

    /// What is in a file, packed as it is.
    ///
    /// # Errors
    ///
    /// What AWS says where the file is gone or denied; and where it has more than `most` bytes or breaks off.
    pub async fn read(&self, key: &str, most: u64) -> Result<Vec<u8>, CloudError> {
        let s3 = self.aws.s3();
        let answer = self
            .aws
            .call(GET, || s3.get_object().bucket(&self.bucket).key(key).send())
            .await?;
        let arrived = tokio::time::timeout(ARRIVES_WITHIN, collected(answer.body, most)).await;
        let kind = CloudErrorKind::Unavailable;
        arrived.unwrap_or_else(|_| {
            let seconds = ARRIVES_WITHIN.as_secs();
            Err(CloudError::new(
                kind,
                GET,
                format!("the file did not arrive within {seconds} s"),
            ))
        })
    }

    /// The names of the folders right below a prefix.
    async fn folders(&self, prefix: &str) -> Result<Vec<String>, CloudError> {
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(prefix, Some("/"), token).await?;
            let found = page.common_prefixes.unwrap_or_default().into_iter();
            names.extend(found.filter_map(|found| {
                let name = found.prefix?;
                let name = name.strip_prefix(prefix)?.strip_suffix('/')?;
                Some(name.to_owned())
            }));
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(names);
            }
        }
    }

    async fn page(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, CloudError> {
        let s3 = self.aws.s3();
        let list = || {
            s3.list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_delimiter(delimiter.map(str::to_owned))
                .set_continuation_token(token.clone())
                .send()
        };
        self.aws.call(LIST, list).await
    }
}

/// All of a body, unless it is longer than `most` bytes.
async fn collected(mut body: ByteStream, most: u64) -> Result<Vec<u8>, CloudError> {
    let error = |kind, message: String| CloudError::new(kind, GET, message);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|broken| {
            error(
                CloudErrorKind::Unavailable,
                format!("the answer broke off after {} bytes: {broken}", bytes.len()),
            )
        })?;
        bytes.extend_from_slice(&chunk);
        if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
            return Err(error(
                CloudErrorKind::Invalid,
                format!("the file has more than {most} bytes"),
            ));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Wire;

    const PAGE: &str = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
        <Contents><Key>AWSLogs/o-1/222222222222/CloudTrail/eu-west-1/2026/03/01/a.json.gz</Key><Size>7</Size></Contents>\
        <Contents><Key>AWSLogs/o-1/222222222222/CloudTrail/eu-west-1/2026/03/01/notes.txt</Key><Size>7</Size></Contents></ListBucketResult>";
    const LAST: &str = "<ListBucketResult><IsTruncated>false</IsTruncated>\
        <Contents><Key>AWSLogs/o-1/222222222222/CloudTrail/eu-west-1/2026/03/01/b.json.gz</Key></Contents></ListBucketResult>";
    const FOLDERS: &str = "<ListBucketResult><IsTruncated>false</IsTruncated>\
        <CommonPrefixes><Prefix>AWSLogs/o-1/222222222222/</Prefix></CommonPrefixes>\
        <CommonPrefixes><Prefix>AWSLogs/o-1/notes/</Prefix></CommonPrefixes></ListBucketResult>";

    fn logs(wire: &Wire) -> TrailLogs {
        TrailLogs {
            aws: wire.aws("eu-west-1", ACTIONS),
            bucket: "logs".to_owned(),
            organization: "o-1".to_owned(),
        }
    }

    fn folder() -> Folder {
        Folder {
            account: "222222222222".parse().unwrap(),
            region: "eu-west-1".to_owned(),
            day: "2026-03-01".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_folder_is_listed_page_after_page_and_no_further_than_asked() {
        let wire = Wire::with([(200, PAGE), (200, LAST)]);
        let (files, more) = logs(&wire).files(&folder(), 10).await.unwrap();
        let ends = |file: &LogFile| file.key[file.key.len() - 9..].to_owned();
        let names: Vec<String> = files.iter().map(ends).collect();
        assert_eq!(
            (names.as_slice(), more),
            (&["a.json.gz".to_owned(), "b.json.gz".to_owned()][..], false)
        );
        let asked: Vec<String> = wire
            .requests()
            .iter()
            .map(|it| it.uri().to_owned())
            .collect();
        let prefix =
            "prefix=AWSLogs%2Fo-1%2F222222222222%2FCloudTrail%2Feu-west-1%2F2026%2F03%2F01%2F";
        assert!(asked.iter().all(|uri| uri.contains(prefix)), "{asked:?}");
        assert!(asked[1].contains("continuation-token=t"), "{asked:?}");

        let wire = Wire::with([(200, PAGE), (200, LAST)]);
        let (files, more) = logs(&wire).files(&folder(), 1).await.unwrap();
        assert_eq!((files.len(), more), (1, true));
    }

    #[tokio::test]
    async fn folders_that_are_no_accounts_are_left_alone() {
        let wire = Wire::with([(200, FOLDERS)]);
        let accounts = logs(&wire).accounts().await.unwrap();
        assert_eq!(accounts, [folder().account]);
    }

    #[tokio::test]
    async fn a_file_that_is_gone_denied_or_too_long_is_an_error_that_says_so() {
        let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        let gone = "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>";
        for (status, answer, said) in [
            (403, denied, Some("AccessDenied")),
            (404, gone, Some("NoSuchKey")),
            (200, "12345678901", Some("more than 10 bytes")),
            (200, "1234567890", None),
        ] {
            let wire = Wire::with([(status, answer)]);
            let read = logs(&wire).read("k", 10).await;
            match said {
                Some(said) => {
                    let error = read.unwrap_err().to_string();
                    assert!(error.contains(said), "{error}");
                }
                None => assert_eq!(read.unwrap(), answer.as_bytes()),
            }
        }
    }
}
