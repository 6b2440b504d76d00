//! Where the bytes of an archive come from: a place that can be read anywhere, or a stream that is read once.

use crate::sys::map::Mapping;
use crate::sys::poll::{readable_now, until_readable};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;
use std::sync::Arc;

/// Bytes to be read, and never written.
///
/// ```
/// use spillpipe::archive::Source;
/// let source = Source::bytes("example", b"abc".to_vec());
/// assert_eq!((source.name(), source.len(), source.is_stream()), ("example", Some(3), false));
/// ```
pub struct Source {
    name: String,
    kind: Kind,
}

enum Kind {
    /// A regular file or a block device, from `base` on.
    File {
        file: File,
        base: u64,
        len: u64,
    },
    /// A regular file in memory, from `base` on.
    Mapped {
        map: Mapping,
        base: u64,
        len: u64,
    },
    /// Read once, from the front; so far up to `at`.
    Stream {
        stream: Stream,
        at: u64,
    },
    Bytes(Arc<[u8]>),
}

enum Stream {
    File(File, Option<Wait>),
    Other(Box<dyn Read + Send>),
}

/// Waits until there is something to read.
type Wait = Box<dyn FnMut(BorrowedFd<'_>) -> io::Result<()> + Send>;

impl Source {
    /// The file of this path, whatever it is, but a directory.
    ///
    /// # Errors
    /// What the system said; [`ErrorKind::IsADirectory`].
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::file(path.display().to_string(), File::open(path)?)
    }

    /// An open file, from its position on, which messages call `name`. It need not be one that can be read anywhere.
    ///
    /// # Errors
    /// As for [`Source::open`].
    pub fn file(name: impl Into<String>, file: File) -> io::Result<Self> {
        let (name, metadata) = (name.into(), file.metadata()?);
        if metadata.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let kind = if metadata.is_file() || metadata.file_type().is_block_device() {
            let base = rustix::fs::tell(&file)?;
            // A device has no length of its own.
            let end = rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))?;
            rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(base))?;
            // Some files of the system say they are empty and are not.
            if end == 0 && retrying(|| file.read_at(&mut [0], base))? > 0 {
                Kind::Stream { stream: Stream::File(file, None), at: 0 }
            } else {
                Kind::File { file, base, len: end.saturating_sub(base) }
            }
        } else {
            Kind::Stream { stream: Stream::File(file, None), at: 0 }
        };
        Ok(Self { name, kind })
    }

    /// What a stream yields.
    #[must_use]
    pub fn stream(name: impl Into<String>, stream: impl Read + Send + 'static) -> Self {
        Self { name: name.into(), kind: Kind::Stream { stream: Stream::Other(Box::new(stream)), at: 0 } }
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { name: name.into(), kind: Kind::Bytes(bytes.into()) }
    }

    /// Of a file that is a stream: each read waits by this, until there is something to read, and nothing else ever waits.
    /// It may be called again for the same read, when somebody else was faster. What it fails with is what the read fails
    /// with, but for [`ErrorKind::Interrupted`], which would be a reason to read again: that becomes
    /// [`ErrorKind::Other`].
    #[must_use]
    pub fn waiting_by(mut self, wait: impl FnMut(BorrowedFd<'_>) -> io::Result<()> + Send + 'static) -> Self {
        if let Kind::Stream { stream: Stream::File(_, by), .. } = &mut self.kind {
            *by = Some(Box::new(wait));
        }
        self
    }

    /// As messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes in it, as far as it is known before they are read.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a stream does not know")]
    pub fn len(&self) -> Option<u64> {
        match &self.kind {
            Kind::File { len, .. } | Kind::Mapped { len, .. } => Some(*len),
            Kind::Stream { .. } => None,
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Whether it can be read but once.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream { .. })
    }

    /// A regular file is mapped: fit for who looks here and there. What else it may be stays as it is.
    pub(super) fn mapped(self) -> Self {
        let kind = match self.kind {
            Kind::File { file, base, len } if file.metadata().is_ok_and(|metadata| metadata.is_file()) => {
                match Mapping::new(file) {
                    Ok(map) => Kind::Mapped { map, base, len },
                    // What can not be mapped can be read.
                    Err(file) => Kind::File { file, base, len },
                }
            }
            kind => kind,
        };
        Self { kind, ..self }
    }

    /// Whether its bytes can be had by [`Source::peek`].
    pub(super) fn is_mapped(&self) -> bool {
        matches!(self.kind, Kind::Mapped { .. })
    }

    /// Of a mapped file, the `len` bytes from `at` on, or as many as there are.
    pub(super) fn peek(&self, at: u64, len: usize) -> io::Result<&[u8]> {
        let Kind::Mapped { map, base, len: have } = &self.kind else { return Ok(&[]) };
        let len = usize::try_from(have.saturating_sub(at)).unwrap_or(usize::MAX).min(len);
        map.get(*base + at.min(*have), len)
    }

    /// Whether the next read may wait for somebody, as far as can be known.
    pub(super) fn may_wait(&self) -> bool {
        match &self.kind {
            Kind::Stream { stream: Stream::File(file, _), .. } => !readable_now(file).unwrap_or(false),
            Kind::Stream { stream: Stream::Other(_), .. } => true,
            Kind::File { .. } | Kind::Mapped { .. } | Kind::Bytes(_) => false,
        }
    }

    /// Reads into `buffer` what stands at `at`; 0: the end. A stream is read at its place, or further on.
    pub(super) fn read_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match &mut self.kind {
            Kind::File { file, base, len } => {
                // What is appended meanwhile is not ours to judge.
                let room = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX).min(buffer.len());
                match retrying(|| file.read_at(&mut buffer[..room], *base + at)) {
                    Ok(0) if room > 0 => Err(became_shorter()),
                    result => result,
                }
            }
            Kind::Mapped { .. } => {
                let bytes = self.peek(at, buffer.len())?;
                buffer[..bytes.len()].copy_from_slice(bytes);
                Ok(bytes.len())
            }
            Kind::Bytes(bytes) => {
                let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                let len = rest.len().min(buffer.len());
                buffer[..len].copy_from_slice(&rest[..len]);
                Ok(len)
            }
            Kind::Stream { stream, at: here } => {
                if at < *here {
                    return Err(io::Error::other("a stream is not read twice"));
                }
                while *here < at {
                    let room = usize::try_from(at - *here).unwrap_or(usize::MAX).min(buffer.len());
                    match stream.read(&mut buffer[..room])? {
                        0 => return Ok(0),
                        read => *here += read as u64,
                    }
                }
                let read = stream.read(buffer)?;
                *here += read as u64;
                Ok(read)
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Stream {
    /// Reads once there is something, also where signals come meanwhile.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file, wait) => loop {
                if let Some(wait) = wait {
                    wait(file.as_fd()).map_err(for_good)?;
                }
                match retrying(|| file.read(buffer)) {
                    // The descriptor may be shared with someone who made it non-blocking, or who was faster.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if wait.is_none() {
                            until_readable(file.as_fd())?;
                        }
                    }
                    result => return result,
                }
            },
            Self::Other(stream) => retrying(|| stream.read(buffer)),
        }
    }
}

/// An error that nobody takes for a reason to try again.
fn for_good(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::Interrupted { io::Error::other(error) } else { error }
}

/// What a read of a file fails with that ends where it did not before.
pub(super) fn became_shorter() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "it became shorter while it was read")
}

fn retrying(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
