//! Where the data goes: anything that takes bytes, or a file, which can have holes for what is missing.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// Zeros are written so many at a time.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Takes the data.
pub trait Output {
    /// Takes all of these bytes.
    ///
    /// # Errors
    /// What the system said.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// So many zeros.
    ///
    /// # Errors
    /// What the system said.
    fn zeros(&mut self, count: u64) -> io::Result<()>;

    /// That was all.
    ///
    /// # Errors
    /// What the system said.
    fn end(&mut self) -> io::Result<()>;
}

/// Bytes one after another.
#[derive(Debug)]
pub struct Plain<W>(pub W);

impl<W: Write> Output for Plain<W> {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn zeros(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let piece = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
            self.0.write_all(&ZEROS[..piece])?;
            count -= piece as u64;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A new file, with holes where zeros are.
///
/// ```
/// use spillpipe::archive::salvage::{Output, Sparse};
/// let file = tempfile::NamedTempFile::new()?;
/// let mut output = Sparse(file.as_file());
/// output.zeros(3)?;
/// output.data(b"data")?;
/// output.zeros(2)?;
/// output.end()?;
/// assert_eq!(std::fs::read(file.path())?, b"\0\0\0data\0\0");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Sparse<'a>(pub &'a File);

impl Output for Sparse<'_> {
    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn zeros(&mut self, count: u64) -> io::Result<()> {
        let too_long = io::Error::from(io::ErrorKind::FileTooLarge);
        self.0.seek(SeekFrom::Current(i64::try_from(count).map_err(|_| too_long)?)).map(drop)
    }

    fn end(&mut self) -> io::Result<()> {
        // A hole at the end is none before the file is that long.
        let end = self.0.stream_position()?;
        self.0.set_len(end)
    }
}
