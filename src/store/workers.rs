//! Work on many tables at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::StoreError;

/// What becomes of each item, in order; the work ends at the first error. The threads are not those of the pool: there, a table
/// that waits for the threads that decode it would begin the next table on the same stack, and that one the next.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, StoreError> + Sync,
) -> Result<Vec<R>, StoreError> {
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<(usize, R)>, StoreError> {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else {
                return Ok(done);
            };
            match work(item) {
                Ok(result) => done.push((at, result)),
                Err(error) => {
                    next.store(items.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    let done = std::thread::scope(|scope| {
        let count = rayon::current_num_threads().min(items.len());
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(worker)).collect();
        let results = workers.into_iter().map(|worker| {
            let result = worker.join();
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        results.collect::<Result<Vec<_>, StoreError>>()
    })?;
    let mut done: Vec<(usize, R)> = done.into_iter().flatten().collect();
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn any_number_of_items_that_use_the_pool_is_done_in_order() {
        let items: Vec<u64> = (0..20_000).collect();
        let sum = |&item: &u64| Ok((0..item % 64).into_par_iter().sum::<u64>() + item);
        let done = each(&items, sum).unwrap();
        let of = |item: u64| (0..item % 64).sum::<u64>() + item;
        assert_eq!(done, (0..20_000).map(of).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_the_work() {
        let items: Vec<u64> = (0..1_000).collect();
        let fails = |&item: &u64| match item {
            7 => Err(StoreError::None(PathBuf::new())),
            item => Ok(item),
        };
        assert!(matches!(each(&items, fails), Err(StoreError::None(_))));
        assert!(each(&[], fails).unwrap().is_empty());
    }
}
