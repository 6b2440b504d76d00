//! A stretch of a source in memory, which moves on. A stream can be read through it, too, as long as nothing in front of
//! the stretch is asked for again.

use super::Source;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Bytes that a read takes along.
const AHEAD_BYTES: usize = 128 << 10;
/// And where most of what follows is passed over.
const AHEAD_BYTES_SPARSE: usize = 4 << 10;

/// Is told of every read: how many bytes it was. Its error ends whatever reads.
///
/// ```
/// use spillpipe::archive::Source;
/// use spillpipe::archive::salvage::{Error, Input, Options, Plain, Progress, salvage};
/// let progress = Progress::new(|bytes| Err(std::io::Error::other(format!("{bytes} are enough"))));
/// let options = Options { progress, ..Options::default() };
/// let input = Input::Source(Source::bytes("example", vec![0; 1000]));
/// let error = salvage(vec![input], &options, &mut Plain(Vec::new())).unwrap_err();
/// assert_eq!(error.to_string(), "cannot read example: 1000 are enough");
/// ```
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Told>>);

type Told = dyn Fn(u64) -> io::Result<()> + Send + Sync;

impl Progress {
    /// Calls this with the number of bytes of each read.
    #[must_use]
    pub fn new(told: impl Fn(u64) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}

#[derive(Debug)]
pub(super) struct Window {
    source: Source,
    /// The first `filled` bytes are those of the source from `at` on.
    bytes: Vec<u8>,
    filled: usize,
    at: u64,
    /// What is wanted again: of a stream it stays from here on.
    hold: u64,
    /// Where the source ends, once that is known.
    end: Option<u64>,
    ahead_bytes: usize,
    progress: Progress,
}

impl Window {
    /// From the start of a source; `sparse` as for [`Window::read_ahead`].
    pub(super) fn new(source: Source, sparse: bool) -> Self {
        let end = source.len();
        let (bytes, progress) = (Vec::new(), Progress::default());
        let mut window = Self { source, bytes, filled: 0, at: 0, hold: 0, end, ahead_bytes: 0, progress };
        window.read_ahead(sparse);
        window
    }

    /// From now on, with `sparse`, little more than what is asked for is read, where a source can be read anywhere.
    pub(super) fn read_ahead(&mut self, sparse: bool) {
        self.ahead_bytes = if sparse && !self.source.is_stream() { AHEAD_BYTES_SPARSE } else { AHEAD_BYTES };
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) fn into_source(self) -> Source {
        self.source
    }

    /// Reads that follow are told to this.
    pub(super) fn tell(&mut self, progress: &Progress) {
        self.progress = progress.clone();
    }

    /// Says that what is in front of `at` is not asked for again.
    pub(super) fn hold(&mut self, at: u64) {
        self.hold = at;
    }

    /// Where the source ends, if that is known yet: of a stream, once more was asked for than it has.
    pub(super) fn end(&self) -> Option<u64> {
        self.end
    }

    /// The `len` bytes from `at` on, or as many as there are.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn get(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        if self.source.is_mapped() {
            return self.source.peek(at, len);
        }
        self.load(at, len, self.ahead_bytes)?;
        let have = self.filled_from(at);
        let start = self.filled - have;
        Ok(&self.bytes[start..start + have.min(len)])
    }

    /// The bytes from `at` on that are in memory anyway: `least`, if there are so many, or more.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn some(&mut self, at: u64, least: usize) -> io::Result<&[u8]> {
        if self.source.is_mapped() {
            return self.source.peek(at, least.max(AHEAD_BYTES));
        }
        self.load(at, least, AHEAD_BYTES)?;
        Ok(&self.bytes[self.filled - self.filled_from(at)..self.filled])
    }

    /// Whether the source has bytes up to `at + len`, read as little as can be.
    pub(super) fn reaches(&mut self, at: u64, len: usize) -> io::Result<bool> {
        if self.end.is_none() {
            self.get(at, len)?;
        }
        Ok(self.end.is_none_or(|end| at.saturating_add(len as u64) <= end))
    }

    /// Whether the `len` bytes from `at` on, or all up to the end, can be had without waiting for anybody.
    pub(super) fn has_now(&mut self, at: u64, len: usize) -> io::Result<bool> {
        loop {
            let have = self.filled_from(at);
            if have >= len || self.end.is_some() {
                return Ok(true);
            }
            if self.source.may_wait() {
                return Ok(false);
            }
            self.load(at, have + 1, self.ahead_bytes)?;
        }
    }

    fn load(&mut self, at: u64, len: usize, ahead_bytes: usize) -> io::Result<()> {
        // Nothing is looked for past the end again and again.
        let len = self.end.map_or(len, |end| usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(len));
        if self.filled_from(at) >= len {
            return Ok(());
        }
        // A file can be read again.
        let from = if self.source.is_stream() { at.min(self.hold.max(self.at)) } else { at };
        let kept = self.filled_from(from);
        let need = usize::try_from(at - from).unwrap_or(usize::MAX).saturating_add(len);
        let want = need.max(ahead_bytes);
        if kept < self.filled {
            self.bytes.copy_within(self.filled - kept..self.filled, 0);
        }
        (self.at, self.filled) = (from, kept);
        if self.bytes.len() < want {
            self.bytes.reserve_exact(want - self.bytes.len());
            self.bytes.resize(want, 0);
        }
        while self.filled < need {
            let here = from + self.filled as u64;
            match self.source.read_at(&mut self.bytes[self.filled..want], here)? {
                0 => {
                    self.end = Some(self.end.map_or(here, |end| end.min(here)));
                    break;
                }
                read => {
                    self.filled += read;
                    if let Progress(Some(told)) = &self.progress {
                        told(read as u64)?;
                    }
                }
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many bytes from `at` on are here.
    fn filled_from(&self, at: u64) -> usize {
        let past = at.checked_sub(self.at).and_then(|past| usize::try_from(past).ok());
        past.map_or(0, |past| self.filled.saturating_sub(past))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_and_a_file_give_the_same() {
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| i.to_le_bytes()[(i % 3) as usize]).collect();
        let sources = [Source::bytes("m", bytes.clone()), Source::stream("s", io::Cursor::new(bytes.clone()))];
        for (source, sparse) in sources.into_iter().zip([true, false]) {
            let mut window = Window::new(source, sparse);
            for (at, len) in
                [(0_usize, 10), (5, 300_000), (200_000, 64), (100_000, 64), (700_000, 5), (999_990, 64), (2_000_000, 1)]
            {
                window.hold(at.saturating_sub(200_000) as u64);
                let expected = bytes.get(at..).map_or(&[][..], |rest| &rest[..rest.len().min(len)]);
                assert_eq!(window.get(at as u64, len).unwrap(), expected, "{at}");
                assert_eq!(window.reaches(at as u64, len).unwrap(), at + len <= bytes.len());
                let some = window.some(at as u64, len).unwrap();
                assert!(some.starts_with(expected) && bytes.get(at..).unwrap_or_default().starts_with(some));
            }
            assert_eq!(window.end(), Some(1_000_000));
        }
    }

    #[test]
    fn a_stream_is_not_read_twice() {
        let mut window = Window::new(Source::stream("s", io::repeat(1)), false);
        window.hold(1 << 20);
        window.get(1 << 20, 10).unwrap();
        assert!(window.get(0, 10).is_err());
    }
}
