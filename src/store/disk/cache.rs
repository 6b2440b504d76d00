//! Keeps the spill from filling the page cache: carries out what [`plan`](super::plan) says.
//!
//! Of three designs this is the one in the store. *In the engine* it would be known exactly what is read next, but the
//! engine would have to speak of files and ranges to a store that may have neither. *In the kernel* (`RWF_DONTCACHE`,
//! Linux 6.14) it would take one flag, but that writes back at once, also what a consumer takes a moment later, and on
//! older kernels nothing would happen. The store sees every byte that is written and read: that is all the plan needs,
//! and nobody above has to know.
//!
//! Only for nameless files, which this process alone reads, once. A file with a name may be in use by others.
//!
//! The calls are made by the thread that has just written or read, after the plan's lock. On tmpfs and the like the
//! kernel ignores them.

use super::plan::{Plan, Steps};
use crate::store::SegmentName;
use crate::sys::advice;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What the files of a store share. A file is held weakly: its space comes back when it is removed.
#[derive(Debug)]
pub(super) struct Cache {
    plan: Mutex<Plan<Weak<File>>>,
    epoch: Instant,
}

impl Cache {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { plan: Mutex::default(), epoch: Instant::now() })
    }

    pub(super) fn created(&self, name: SegmentName, file: &Arc<File>) {
        self.plan().created(name, Arc::downgrade(file));
    }

    pub(super) fn removed(&self, name: SegmentName) {
        self.plan().removed(name);
    }

    pub(super) fn wrote(&self, name: SegmentName, bytes: u64) {
        let steps = self.plan().wrote(name, bytes, self.elapsed());
        self.take(&steps);
    }

    pub(super) fn read(&self, name: SegmentName, end_byte: u64) {
        let steps = self.plan().read(name, end_byte, self.elapsed());
        self.take(&steps);
    }

    /// A sweep, if one is due; and in how long it is worth trying again, if it is.
    pub(super) fn sweep(&self) -> Option<Duration> {
        let (steps, again) = self.plan().sweep(self.elapsed());
        self.take(&steps);
        again
    }

    fn take(&self, steps: &Steps<Weak<File>>) {
        for step in &steps.advice {
            let Some(file) = step.file.upgrade() else { continue };
            advice::drop_behind(&*file, step.bytes.clone());
        }
        if steps.sweeps {
            self.plan().swept(self.elapsed());
        }
    }

    fn elapsed(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// A thread that panicked meanwhile may leave distances that are off: that costs time, not data.
    fn plan(&self) -> MutexGuard<'_, Plan<Weak<File>>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file's part in it.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    pub(super) cache: Arc<Cache>,
    pub(super) name: SegmentName,
}
