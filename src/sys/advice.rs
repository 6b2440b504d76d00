//! Hints to the page cache. They change speed and memory, never data: a refusal is ignored, by contract.

use rustix::fs::{Advice, fadvise};
use std::num::NonZeroU64;
use std::os::fd::AsFd;

/// Says that this file will be read from front to back, so that the kernel reads further ahead.
pub(crate) fn sequential(file: impl AsFd) {
    let _ = fadvise(file, 0, None, Advice::Sequential);
}

/// Asks the kernel to forget `len_bytes` of this file from `offset` on. Only pages that are already on the disk
/// go; dirty ones stay, so a writer has to sync first. A length of 0 does nothing (the system call would take it for
/// "up to the end").
pub(crate) fn drop_cached(file: impl AsFd, offset: u64, len_bytes: u64) {
    if let Some(len) = NonZeroU64::new(len_bytes) {
        let _ = fadvise(file, offset, Some(len), Advice::DontNeed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_takes_no_advice_and_that_is_no_error() -> std::io::Result<()> {
        let (reader, _writer) = std::io::pipe()?;
        sequential(&reader);
        drop_cached(&reader, 0, 4096);
        drop_cached(&reader, 0, 0);
        Ok(())
    }
}
