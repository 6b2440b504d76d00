//! spillpipe: a disk-backed pipe.

pub mod codec;
pub mod format;
pub mod pipe;
pub mod segment;
pub mod store;
