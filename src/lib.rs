//! A disk-backed pipe: between a fast producer and a slow consumer it takes data at full speed and keeps on disk only
//! the difference between the two, compressed, in checksummed segments that vanish as they drain.
//!
//! ```
//! use spillpipe::pipe::{Options, Pipe};
//! use std::io::{Read, Write};
//!
//! let (input, mut producer) = std::io::pipe()?;
//! let (mut consumer, output) = std::io::pipe()?;
//! let pipe = Pipe::new(Options::default())?;
//! let engine = std::thread::spawn(move || pipe.run(input, output));
//!
//! // More than the pipes of the kernel hold, and nobody reads yet: the producer does not wait.
//! producer.write_all(&[7; 10 << 20])?;
//! drop(producer);
//!
//! let mut data = Vec::new();
//! consumer.read_to_end(&mut data)?;
//! assert_eq!(data, [7; 10 << 20]);
//! assert_eq!(engine.join().expect("no panic")?.bytes_out, 10 << 20);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`copy`](mod@copy) | from one descriptor to another inside the kernel, nothing kept: [`copy()`] |
//! | [`pipe`] | the filter engine: from one descriptor to another |
//! | [`spool`] | the persistent stream in a directory, between processes that need not live at the same time: [`Spool`] |
//! | [`archive`] | one file that holds a stream: written, read by ranges, verified, merged, split, salvaged |
//! | [`ring`] | encoded chunks in order, in memory first and then on disk |
//! | [`segment`] | one segment, written and read record by record |
//! | [`store`] | where segments live: a directory, memory, a simulated faulty disk |
//! | [`codec`] | the codecs, and the policy that picks one |
//! | [`format`](mod@format) | the bytes; docs/format.md is the normative text |
//! | [`units`] | sizes as people write them |
//!
//! What it does not do: encrypt, replicate, or run anywhere but on Linux. The filter keeps nothing across processes: a
//! spill lives and dies with its process. A [`spool`] does.

pub mod archive;
pub mod codec;
pub mod copy;
pub mod format;
pub mod pipe;
pub mod ring;
pub mod segment;
pub mod spool;
pub mod store;
mod sync;
mod sys;
pub mod units;

pub use copy::copy;
pub use spool::Spool;
