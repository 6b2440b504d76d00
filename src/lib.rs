//! spillpipe: a disk-backed pipe.

pub mod codec;
pub mod format;
pub mod pipe;
pub mod ring;
pub mod segment;
pub mod store;
mod sync;
mod sys;
pub mod units;
