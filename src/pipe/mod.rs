//! The filter engine: takes in as fast as the producer writes, hands out as fast as the consumer reads, keeps the
//! difference, in order.
//!
//! ```text
//!         ┌──────────── bypass [nothing buffered]: splice ───────────────────────┐
//!  input ─┴> intake ─┬─ [ring empty, window has room] ──────────────> window ─> outflow ─> output
//!                   └─> encode xN ─> ring (memory, then disk) ─> decode xN ──┘
//!                                     spill ↓   ↑ fetch
//!                                         segments
//! ```
//! Three rules make it first in, first out. *Intake*: while the ring is empty and the window has room, a chunk goes to
//! the window, else to the ring; once anything is in the ring or on its way there, everything goes there until it is
//! empty. *Refill*: when the window has room and the ring is not empty, the ring's oldest chunk is decoded into the
//! window, ahead of need. *Outflow* writes the window's head.
//!
//! | file | |
//! |---|---|
//! | `state` | where every chunk is and what may happen next; no threads |
//! | `monitor` | the lock around it, and the waiting |
//! | `ends` | the two descriptors |
//! | `bypass` | straight from one to the other |
//! | `intake`, `workers`, `disk`, `outflow` | the stages, a thread each |
//! | `bounds` | how the memory is shared out among them |
//!
//! What it does not do: print, look at arguments, or decide what is worth telling ([`Event`] and [`Meter`] tell the
//! caller, who does).

mod bounds;
mod bypass;
#[cfg(all(test, shuttle))]
mod checked;
mod disk;
mod ends;
mod event;
mod intake;
mod meter;
#[cfg(test)]
mod model;
mod monitor;
mod options;
mod outflow;
mod pacer;
mod state;
mod workers;

pub use crate::ring::{FullReason, Headroom, WhenFull};
pub use event::{Error, Event};
pub use meter::{Meter, Snapshot};
pub use options::{CHUNKS_IN_MEMORY_MIN, MEMORY_BYTES_MIN, Options, OptionsError, SpillOptions, THREADS_MAX};

use crate::codec::Policy;
use crate::ring::{DiskLimits, Pool};
use crate::store::{DiskStore, Store};
use crate::sync::{self, Scope};
use crate::sys::limits::raise_open_files;
use crate::sys::poll::Stop;
use bounds::Bounds;
use disk::Disk;
use ends::{Descriptors, Ends};
use intake::Intake;
use monitor::Monitor;
use outflow::Outflow;
use pacer::Pacer;
use state::State;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

type OnEvent = Box<dyn Fn(Event) + Send + Sync>;
type Tap = Box<dyn FnMut(&[u8]) + Send>;

/// Descriptors that are left to everything but segments.
const OTHER_DESCRIPTORS: u64 = 32;
/// Most segment files open at once, however many the system would allow.
const SEGMENTS_MAX: u64 = 1 << 16;

/// A disk-backed pipe, ready to run.
///
/// ```
/// use std::io::{Read, Write};
/// let (input, mut producer) = std::io::pipe()?;
/// let (mut consumer, output) = std::io::pipe()?;
/// let pipe = spillpipe::pipe::Pipe::new(spillpipe::pipe::Options::default())?;
/// producer.write_all(b"as fast as you can")?;
/// drop(producer);
/// let figures = pipe.run(&input, &output)?;
/// drop(output);
/// let mut text = String::new();
/// consumer.read_to_string(&mut text)?;
/// assert_eq!((text.as_str(), figures.bytes_out), ("as fast as you can", 18));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pipe {
    options: Options,
    bounds: Bounds,
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
        let bounds = Bounds::new(&options)?;
        Ok(Self { options, bounds, store: None, meter: Arc::default(), on_event: Box::new(|_| {}), tap: None })
    }

    /// Raw bytes a chunk: as asked for, or as much as the memory allows.
    #[must_use]
    pub fn chunk_bytes(&self) -> usize {
        self.bounds.chunk_bytes
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
    /// The flags of neither are changed: both may be shared with other processes. A process that has a limit on the size
    /// of files and no handler for SIGXFSZ dies of it, as of any write.
    ///
    /// # Errors
    /// [`Error`]: the first cause. What had been handed out by then is a prefix of the input, every byte verified.
    pub fn run(self, input: impl AsFd, output: impl AsFd) -> Result<Snapshot, Error> {
        let Self { options, bounds, store, meter, on_event, tap } = self;
        meter.start();
        let dir = options.spill.dir.as_path();
        let cannot_use = |source| Error::Spill { doing: "spill to", dir: dir.to_owned(), source };
        let (store, tmpfs) = if let Some(store) = store {
            (store, false)
        } else {
            let store = DiskStore::nameless(dir).map_err(cannot_use)?;
            let tmpfs = store.is_tmpfs().map_err(cannot_use)?;
            (Box::new(store) as Box<dyn Store>, tmpfs)
        };
        let pool = Pool::new(bounds.buffer_bytes, bounds.buffers);
        let state = State::new(
            bounds,
            Arc::clone(&pool),
            Policy::new(options.codec, bounds.chunk_bytes),
            options.spill.when_full,
        );
        let monitor = &Monitor::new(state, pool, Arc::clone(&meter), Stop::new().map_err(Error::Start)?);
        // What is to be seen, or held back, cannot pass by unseen.
        let ends = &Descriptors::new(input.as_fd(), output.as_fd())?;
        let bypass = options.splice && tap.is_none() && options.write_rate.is_none() && ends.may_splice();
        let intake = Intake {
            monitor,
            ends,
            pacer: Pacer::new(options.read_rate),
            bypass,
            chunk_bytes: bounds.chunk_bytes,
            store: &*store,
            dir,
            on_event: &on_event,
        };
        let outflow = Outflow { monitor, ends, pacer: Pacer::new(options.write_rate), tap };
        let limits = DiskLimits {
            max_disk_bytes: options.spill.max_disk_bytes,
            min_free: options.spill.min_free,
            segments_max: segments_max(),
        };
        let (store, on_event) = (&*store, &on_event);
        let disk = Disk { monitor, store, dir, tmpfs, limits, chunk_bytes: bounds.chunk_bytes, on_event };
        run_stages(bounds.threads, intake, outflow, disk);
        // The last buffers came back after the last step.
        monitor.update(|_| ());
        match monitor.take_error() {
            Some(error) => Err(error),
            None => Ok(meter.snapshot()),
        }
    }
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipe").field("options", &self.options).field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

/// The whole topology. Returns when every stage has ended.
fn run_stages(threads: usize, intake: Intake<'_>, outflow: Outflow<'_>, disk: Disk<'_>) {
    let (monitor, dir) = (intake.monitor, intake.dir);
    sync::scope(|scope| {
        let spawn = |name, stage| spawn(scope, monitor, name, stage);
        for _ in 0..threads {
            spawn(
                "encode",
                Box::new(|| {
                    workers::encode(monitor);
                    Ok(())
                }),
            );
            spawn("decode", Box::new(|| workers::decode(monitor, dir)));
        }
        spawn("spill", Box::new(move || disk.spill()));
        spawn("fetch", Box::new(move || disk.fetch()));
        spawn("outflow", Box::new(|| outflow.run()));
        spawn("intake", Box::new(|| intake.run()));
    });
}

type Stage<'scope> = Box<dyn FnOnce() -> Result<(), Error> + Send + 'scope>;

/// Starts a stage. Its error, its panic, or that it cannot be started, ends the pipe.
fn spawn<'scope>(scope: &'scope Scope<'scope, '_>, monitor: &'scope Monitor, name: &'static str, stage: Stage<'scope>) {
    let body = move || {
        // What a stage that panicked leaves behind is looked at by nobody: the others are told to end.
        let outcome = catch_unwind(AssertUnwindSafe(stage)).unwrap_or(Err(Error::Defect { stage: name }));
        if let Err(error) = outcome {
            monitor.fail(error);
        }
    };
    if let Err(error) = sync::spawn(scope, name, body) {
        monitor.fail(Error::Start(error));
    }
}

fn segments_max() -> usize {
    let open_files = raise_open_files().saturating_sub(OTHER_DESCRIPTORS).clamp(8, SEGMENTS_MAX);
    // A segment that is being written is open twice.
    usize::try_from(open_files).unwrap_or(usize::MAX) - 1
}
