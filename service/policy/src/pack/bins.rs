//! Dealing statements to policies.

/// How long the statements of one policy are together, with the commas between them.
pub(super) fn length(bin: &[usize], lengths: &[usize]) -> usize {
    let statements: usize = bin.iter().filter_map(|index| lengths.get(*index)).sum();
    statements + bin.len().saturating_sub(1)
}

/// Deals statements of these lengths, none longer than `room`, to as few policies as are found: the longest first, each to the
/// fullest policy that has room for it, and again in other orders while fewer may do.
pub(super) fn deal(lengths: &[usize], room: usize) -> Vec<Vec<usize>> {
    let whole: usize = lengths.iter().map(|length| length + 1).sum();
    let least = whole.div_ceil(room + 1);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    let length_of = |index: &usize| lengths.get(*index).copied().unwrap_or_default();
    order.sort_by_key(|index| std::cmp::Reverse(length_of(index)));
    let mut best = fill(&order, lengths, room);
    // Orders that depend on nothing but the lengths.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..64 {
        if best.len() <= least {
            break;
        }
        for index in (1..order.len()).rev() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let other = usize::try_from((state >> 33) % (index as u64 + 1)).unwrap_or(index);
            order.swap(index, other);
        }
        let bins = fill(&order, lengths, room);
        if bins.len() < best.len() {
            best = bins;
        }
    }
    for bin in &mut best {
        bin.sort_unstable();
    }
    best.sort_unstable();
    best
}

fn fill(order: &[usize], lengths: &[usize], room: usize) -> Vec<Vec<usize>> {
    let mut bins: Vec<(usize, Vec<usize>)> = Vec::new();
    for index in order {
        let Some(length) = lengths.get(*index) else {
            continue;
        };
        let fullest = bins
            .iter_mut()
            .filter(|(used, _)| used + 1 + length <= room)
            .max_by_key(|(used, _)| *used);
        match fullest {
            Some((used, bin)) => {
                *used += 1 + length;
                bin.push(*index);
            }
            None => bins.push((*length, vec![*index])),
        }
    }
    bins.into_iter().map(|(_, bin)| bin).collect()
}

#[cfg(test)]
mod tests {
    use super::{deal, length};

    #[test]
    fn few_policies_and_none_too_long() {
        for (lengths, room, expected) in [
            (&[][..], 10, 0),
            (&[10], 10, 1),
            (&[4, 5], 10, 1),
            (&[5, 5], 10, 2),
            (&[6, 5, 4, 3], 10, 2),
            // The longest first gives three here.
            (&[7, 6, 3, 3, 2, 2, 2], 15, 2),
        ] {
            let bins = deal(lengths, room);
            assert_eq!(bins.len(), expected, "{lengths:?}: {bins:?}");
            assert!(bins.iter().all(|bin| length(bin, lengths) <= room));
            let mut dealt: Vec<usize> = bins.concat();
            dealt.sort_unstable();
            assert!(dealt.into_iter().eq(0..lengths.len()));
        }
    }
}
