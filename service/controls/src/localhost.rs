//! Names below `localhost` are this machine.
//!
//! Some services put a name in front of the endpoint's host: S3 the bucket, S3 Control the account. With an endpoint on
//! `localhost` that makes names which most resolvers do not know, although RFC 6761 says what they mean; with one on
//! `127.0.0.1`, names that nobody knows.

use std::net::{IpAddr, Ipv4Addr};

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};

fn is_here(name: &str) -> bool {
    let host = name
        .strip_suffix("localhost")
        .or_else(|| name.strip_suffix("127.0.0.1"));
    host.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LocalhostResolver {}

impl ResolveDns for LocalhostResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            if is_here(name) {
                return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
            }
            let addresses = tokio::net::lookup_host((name, 0))
                .await
                .map_err(ResolveDnsError::new)?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_front_of_this_machine_s_are_this_machine() {
        for (name, here) in [
            ("localhost", true),
            ("222222222222.localhost", true),
            ("222222222222.127.0.0.1", true),
            ("notlocalhost", false),
            ("10.127.0.0.10", false),
            ("s3.eu-west-1.amazonaws.com", false),
        ] {
            assert_eq!(is_here(name), here, "{name}");
        }
    }
}
