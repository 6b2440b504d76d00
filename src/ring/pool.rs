//! The one pool of buffers that all buffered data lives in.
//!
//! A fixed number of buffers of one size: what they add up to is the memory budget. Every stage has a named share
//! of them (see `pipe::bounds`), the shares add up to the pool, and so a stage that keeps to its share never finds
//! the pool empty and no stage can starve another. A buffer is allocated when it is first needed and then
//! goes round until the end: nothing is allocated a chunk.

use crate::sync::{Mutex, lock};
use std::fmt;
use std::sync::Arc;

/// Buffers to lend.
pub struct Pool {
    buffer_bytes: usize,
    buffers_max: usize,
    shelf: Mutex<Lent>,
}

#[derive(Default)]
struct Lent {
    free: Vec<Box<[u8]>>,
    out: usize,
}

impl Pool {
    /// A pool of at most `buffers_max` buffers of `buffer_bytes` each.
    #[must_use]
    pub fn new(buffer_bytes: usize, buffers_max: usize) -> Arc<Self> {
        Arc::new(Self { buffer_bytes, buffers_max, shelf: Mutex::default() })
    }

    /// Lends an empty buffer.
    ///
    /// # Panics
    /// When all are out: some stage took more than its share.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Buffer {
        let mut lent = lock(&self.shelf);
        lent.out += 1;
        assert!(lent.out <= self.buffers_max, "the stages' shares add up to the pool");
        let free = lent.free.pop();
        drop(lent);
        let bytes = free.unwrap_or_else(|| vec![0; self.buffer_bytes].into_boxed_slice());
        Buffer { bytes, len: 0, pool: Arc::clone(self) }
    }

    /// Bytes a buffer.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Bytes of the buffers that are lent.
    #[must_use]
    pub fn bytes_out(&self) -> usize {
        lock(&self.shelf).out * self.buffer_bytes
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, max) = (self.buffer_bytes, self.buffers_max);
        f.debug_struct("Pool").field("buffer_bytes", &bytes).field("buffers_max", &max).finish_non_exhaustive()
    }
}

/// A buffer on loan, filled from the front; it goes back to its pool when dropped.
pub struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
    pool: Arc<Pool>,
}

impl Buffer {
    /// The bytes filled so far.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The same bytes, to be changed.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// How many bytes are filled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is filled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that still fit.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.bytes.len() - self.len
    }

    /// The room behind the filled bytes.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.len..]
    }

    /// Declares `n` bytes of the room filled.
    ///
    /// # Panics
    /// When there is less room.
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.spare(), "cannot fill more than there is room for");
        self.len += n;
    }

    /// Copies `bytes` behind the filled ones.
    ///
    /// # Panics
    /// When they do not fit.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.spare_mut()[..bytes.len()].copy_from_slice(bytes);
        self.advance(bytes.len());
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut lent = lock(&self.pool.shelf);
        lent.out -= 1;
        lent.free.push(bytes);
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} of {})", self.len, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_lent_again_empty() {
        let pool = Pool::new(8, 1);
        for _ in 0..3 {
            let mut buffer = pool.take();
            assert!(buffer.is_empty());
            buffer.extend(b"abc");
            assert_eq!((buffer.filled(), buffer.spare(), pool.bytes_out()), (&b"abc"[..], 5, 8));
        }
        assert_eq!(pool.bytes_out(), 0);
    }

    #[test]
    #[should_panic(expected = "shares add up")]
    fn taking_more_than_the_pool_holds_is_a_defect() {
        let pool = Pool::new(8, 1);
        let _held = pool.take();
        let _more = pool.take();
    }
}
