//! The queue that AWS's events come through.
//!
//! A message is taken away for a minute when it is received, and comes again unless it is deleted; now and then one comes
//! twice. Whoever receives must be able to do the same thing again.

use std::str::FromStr;

use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use landfall_model::cloud_error::CloudErrorKind;
use landfall_model::ids::{AccountId, Region};

use crate::aws::Aws;
use crate::cloud::{Cloud, Errand};
use crate::error::CloudError;

const RECEIVE: &str = "sqs:ReceiveMessage";
const DELETE: &str = "sqs:DeleteMessage";
const POSTPONE: &str = "sqs:ChangeMessageVisibility";

/// All that a session for the queue may do.
pub const ACTIONS: &[&str] = &[RECEIVE, DELETE, POSTPONE];

/// How long one call waits for messages: as long as fits well into the time that a call may take.
const WAIT_SECONDS: i32 = 10;
/// For how long nobody else receives a message: much longer than it takes to write down what it says.
const HIDDEN_SECONDS: i32 = 60;
/// The most messages of one call (SQS API, `ReceiveMessage`).
const MOST: i32 = 10;

/// Which queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueAddress {
    /// By its URL.
    Url {
        url: String,
        account: AccountId,
        region: Region,
    },
    /// By its name, in the security account's home Region.
    Name(String),
}

/// A text that is no address of a queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is neither a URL such as https://sqs.eu-west-1.amazonaws.com/111122223333/landfall-events nor the name of a queue \
     in the security account"
)]
pub struct BadAddress;

impl FromStr for QueueAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let Some(rest) = text.strip_prefix("https://") else {
            return if is_name(text) {
                Ok(QueueAddress::Name(text.to_owned()))
            } else {
                Err(BadAddress)
            };
        };
        let mut parts = rest.split('/');
        let (host, account, name) = (parts.next(), parts.next(), parts.next());
        let region = host
            .and_then(|host| host.strip_prefix("sqs.")?.split_once(".amazonaws.com"))
            .filter(|(_, rest)| ["", ".cn"].contains(rest))
            .and_then(|(region, _)| region.parse().ok());
        let account = account.and_then(|account| account.parse().ok());
        match (region, account, parts.next()) {
            (Some(region), Some(account), None) if name.is_some_and(is_name) => {
                Ok(QueueAddress::Url {
                    url: text.to_owned(),
                    account,
                    region,
                })
            }
            _ => Err(BadAddress),
        }
    }
}

/// Whether SQS would take it for the name of a standard queue.
fn is_name(text: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=80).contains(&text.len()) && text.bytes().all(valid)
}

/// How SQS says that there is no such queue, by its two protocols.
const ABSENT: &[&str] = &[
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
];

/// A message as it was received.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub body: String,
    receipt: String,
}

/// A queue, in a session that may receive from it and nothing else.
#[derive(Debug)]
pub struct Queue {
    aws: Aws,
    url: String,
}

impl Queue {
    /// Assumes the role for the queue. One that is given by its name has to wait for the security account.
    pub async fn open(
        cloud: &Cloud,
        address: &QueueAddress,
        home: &Region,
        security: Option<&AccountId>,
    ) -> Result<Self, CloudError> {
        let (account, region, url) = match address {
            QueueAddress::Url {
                url,
                account,
                region,
            } => (account.clone(), region.clone(), url.clone()),
            QueueAddress::Name(name) => {
                let account = security.ok_or_else(|| {
                    CloudError::not_ready(RECEIVE, "there is no security account yet")
                })?;
                let url = format!("https://sqs.{home}.amazonaws.com/{account}/{name}");
                (account.clone(), home.clone(), url)
            }
        };
        let errand = Errand {
            account,
            region,
            actions: ACTIONS.iter().copied().collect(),
            reason: "events".to_owned(),
            young: false,
            shared: true,
        };
        let aws = Box::pin(cloud.assume(&errand)).await?;
        Ok(Queue { aws, url })
    }

    /// Waits some seconds for messages; none came where the list is empty.
    pub async fn receive(&self) -> Result<Vec<Message>, CloudError> {
        let sqs = self.aws.sqs();
        let answer = self
            .aws
            .call(RECEIVE, || {
                sqs.receive_message()
                    .queue_url(&self.url)
                    .max_number_of_messages(MOST)
                    .wait_time_seconds(WAIT_SECONDS)
                    .visibility_timeout(HIDDEN_SECONDS)
                    .send()
            })
            .await
            .map_err(|error| match error.is(ABSENT) {
                true => CloudError::not_ready(
                    RECEIVE,
                    format!(
                        "the queue {} is not there yet: deploy/events makes it",
                        self.url
                    ),
                ),
                false => error,
            })?;
        let messages = answer.messages.unwrap_or_default();
        let whole = messages.into_iter().filter_map(|message| {
            Some(Message {
                id: message.message_id.unwrap_or_default(),
                body: message.body.unwrap_or_default(),
                receipt: message.receipt_handle?,
            })
        });
        Ok(whole.collect())
    }

    /// Deletes messages of one call of [`receive`](Self::receive).
    pub async fn delete(&self, messages: &[Message]) -> Result<(), CloudError> {
        if messages.is_empty() {
            return Ok(());
        }
        let entries = messages.iter().enumerate().map(|(n, message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(n.to_string())
                .receipt_handle(&message.receipt)
                .build()
                .map_err(|error| {
                    CloudError::new(CloudErrorKind::Invalid, DELETE, error.to_string())
                })
        });
        let entries: Vec<_> = entries.collect::<Result<_, _>>()?;
        let sqs = self.aws.sqs();
        let answer = self
            .aws
            .call(DELETE, || {
                sqs.delete_message_batch()
                    .queue_url(&self.url)
                    .set_entries(Some(entries.clone()))
                    .send()
            })
            .await?;
        match answer.failed.first() {
            None => Ok(()),
            Some(failed) => Err(CloudError::new(
                CloudErrorKind::Unavailable,
                DELETE,
                format!("{} messages stay: {}", answer.failed.len(), failed.code),
            )),
        }
    }

    /// Lets a message be received again, by anybody, after `seconds`.
    pub async fn postpone(&self, message: &Message, seconds: i32) -> Result<(), CloudError> {
        let sqs = self.aws.sqs();
        self.aws
            .call(POSTPONE, || {
                sqs.change_message_visibility()
                    .queue_url(&self.url)
                    .receipt_handle(&message.receipt)
                    .visibility_timeout(seconds)
                    .send()
            })
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_goes_by_url_or_name() {
        let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/landfall-events";
        let Ok(QueueAddress::Url {
            account, region, ..
        }) = url.parse()
        else {
            panic!("{url} is a URL");
        };
        assert_eq!(
            (account.as_str(), region.as_str()),
            ("111122223333", "eu-west-1")
        );
        let name = "landfall-events";
        assert_eq!(name.parse(), Ok(QueueAddress::Name(name.to_owned())));
        let china = "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/q";
        assert!(china.parse::<QueueAddress>().is_ok());
        for wrong in [
            "",
            "a b",
            "arn:aws:sqs:eu-west-1:111122223333:q",
            "http://sqs.eu-west-1.amazonaws.com/111122223333/q",
            "https://sqs.eu-west-1.amazonaws.com/111122223333",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/q/r",
            "https://sqs.eu-west-1.amazonaws.com/42/q",
            "https://example.com/111122223333/q",
            "https://sqs.eu-west-1.amazonaws.com.example.com/111122223333/q",
        ] {
            assert_eq!(wrong.parse::<QueueAddress>(), Err(BadAddress), "{wrong}");
        }
    }
}
