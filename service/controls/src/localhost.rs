//! Names below `localhost` are this machine.
//!
//! Some services put a name in front of the endpoint's host: S3 the bucket, S3 Control the account. With an endpoint on
//! `localhost` that makes names which most resolvers do not know, although RFC 6761 says what they mean.

use std::net::{IpAddr, Ipv4Addr};

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};

#[derive(Clone, Debug, Default)]
pub(crate) struct LocalhostResolver {}

impl ResolveDns for LocalhostResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            if name == "localhost" || name.ends_with(".localhost") {
                return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
            }
            let addresses = tokio::net::lookup_host((name, 0))
                .await
                .map_err(ResolveDnsError::new)?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}
