//! `aws-chunked` bodies, which SDKs send to S3 so that a checksum can follow as a trailer.

use bytes::Bytes;
use http::HeaderMap;

/// Takes the chunk frames off a body that has any. `None` where the frames are broken.
pub fn unchunk(headers: &HeaderMap, body: Bytes) -> Option<Bytes> {
    let has = |name: &str, part: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.contains(part))
    };
    if !has("content-encoding", "aws-chunked") && !has("x-amz-content-sha256", "STREAMING-") {
        return Some(body);
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest: &[u8] = &body;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..end]).ok()?;
        // The size may be followed by `;chunk-signature=…`.
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            // Trailers follow. The checksum among them is the client's word about a body that loopback does not spoil.
            return Some(out.into());
        }
        out.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_off() {
        let mut headers = HeaderMap::new();
        let framed = Bytes::from_static(
            b"5;chunk-signature=ab\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
        );
        assert_eq!(unchunk(&headers, framed.clone()).unwrap(), framed);
        headers.insert(
            "x-amz-content-sha256",
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER".parse().unwrap(),
        );
        assert_eq!(unchunk(&headers, framed).unwrap(), "hello!");
        assert_eq!(
            unchunk(&headers, Bytes::from_static(b"9\r\nhello\r\n")),
            None
        );
    }
}
