//! Work on a row of items in several threads, results in the row's order. What is held in memory is one batch, so the
//! caller bounds memory by the size of its batches.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// More threads than this only add memory: each holds a piece and a compressor.
const THREADS_MAX: usize = 8;

/// Threads to use on this machine.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// Does `work` on each item, with a state of its own per thread. The first error in the row's order is returned.
pub(crate) fn in_order<I: Sync, T: Send, E: Send, S>(
    items: &[I],
    threads: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let run = || {
        let (mut state, mut done) = (state(), Vec::new());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(&mut state, item)));
        }
    };
    let mut results: Vec<(usize, Result<T, E>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, items.len().max(1))).map(|_| scope.spawn(run)).collect();
        let joined =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Cuts a row into batches of at most `weight_max` and `count_max`, at least one item each.
pub(crate) fn batches<I>(
    items: &[I],
    weight: impl Fn(&I) -> u64,
    weight_max: u64,
    count_max: usize,
) -> impl Iterator<Item = &[I]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let (mut count, mut sum) = (1, weight(first));
        for item in &rest[1..] {
            sum += weight(item);
            if sum > weight_max || count >= count_max {
                break;
            }
            count += 1;
        }
        let (batch, later) = rest.split_at(count);
        rest = later;
        Some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_the_first_error_wins() {
        let items: Vec<u32> = (0..1000).collect();
        let doubled = in_order(&items, 4, || (), |(), n| Ok::<_, u32>(n * 2)).unwrap();
        assert_eq!(doubled, items.iter().map(|n| n * 2).collect::<Vec<_>>());
        let failed = in_order(&items, 4, || (), |(), n| if *n % 300 == 299 { Err(*n) } else { Ok(()) });
        assert_eq!(failed, Err(299));
        assert_eq!(in_order(&[], 4, || (), |(), _: &u32| Ok::<(), ()>(())), Ok(vec![]));
    }

    #[test]
    fn batches_are_bounded() {
        let sizes = |batches: Vec<&[u64]>| batches.iter().map(|batch| batch.len()).collect::<Vec<_>>();
        let of = |items: &[u64], max, count| sizes(batches(items, |n| *n, max, count).collect());
        assert_eq!(of(&[4, 4, 4, 4], 9, 10), [2, 2]);
        assert_eq!(of(&[20, 1, 1], 9, 10), [1, 2]);
        assert_eq!(of(&[0; 5], 9, 2), [2, 2, 1]);
        assert_eq!(of(&[], 9, 2), Vec::<usize>::new());
    }
}
