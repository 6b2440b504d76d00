//! The commands that work on a spool, a first-in first-out buffer in a directory that outlives processes.
//!
//! ```text
//!   push     input ──> intake ──> Writer ──> DIR
//!   pop                                      DIR ──> Reader ──> handout ──> output
//!   --spool  input ──> intake ──> Writer ──> DIR ──> Reader ──> handout ──> output
//! ```
//!
//! Around each stands a [`session`](super::session): messages, the answer to SIGUSR1, figures, the exit status. What they do is the
//! library's: [`spillpipe::spool`].

pub(super) mod args;
mod ending;
mod handout;
mod info;
mod intake;
mod pop;
mod push;
pub(super) mod text;
mod through;
mod upkeep;
pub(super) mod values;

pub(super) use ending::ending;
pub(super) use info::run as info;
pub(super) use pop::run as pop;
pub(super) use push::run as push;
pub(super) use through::run as through;
pub(super) use upkeep::{reader, trim};
