//! Room for several lists.

/// Shares a room among lists, each given by its size and its weight. Who needs less than its share by weight gets what it needs; the
/// others share the rest. Where there is room for all, each gets its size.
pub(super) fn shares(lists: &[(usize, usize)], room: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lists.len()).collect();
    // By size for each weight.
    order.sort_by(|&a, &b| {
        let ((a, weight_a), (b, weight_b)) = (lists[a], lists[b]);
        let (a, b) = (a.saturating_mul(weight_b), b.saturating_mul(weight_a));
        a.cmp(&b)
    });
    let mut weights: usize = lists.iter().map(|&(_, weight)| weight).sum();
    let mut left = room;
    let mut shares = vec![0; lists.len()];
    for list in order {
        let (size, weight) = lists[list];
        let share = left.saturating_mul(weight) / weights.max(1);
        shares[list] = size.min(share);
        left -= shares[list];
        weights -= weight;
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::shares;

    proptest! {
        /// No more than there is, everything where it fits, and nobody goes without while another has more than its part.
        #[test]
        fn room_is_shared_out(lists in prop::collection::vec((0..1_000_usize, 1..5_usize), 0..20), room in 0..9_000_usize) {
            let shares = shares(&lists, room);
            prop_assert!(shares.iter().sum::<usize>() <= room);
            let needed: usize = lists.iter().map(|&(size, _)| size).sum();
            let weights: usize = lists.iter().map(|&(_, weight)| weight).sum();
            for (&(size, weight), &share) in lists.iter().zip(&shares) {
                prop_assert!(share <= size);
                prop_assert!(needed > room || share == size);
                prop_assert!(share == size || share >= room * weight / weights);
            }
        }
    }
}
