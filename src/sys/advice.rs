//! Hints to the page cache. They change speed and memory, never data: a refusal is ignored, by contract.

use rustix::fs::{Advice, fadvise};
use std::os::fd::AsFd;

/// Says that this file will be read from front to back, so that the kernel reads further ahead.
pub(crate) fn sequential(file: impl AsFd) {
    let _ = fadvise(file, 0, None, Advice::Sequential);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_takes_no_advice_and_that_is_no_error() -> std::io::Result<()> {
        let (reader, _writer) = std::io::pipe()?;
        sequential(&reader);
        Ok(())
    }
}
