//! Which names S3 accepts for a bucket: Amazon S3 User Guide, "General purpose bucket naming rules".

use std::net::Ipv4Addr;

/// What AWS keeps for itself at the beginning and at the end of a name.
const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// That S3 accepts the name; else the rule that it breaks.
pub(super) fn check(name: &str) -> Result<(), String> {
    if !(3..=63).contains(&name.len()) {
        let length = name.len();
        return Err(format!(
            "it has 3 to 63 characters, and `{name}` has {length}"
        ));
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !name
        .bytes()
        .all(|byte| plain(byte) || b".-".contains(&byte))
    {
        return Err("it is of lower-case letters, digits, hyphens and dots".to_owned());
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !name.ends_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err("it begins and ends with a letter or a digit".to_owned());
    }
    if name.contains("..") {
        return Err("no two dots stand beside each other".to_owned());
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return Err("it must not look like an IP address".to_owned());
    }
    if let Some(prefix) = PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        return Err(format!(
            "AWS keeps names that begin with {prefix} for itself"
        ));
    }
    if let Some(suffix) = SUFFIXES.iter().find(|suffix| name.ends_with(**suffix)) {
        return Err(format!("AWS keeps names that end with {suffix} for itself"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_that_s3_refuses() {
        for name in ["landfall-logs-111122223333", "abc", "a.b-c.1", "1234"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for (name, rule) in [
            ("ab", "3 to 63"),
            (&*"a".repeat(64), "has 64"),
            ("Logs", "lower-case"),
            ("my_logs", "lower-case"),
            ("logs-{region}", "lower-case"),
            ("-logs", "begins and ends"),
            ("logs.", "begins and ends"),
            ("my..logs", "two dots"),
            ("192.168.5.4", "IP address"),
            ("xn--logs", "begin with xn--"),
            ("sthree-logs", "begin with sthree-"),
            ("logs-s3alias", "end with -s3alias"),
            ("logs--x-s3", "end with --x-s3"),
        ] {
            let said = check(name).unwrap_err();
            assert!(said.contains(rule), "{name}: {said}");
        }
    }
}
