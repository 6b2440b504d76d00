//! Work on one stream by several threads: jobs go in, and their results come out in the order of submission.
//!
//! ```text
//!   submit ──> jobs ──> workers ──> results ──> take, in the order of submission
//! ```
//! Bounded: a job counts from its submission until its result is taken, and so many at most are under way. With no
//! threads each job is done as it is submitted, in the caller's thread.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Most threads that a pool is asked for.
pub(crate) const THREADS_MAX: usize = 64;

/// A pool of workers that keeps the order. Dropped, it waits for the jobs that they are at; the others are not begun.
pub(crate) struct Ordered<J, R> {
    name: &'static str,
    slots: usize,
    /// Jobs submitted, and results taken, so far.
    submitted: u64,
    taken: u64,
    /// From `taken` on, as far as they are known.
    done: VecDeque<Option<Done<R>>>,
    workers: Workers<J, R>,
}

/// What came of a job.
enum Done<R> {
    Result(R),
    /// The worker panicked over it.
    Broke,
}

enum Workers<J, R> {
    /// The caller's thread.
    Here(Box<dyn FnMut(J) -> R + Send>),
    Threads {
        /// `None` once all is over.
        jobs: Option<SyncSender<(u64, J)>>,
        results: Receiver<(u64, Done<R>)>,
        /// Nobody wants a result any more.
        over: Arc<AtomicBool>,
        threads: Vec<JoinHandle<()>>,
    },
}

impl<J: Send + 'static, R: Send + 'static> Ordered<J, R> {
    /// A pool of so many threads of this name, each with a worker that `worker` makes. At most `slots` jobs are under
    /// way at a time, and never less than one.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(crate) fn new<W>(
        name: &'static str,
        threads: usize,
        slots: usize,
        mut worker: impl FnMut() -> W,
    ) -> io::Result<Self>
    where
        W: FnMut(J) -> R + Send + 'static,
    {
        let slots = slots.max(1);
        let workers =
            if threads == 0 { Workers::Here(Box::new(worker())) } else { start(name, threads, slots, worker)? };
        Ok(Self { name, slots, submitted: 0, taken: 0, done: VecDeque::new(), workers })
    }

    /// Jobs that may be under way.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Jobs that were submitted and whose results were not taken yet.
    pub(crate) fn under_way(&self) -> usize {
        usize::try_from(self.submitted - self.taken).unwrap_or(usize::MAX)
    }

    /// Whether another job may be submitted without a result being taken before.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way() < self.slots
    }

    /// Submits a job. Never waits for another one.
    ///
    /// # Panics
    /// Unless it [has room](Self::has_room).
    pub(crate) fn submit(&mut self, job: J) {
        assert!(self.has_room(), "{} jobs are under way", self.slots);
        let index = self.submitted;
        self.submitted += 1;
        match &mut self.workers {
            Workers::Here(worker) => {
                let done = attempt(worker, job);
                self.enter(index, done);
            }
            // They end only when the sender is dropped.
            Workers::Threads { jobs, .. } => drop(jobs.as_ref().map(|jobs| jobs.send((index, job)))),
        }
    }

    /// The result of the oldest job under way, if it is there; with `wait`, when it is. `None`: it is not, or nothing is
    /// under way.
    ///
    /// # Errors
    /// When the worker panicked over that job: a defect. It is the same then each time.
    pub(crate) fn take(&mut self, wait: bool) -> io::Result<Option<R>> {
        loop {
            match self.done.pop_front() {
                Some(Some(Done::Result(result))) => {
                    self.taken += 1;
                    return Ok(Some(result));
                }
                Some(Some(Done::Broke)) => {
                    self.done.push_front(Some(Done::Broke));
                    return Err(self.broke());
                }
                Some(None) => self.done.push_front(None),
                None => {}
            }
            if self.under_way() == 0 {
                return Ok(None);
            }
            let Workers::Threads { results, .. } = &self.workers else { return Err(self.broke()) };
            let (index, done) = match if wait { results.recv().map_err(Into::into) } else { results.try_recv() } {
                Ok(result) => result,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(self.broke()),
            };
            self.enter(index, done);
        }
    }

    fn enter(&mut self, index: u64, done: Done<R>) {
        let place = usize::try_from(index - self.taken).unwrap_or(usize::MAX);
        while self.done.len() <= place {
            self.done.push_back(None);
        }
        self.done[place] = Some(done);
    }

    fn broke(&self) -> io::Error {
        io::Error::other(format!("a worker ({}) broke: this is a defect, please report it", self.name))
    }
}

impl<J, R> Drop for Ordered<J, R> {
    fn drop(&mut self) {
        if let Workers::Threads { jobs, over, threads, .. } = &mut self.workers {
            over.store(true, SeqCst);
            drop(jobs.take());
            for thread in threads.drain(..) {
                let _ = thread.join();
            }
        }
    }
}

impl<J, R> fmt::Debug for Ordered<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, slots, submitted, taken, .. } = self;
        f.debug_struct("Ordered")
            .field("name", name)
            .field("slots", slots)
            .field("submitted", submitted)
            .field("taken", taken)
            .finish_non_exhaustive()
    }
}

fn start<J: Send + 'static, R: Send + 'static, W: FnMut(J) -> R + Send + 'static>(
    name: &'static str,
    count: usize,
    slots: usize,
    mut worker: impl FnMut() -> W,
) -> io::Result<Workers<J, R>> {
    // Neither ever holds more than is under way, so nobody waits for room in them.
    let (jobs, queue) = sync_channel::<(u64, J)>(slots);
    let (sender, results) = sync_channel(slots);
    let (queue, over) = (Arc::new(Mutex::new(queue)), Arc::<AtomicBool>::default());
    let mut threads = Vec::new();
    for _ in 0..count {
        let (queue, over) = (Arc::clone(&queue), Arc::clone(&over));
        let (sender, mut worker) = (sender.clone(), worker());
        let run = move || {
            loop {
                let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((index, job)) = job else { return };
                if over.load(SeqCst) {
                    return;
                }
                if sender.send((index, attempt(&mut worker, job))).is_err() {
                    return;
                }
            }
        };
        threads.push(Builder::new().name(name.to_owned()).spawn(run)?);
    }
    Ok(Workers::Threads { jobs: Some(jobs), results, over, threads })
}

/// What becomes of a worker that panics is of no matter: whoever takes its result is over then.
fn attempt<J, R>(worker: &mut (impl FnMut(J) -> R + ?Sized), job: J) -> Done<R> {
    catch_unwind(AssertUnwindSafe(|| worker(job))).map_or(Done::Broke, Done::Result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    const THREADS: [usize; 4] = [0, 1, 2, 4];

    #[test]
    fn results_come_in_the_order_of_submission_however_long_each_takes() {
        for threads in THREADS {
            let work = || |n: u64| (std::thread::sleep(Duration::from_micros(n * 7919 % 500)), n).1;
            let mut pool = Ordered::new("test", threads, 5, work).unwrap();
            let mut got = vec![];
            for n in 0..100 {
                while !pool.has_room() {
                    got.extend(pool.take(true).unwrap());
                }
                pool.submit(n);
            }
            while let Some(result) = pool.take(true).unwrap() {
                got.push(result);
            }
            assert_eq!(got, (0..100).collect::<Vec<_>>(), "{threads} threads");
            assert_eq!((pool.under_way(), pool.has_room()), (0, true));
        }
    }

    #[test]
    fn no_more_is_under_way_than_there_are_slots() {
        for threads in THREADS {
            let mut pool = Ordered::new("test", threads, 3, || |n: u8| n).unwrap();
            for n in 0..3 {
                assert!(pool.has_room());
                pool.submit(n);
            }
            assert_eq!((pool.has_room(), pool.under_way(), pool.slots()), (false, 3, 3));
            let submitted = catch_unwind(AssertUnwindSafe(|| pool.submit(3)));
            assert!(submitted.is_err(), "{threads} threads");
            assert_eq!(pool.take(true).unwrap(), Some(0));
            assert!(pool.has_room());
        }
    }

    #[test]
    fn who_does_not_wait_is_told_that_nothing_is_there_yet() {
        let gate = Arc::new(Mutex::new(()));
        let shut = gate.lock().unwrap();
        let mut pool = Ordered::new("test", 2, 4, || {
            let gate = Arc::clone(&gate);
            move |n: u8| {
                if n == 0 {
                    drop(gate.lock());
                }
                n
            }
        })
        .unwrap();
        assert_eq!(pool.take(true).unwrap(), None, "nothing is under way");
        pool.submit(0);
        pool.submit(1);
        assert_eq!(pool.take(false).unwrap(), None, "not before the first, whatever the second does");
        drop(shut);
        assert_eq!((pool.take(true).unwrap(), pool.take(true).unwrap()), (Some(0), Some(1)));
    }

    #[test]
    fn each_thread_has_a_worker_of_its_own_which_keeps_its_state() {
        for threads in THREADS {
            let made = Arc::new(AtomicUsize::new(0));
            let mut pool = Ordered::new("test", threads, 8, || {
                made.fetch_add(1, SeqCst);
                let mut count = 0_usize;
                move |()| (count += 1, count).1
            })
            .unwrap();
            assert_eq!(made.load(SeqCst), threads.max(1));
            (0..8).for_each(|_| pool.submit(()));
            let counts: Vec<_> = (0..8).map(|_| pool.take(true).unwrap().unwrap()).collect();
            assert!(counts.iter().max().unwrap() >= &(8 / threads.max(1)), "{counts:?}");
        }
    }

    #[test]
    fn a_panic_is_an_error_in_its_place_and_stays_one() {
        for threads in THREADS {
            let mut pool = Ordered::new("test", threads, 4, || |n: u8| [10, 11][usize::from(n)]).unwrap();
            for n in [0, 1, 2, 0] {
                pool.submit(n);
            }
            assert_eq!((pool.take(true).unwrap(), pool.take(true).unwrap()), (Some(10), Some(11)), "before it");
            for _ in 0..3 {
                let error = pool.take(true).expect_err("it broke").to_string();
                assert_eq!(error, "a worker (test) broke: this is a defect, please report it");
            }
        }
    }

    #[test]
    fn dropping_it_waits_for_the_job_under_way_begins_no_other_and_leaves_no_thread() {
        let (tell, started) = sync_channel(4);
        let (open, gate) = sync_channel::<()>(0);
        let (gate, finished) = (Arc::new(Mutex::new(gate)), Arc::new(AtomicUsize::new(0)));
        let mut pool = Ordered::new("test", 1, 4, || {
            let (tell, gate, finished) = (tell.clone(), Arc::clone(&gate), Arc::clone(&finished));
            move |()| {
                tell.send(()).unwrap();
                let _ = gate.lock().unwrap().recv();
                finished.fetch_add(1, SeqCst)
            }
        })
        .unwrap();
        (0..4).for_each(|_| pool.submit(()));
        started.recv().unwrap();
        let Workers::Threads { over, .. } = &pool.workers else { panic!("it has a thread") };
        let over = Arc::clone(over);
        let dropped = Builder::new().spawn(move || drop(pool)).unwrap();
        while !over.load(SeqCst) {
            std::thread::yield_now();
        }
        assert_eq!(finished.load(SeqCst), 0, "it waits");
        drop(open);
        dropped.join().unwrap();
        assert_eq!((finished.load(SeqCst), Arc::strong_count(&finished)), (1, 1));
    }
}
