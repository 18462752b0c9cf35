//! The values that condition operators compare: numbers, truth values, dates and address ranges.

use std::net::IpAddr;

/// A number of a condition. `None` for what is not one; infinities and `NaN` are not.
pub(crate) fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    plain
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .filter(|number| number.is_finite())
}

pub(crate) fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The bytes that Base64 text stands for (RFC 4648, either alphabet; the padding may be missing).
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut buffer, mut bits) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    // What is left over are the bits that fill up the last digit: none of them is set, and a digit alone holds no byte.
    (bits < 6 && buffer == 0).then_some(bytes)
}

/// A moment: nanoseconds since 1970-01-01T00:00Z.
pub(crate) type Moment = i128;

const SECOND: Moment = 1_000_000_000;

/// A date in one of the profiles of ISO 8601 that the W3C notes (`2026-11-21`, `2026-11-21T09:30Z`,
/// `2026-11-21T09:30:15.5+01:00`, also `2026` and `2026-11`), or whole seconds since 1970 (five digits or more).
pub(crate) fn date(text: &str) -> Option<Moment> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 4 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return text
            .parse::<i64>()
            .ok()
            .map(|seconds| Moment::from(seconds) * SECOND);
    }
    let (day, time) = match text.split_once(['T', 't']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let mut fields = day.split('-');
    let year = field(fields.next()?, 4)?;
    let month = fields.next().map_or(Some(1), |text| field(text, 2))?;
    let day = fields.next().map_or(Some(1), |text| field(text, 2))?;
    if fields.next().is_some()
        || !(1..=12).contains(&month)
        || day < 1
        || day > days_in(year, month)
    {
        return None;
    }
    let midnight = days_since_1970(year, month, day) * 86_400 * SECOND;
    time.map_or(Some(midnight), |time| Some(midnight + time_of_day(time)?))
}

/// `hh:mm[:ss[.f…]]` with `Z` or an offset, as nanoseconds since midnight in UTC.
fn time_of_day(text: &str) -> Option<Moment> {
    let (clock, offset) = if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        (clock, 0)
    } else {
        let at = text.rfind(['+', '-'])?;
        let (hours, minutes) = text[at + 1..].split_once(':')?;
        let (hours, minutes) = (field(hours, 2)?, field(minutes, 2)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        let offset = (hours * 60 + minutes) * 60;
        (
            &text[..at],
            if text[at..].starts_with('-') {
                -offset
            } else {
                offset
            },
        )
    };
    let mut fields = clock.split(':');
    let hours = field(fields.next()?, 2)?;
    let minutes = field(fields.next()?, 2)?;
    let (seconds, fraction) = match fields.next() {
        None => (0, 0),
        Some(text) => match text.split_once('.') {
            None => (field(text, 2)?, 0),
            Some((seconds, digits)) => (field(seconds, 2)?, nanoseconds(digits)?),
        },
    };
    if fields.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    Some(((hours * 60 + minutes) * 60 + seconds - offset) * SECOND + fraction)
}

fn field(text: &str, length: usize) -> Option<Moment> {
    let plain = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn nanoseconds(digits: &str) -> Option<Moment> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9.9}").parse().ok()
}

fn days_in(year: Moment, month: Moment) -> Moment {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar. Years begin in March, so that the leap day is a year's last.
fn days_since_1970(year: Moment, month: Moment, day: Moment) -> Moment {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// A range of IP addresses, `203.0.113.0/24` or `2001:db8::/32`; without a length it is one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    length: u32,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            Some(_) => return None,
            None => most,
        };
        (length <= most).then_some(Network { address, length })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits(), 128),
            _ => return false,
        };
        // A shift by the whole width would overflow, and then nothing is left to differ.
        (ours ^ theirs)
            .checked_shr(width - self.length)
            .unwrap_or(0)
            == 0
    }
}
