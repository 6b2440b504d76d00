//! spillpipe: a disk-backed pipe.

pub mod codec;
pub mod format;
pub mod pipe;
pub mod store;
pub mod units;
