//! CloudTrail's log files, as they stand in a directory: read one after another and handed to a replay.
//!
//! A trail writes `….json.gz` with `{"Records": […]}`; `aws cloudtrail lookup-events` prints `{"Events": […]}`. Both are taken,
//! packed or not, told by what is in them. A file that ends early, or is no such file, is named, and the others go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use landfall_policy::replay::Replay;

use crate::scp_check::log_files;

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
    log_files::replay(bytes, u64::MAX, replay)
}
