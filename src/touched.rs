//! Going through a list whose items say where in memory the rest of them is.

use std::hint::black_box;

use rayon::prelude::*;

/// Items whose places are touched at once.
const AT_ONCE: usize = 16;

/// Maps every item, in order. What an item needs may be anywhere, and the processor would wait for one after the
/// other; so `touch` reads a number of each place, for some items together, before these are mapped.
pub(crate) fn map<'a, T: Sync, R: Send>(
    items: &'a [T],
    touch: impl Fn(&'a T) -> u64 + Sync + Send + 'a,
    mapped: impl Fn(&'a T) -> R + Sync + Send + 'a,
) -> impl IndexedParallelIterator<Item = R> + 'a {
    items.par_iter().enumerate().map(move |(number, item)| {
        if number % AT_ONCE == 0 {
            let next = items[number..].iter().take(AT_ONCE);
            black_box(next.fold(0, |touched, item| touched ^ touch(item)));
        }
        mapped(item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_mapped_in_its_place() {
        let items: Vec<u64> = (0..10_000).collect();
        let twice: Vec<u64> = map(&items, |&item| item, |&item| 2 * item).collect();
        assert!(
            twice
                .iter()
                .zip(&items)
                .all(|(&twice, &item)| twice == 2 * item)
        );
        assert_eq!(twice.len(), items.len());
    }
}
