//! Hints to the page cache. They change speed and memory, never data: a refusal is ignored, by contract.

use rustix::fs::{Advice, fadvise};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::AsFd;

/// Says that this file will be read from front to back, so that the kernel reads further ahead.
pub(crate) fn sequential(file: impl AsFd) {
    let _ = fadvise(file, 0, None, Advice::Sequential);
}

/// Begins to write back what is dirty of this part of the file, and drops what is clean from the page cache. Where
/// it was dirty, a second call drops it, once it has been written.
pub(crate) fn drop_behind(file: impl AsFd, bytes: Range<u64>) {
    // A length of 0 would mean all that follows.
    if let Some(len) = NonZeroU64::new(bytes.end.saturating_sub(bytes.start)) {
        let _ = fadvise(file, bytes.start, Some(len), Advice::DontNeed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_takes_no_advice_and_that_is_no_error() -> std::io::Result<()> {
        let (reader, _writer) = std::io::pipe()?;
        sequential(&reader);
        drop_behind(&reader, 0..10);
        Ok(())
    }
}
