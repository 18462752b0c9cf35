//! Did you mean?

/// The names that are most like `wanted`, at most three, the most alike first. None if nothing is near.
pub fn nearest<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let wanted = wanted.to_ascii_lowercase();
    let most = (wanted.len() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let folded = name.to_ascii_lowercase();
            // A name that was left off or put on too much counts as one step: `GetObject` and `GetObjects`.
            let near = if folded.starts_with(&wanted) || wanted.starts_with(&folded) {
                1 + folded.len().abs_diff(wanted.len()) / 4
            } else {
                distance(&wanted, &folded, most)?
            };
            (near <= most).then_some((near, name))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// `did you mean `a`, `b`?`, or else `otherwise`.
pub(super) fn suggestion<'n>(
    wanted: &str,
    names: impl IntoIterator<Item = &'n str>,
    otherwise: &str,
) -> String {
    let near = nearest(wanted, names);
    if near.is_empty() {
        otherwise.to_owned()
    } else {
        format!("did you mean `{}`?", near.join("`, `"))
    }
}

/// The number of characters to put in, take out or change (Levenshtein). `None` if it is more than `most`.
fn distance(one: &str, other: &str, most: usize) -> Option<usize> {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        let mut least = left;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (b, cell) in other.iter().zip(row.iter_mut().skip(1)) {
            let here = (corner + usize::from(a != b)).min(left + 1).min(*cell + 1);
            corner = std::mem::replace(cell, here);
            left = here;
            least = least.min(here);
        }
        if least > most {
            return None;
        }
    }
    row.last().copied().filter(|steps| *steps <= most)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn names_that_are_alike() {
        assert_eq!(distance("kitten", "sitting", 4), Some(3));
        assert_eq!(distance("kitten", "sitting", 2), None);
        assert_eq!(distance("", "ab", 2), Some(2));
        let names = ["GetObject", "GetObjectAcl", "PutObject", "ListBucket"];
        assert_eq!(
            nearest("getobjects", names),
            ["GetObject", "GetObjectAcl", "PutObject"]
        );
        assert_eq!(nearest("ListBuckets", names), ["ListBucket"]);
        assert!(nearest("RunInstances", names).is_empty());
    }
}
