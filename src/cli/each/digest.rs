//! The digest of a batch, made while the batch is put together.

use super::job::Content;
use spillpipe::spool::Tap;

/// Listens to a batch.
#[derive(Debug, Default)]
pub(super) struct DigestTap {
    hasher: blake3::Hasher,
    bytes: u64,
}

impl DigestTap {
    /// What it has heard since the batch began.
    pub(super) fn content(&self) -> Content {
        Content { bytes: self.bytes, digest: self.hasher.finalize().to_hex().to_string() }
    }
}

impl Tap for DigestTap {
    fn restart(&mut self) {
        self.hasher.reset();
        self.bytes = 0;
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_begins_again_leaves_no_trace() {
        let mut tap = DigestTap::default();
        tap.take(b"gone");
        tap.restart();
        tap.take(b"a");
        tap.take(b"bc");
        let digest = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85".to_owned();
        assert_eq!(tap.content(), Content { bytes: 3, digest });
    }
}
