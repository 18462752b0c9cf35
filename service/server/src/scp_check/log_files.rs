//! One log file of CloudTrail, wherever it lay: unpacked as far as it goes, and handed to a replay.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use landfall_policy::replay::Replay;

use super::report::grouped;

/// What gzip's files begin with (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How many problems are told one by one: where all files are denied, one sentence is as good as a hundred thousand.
const TOLD: usize = 200;

/// Hands the records of a file on, packed or not, told by what is in it. At most `most` bytes are unpacked.
///
/// # Errors
///
/// Why it could not be read to its end. What came before that counts.
pub fn replay(bytes: Vec<u8>, most: u64, replay: &mut Replay<'_>) -> Result<(), String> {
    let (bytes, cut) = unpacked(bytes, most);
    let text = String::from_utf8_lossy(&bytes);
    let read = replay.log_file(&text).map_err(|error| error.to_string());
    match cut {
        Some(error) => Err(match read {
            Ok(()) => format!("it was not packed to its end ({error}), but all records are there"),
            Err(problem) => format!("it ends early ({error}); {problem}"),
        }),
        None => read,
    }
}

/// The file's content, as far as it could be unpacked, and why no further.
fn unpacked(bytes: Vec<u8>, most: u64) -> (Vec<u8>, Option<io::Error>) {
    if !bytes.starts_with(&GZIP) {
        return (bytes, None);
    }
    let mut content = Vec::new();
    let mut unpacking = MultiGzDecoder::new(bytes.as_slice()).take(most);
    let read = unpacking.read_to_end(&mut content);
    let cut = read.err().or_else(|| {
        // What is exactly as long as may be reads on to its end, and gets nothing.
        let more = unpacking.limit() == 0 && unpacking.into_inner().read(&mut [0]).ok() != Some(0);
        more.then(|| io::Error::other(format!("it unpacks to more than {most} bytes")))
    });
    (content, cut)
}

/// What could not be read to its end: the first by name, and how many more there are.
#[derive(Debug, Default)]
pub struct Unread {
    told: Vec<String>,
    further: usize,
}

impl Unread {
    /// One more, and why.
    pub fn add(&mut self, what: impl std::fmt::Display, problem: impl std::fmt::Display) {
        if self.told.len() < TOLD {
            self.told.push(format!("{what}: {problem}"));
        } else {
            self.further += 1;
        }
    }

    /// A sentence each.
    pub fn into_sentences(self) -> Vec<String> {
        let mut told = self.told;
        if self.further > 0 {
            told.push(format!(
                "and {} more that could not be read",
                grouped(u64::try_from(self.further).unwrap_or(u64::MAX))
            ));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn unpacking_ends_where_it_is_told_to() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&[b'x'; 1_000]).unwrap();
        let packed = encoder.finish().unwrap();
        for (most, length, cut) in [
            (999, 999, true),
            (1_000, 1_000, false),
            (u64::MAX, 1_000, false),
        ] {
            let (content, problem) = unpacked(packed.clone(), most);
            assert_eq!((content.len(), problem.is_some()), (length, cut), "{most}");
        }
    }

    #[test]
    fn of_many_problems_the_first_are_told_and_the_rest_counted() {
        let mut unread = Unread::default();
        for n in 0..TOLD + 3 {
            unread.add(n, "denied");
        }
        let sentences = unread.into_sentences();
        assert_eq!(sentences.len(), TOLD + 1);
        assert_eq!(sentences.first().map(String::as_str), Some("0: denied"));
        assert_eq!(
            sentences.last().map(String::as_str),
            Some("and 3 more that could not be read")
        );
    }
}
