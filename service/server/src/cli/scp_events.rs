//! CloudTrail's log files, as they stand in a directory: read one after another and handed to a replay.
//!
//! A trail writes `….json.gz` with `{"Records": […]}`; `aws cloudtrail lookup-events` prints `{"Events": […]}`. Both are taken,
//! packed or not, told by what is in them. A file that ends early, or is no such file, is named, and the others go on.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use landfall_policy::replay::Replay;

/// What gzip's files begin with (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Folders of a trail's bucket with other things than records.
const NO_RECORDS: [&str; 2] = ["CloudTrail-Digest", "CloudTrail-Insight"];

/// The log files that `paths` name, those of directories with all below them, in order.
pub(super) fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let named = |error: io::Error| {
            anyhow::anyhow!("the events in {} cannot be read: {error}", path.display())
        };
        if fs::metadata(path).map_err(named)?.is_dir() {
            let before = found.len();
            below(path, &mut found).map_err(named)?;
            if found.len() == before {
                anyhow::bail!(
                    "there are no log files in {}: CloudTrail's end in .json.gz or .json",
                    path.display()
                );
            }
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if !NO_RECORDS.contains(&name.as_ref()) {
                below(&path, found)?;
            }
        } else if name.ends_with(".json") || name.ends_with(".json.gz") {
            found.push(path);
        }
    }
    Ok(())
}

/// Hands the records of the files on, and says of each file that could not be read to its end why.
pub(super) fn replay(files: &[PathBuf], replay: &mut Replay<'_>) -> Vec<String> {
    let mut unread = Vec::new();
    for file in files {
        if let Err(problem) = one(file, replay) {
            unread.push(format!("{}: {problem}", file.display()));
        }
    }
    unread
}

fn one(file: &Path, replay: &mut Replay<'_>) -> Result<(), String> {
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    let (bytes, cut) = unpacked(bytes);
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
fn unpacked(bytes: Vec<u8>) -> (Vec<u8>, Option<io::Error>) {
    if !bytes.starts_with(&GZIP) {
        return (bytes, None);
    }
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut content);
    (content, read.err())
}
