//! Work on a row of items in several threads, results in the row's order. What is held in memory is one batch, so the
//! caller bounds memory by the size of its batches.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
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

/// Does `work` on each item in several threads, of which together no more than `budget` of `weight` is under way; an item
/// over the budget is done alone. `each` gets the results in the row's order. The first error ends it.
pub(crate) fn within_budget<I: Sync, T: Send, E: Send>(
    items: &[I],
    budget: u64,
    weight: impl Fn(&I) -> u64 + Sync,
    work: impl Fn(&I) -> Result<T, E> + Sync,
    mut each: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let queue = Queue { taken: Mutex::new(Taken::default()), freed: Condvar::new(), budget };
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads().clamp(1, items.len().max(1)) {
            let (sender, queue, weight, work) = (sender.clone(), &queue, &weight, &work);
            scope.spawn(move || {
                while let Some(index) = queue.take(items, weight) {
                    let _back = GiveBack { queue, weight: weight(&items[index]) };
                    if sender.send((index, work(&items[index]))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut early, mut next) = (BTreeMap::new(), 0);
        let mut drain = || {
            for (index, result) in &results {
                early.insert(index, result?);
                while let Some(result) = early.remove(&next) {
                    each(result)?;
                    next += 1;
                }
            }
            Ok(())
        };
        let drained = drain();
        if drained.is_err() {
            queue.stop();
        }
        drained
    })
}

/// What is to be done next, and how much is under way.
struct Queue {
    taken: Mutex<Taken>,
    freed: Condvar,
    budget: u64,
}

#[derive(Default)]
struct Taken {
    next: usize,
    weight: u64,
    stopped: bool,
}

/// Gives an item's weight back, also when its work panics.
struct GiveBack<'a> {
    queue: &'a Queue,
    weight: u64,
}

impl Queue {
    fn take<I>(&self, items: &[I], weight: impl Fn(&I) -> u64) -> Option<usize> {
        let mut taken = self.lock();
        loop {
            let item = items.get(taken.next).filter(|_| !taken.stopped)?;
            let weight = weight(item);
            if taken.weight == 0 || taken.weight.saturating_add(weight) <= self.budget {
                taken.weight = taken.weight.saturating_add(weight);
                taken.next += 1;
                return Some(taken.next - 1);
            }
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.freed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it holds the lock.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        let mut taken = self.queue.lock();
        taken.weight = taken.weight.saturating_sub(self.weight);
        drop(taken);
        self.queue.freed.notify_all();
    }
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
    fn a_budget_bounds_what_is_under_way_and_order_is_kept() {
        let items: Vec<u64> = (0..200).map(|n| n % 7 + 1).collect();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |weight: &u64| {
            let under_way = now.fetch_add(*weight as usize, Ordering::SeqCst) + *weight as usize;
            most.fetch_max(under_way, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(*weight as usize, Ordering::SeqCst);
            Ok::<_, u64>(*weight)
        };
        let mut done = Vec::new();
        let collect = |weight| {
            done.push(weight);
            Ok(())
        };
        within_budget(&items, 8, |weight| *weight, work, collect).unwrap();
        assert_eq!(done, items);
        assert!(most.load(Ordering::SeqCst) <= 8);
        // Over the budget: alone.
        within_budget(&[100_u64], 8, |weight| *weight, |_| Ok::<_, u64>(()), |()| Ok(())).unwrap();
        let failed = |weight: &u64| if *weight == 5 { Err(*weight) } else { Ok(()) };
        assert_eq!(within_budget(&items, 8, |weight| *weight, failed, |()| Ok(())), Err(5));
        assert_eq!(within_budget(&items, 8, |weight| *weight, |_| Ok(()), |()| Err(9)), Err(9));
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
