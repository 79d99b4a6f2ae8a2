//! Parallel map with software prefetch.

use std::hint::black_box;

use rayon::prelude::*;

/// Items that are prefetched together.
const BATCH: usize = 16;

/// Maps every item, in order. An item refers to data anywhere in memory, and mapping one after the other would wait for
/// each. `load` reads one number of every cache line that an item needs; it runs for a batch of items before the
/// first of them is mapped, so that the processor fetches all of their lines at once.
pub(crate) fn prefetched_map<'a, T: Sync, R: Send>(
    items: &'a [T],
    load: impl Fn(&'a T) -> u64 + Sync + Send + 'a,
    map: impl Fn(&'a T) -> R + Sync + Send + 'a,
) -> impl IndexedParallelIterator<Item = R> + 'a {
    items.par_iter().enumerate().map(move |(number, item)| {
        if number % BATCH == 0 {
            let next = items[number..].iter().take(BATCH);
            // The sum is not used; `black_box` keeps the compiler from leaving the reads out.
            black_box(next.fold(0, |sum, item| sum ^ load(item)));
        }
        map(item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_mapped_in_its_place() {
        let items: Vec<u64> = (0..10_000).collect();
        let twice: Vec<u64> = prefetched_map(&items, |&item| item, |&item| 2 * item).collect();
        let expected: Vec<u64> = items.iter().map(|item| 2 * item).collect();
        assert_eq!(twice, expected);
    }
}
