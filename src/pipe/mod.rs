//! The filter engine.

mod event;
mod meter;
mod options;

pub use event::{Error, Event, FullReason};
pub use meter::{Meter, Snapshot};
pub use options::{
    CHUNKS_IN_MEMORY_MIN, Headroom, MEMORY_BYTES_MIN, Options, OptionsError, SpillOptions, THREADS_MAX, WhenFull,
};

use crate::store::Store;
use std::os::fd::AsFd;
use std::sync::Arc;

type OnEvent = Box<dyn Fn(Event) + Send + Sync>;
type Tap = Box<dyn FnMut(&[u8]) + Send>;

/// A disk-backed pipe.
pub struct Pipe {
    options: Options,
    store: Option<Box<dyn Store>>,
    meter: Arc<Meter>,
    on_event: OnEvent,
    tap: Option<Tap>,
}

impl Pipe {
    /// A pipe with these options.
    ///
    /// # Errors
    /// [`OptionsError`] when one is out of bounds.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        Ok(Self { options, store: None, meter: Arc::default(), on_event: Box::new(|_| {}), tap: None })
    }

    /// Spills to `store` in place of nameless files in the directory of the options.
    #[must_use]
    pub fn store(mut self, store: Box<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Calls `f` with every event, from the engine's threads: it should not take long.
    #[must_use]
    pub fn on_event(mut self, f: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.on_event = Box::new(f);
        self
    }

    /// Calls `f` with exactly the bytes that have been handed out, in order, after they were.
    #[must_use]
    pub fn tap(mut self, f: impl FnMut(&[u8]) + Send + 'static) -> Self {
        self.tap = Some(Box::new(f));
        self
    }

    /// The figures, to be read at any time.
    #[must_use]
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Moves all of `input` to `output`, and returns when the last byte has been handed out.
    ///
    /// # Errors
    /// [`Error`], the root cause.
    pub fn run(self, input: impl AsFd, output: impl AsFd) -> Result<Snapshot, Error> {
        let _ = (&self.options, &self.store, &self.on_event, &self.tap, input, output);
        unimplemented!("placeholder while the engine is being written; replaced before landing")
    }
}
