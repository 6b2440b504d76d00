//! What is sent through the tools: SQL dumps, always the same for a size, and random data as the bad case.

use crate::sqldump;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Random data is repeated after so much, beyond the window of every codec here.
const RANDOM_BYTES: u64 = 128 << 20;
const READ_BYTES: usize = 1 << 20;

/// A file, or the beginning of one in memory; what wants more than that gets it over again.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// How many times smaller zstd -1 makes it.
    pub(crate) ratio: f64,
    memory: Option<Vec<u8>>,
}

impl Input {
    fn of_file(name: String, path: PathBuf) -> io::Result<Self> {
        let bytes = path.metadata()?.len();
        let mut packed = Counter(0);
        zstd::stream::copy_encode(File::open(&path)?, &mut packed, 1)?;
        let ratio = bytes as f64 / packed.0 as f64;
        Ok(Self { name, path, bytes, ratio, memory: None })
    }

    /// The first `bytes` of it, held in memory: so that handing them out costs nothing.
    pub(crate) fn in_memory(&self, bytes: usize) -> io::Result<Self> {
        let mut memory = vec![0; bytes];
        self.feed(bytes as u64, READ_BYTES)?.fill(&mut memory)?;
        let name = format!("{}, its first {} MB from memory", self.name, bytes / 1_000_000);
        Ok(Self { name, path: self.path.clone(), bytes: bytes as u64, ratio: self.ratio, memory: Some(memory) })
    }

    /// Brings it into the page cache.
    pub(crate) fn warm(&self) -> io::Result<()> {
        if self.memory.is_none() {
            let mut feed = self.feed(self.bytes, READ_BYTES)?;
            while feed.next()?.is_some() {}
        }
        Ok(())
    }

    /// The checksum of `total` bytes of it.
    pub(crate) fn crc(&self, total: u64) -> io::Result<u32> {
        let mut hasher = crc32fast::Hasher::new();
        let mut feed = self.feed(total, READ_BYTES)?;
        while let Some(bytes) = feed.next()? {
            hasher.update(bytes);
        }
        Ok(hasher.finalize())
    }

    /// `total` bytes of it, so many at a time.
    pub(crate) fn feed(&self, total: u64, at_a_time: usize) -> io::Result<Feed<'_>> {
        let source = match &self.memory {
            Some(bytes) => Source::Memory { bytes, at: 0, at_a_time },
            None => Source::File { file: File::open(&self.path)?, buffer: vec![0; at_a_time] },
        };
        Ok(Feed { source, left: total })
    }
}

/// What is left of it to hand out.
pub(crate) struct Feed<'a> {
    source: Source<'a>,
    left: u64,
}

enum Source<'a> {
    File { file: File, buffer: Vec<u8> },
    Memory { bytes: &'a [u8], at: usize, at_a_time: usize },
}

impl Feed<'_> {
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if self.left == 0 {
            return Ok(None);
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let piece: &[u8] = match &mut self.source {
            Source::Memory { bytes, at, at_a_time } => {
                let from = *at % bytes.len();
                let to = bytes.len().min(from + left.min(*at_a_time));
                *at = to;
                &bytes[from..to]
            }
            Source::File { file, buffer } => {
                let want = left.min(buffer.len());
                let mut n = file.read(&mut buffer[..want])?;
                if n == 0 {
                    file.rewind()?;
                    n = file.read(&mut buffer[..want])?;
                }
                &buffer[..n]
            }
        };
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= piece.len() as u64;
        Ok(Some(piece))
    }

    fn fill(mut self, mut into: &mut [u8]) -> io::Result<()> {
        while let Some(piece) = self.next()? {
            into.write_all(piece)?;
        }
        Ok(())
    }
}

/// Makes inputs when they are first asked for, and keeps them.
pub(crate) struct Inputs {
    dir: PathBuf,
    made: RefCell<Vec<Arc<Input>>>,
}

impl Inputs {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, made: RefCell::default() }
    }

    pub(crate) fn dump(&self, bytes: u64) -> io::Result<Arc<Input>> {
        self.get(format!("SQL dump of {} MB", bytes / 1_000_000), |path| {
            sqldump::dump(bytes, &mut BufWriter::with_capacity(READ_BYTES, File::create(path)?))
        })
    }

    pub(crate) fn random(&self) -> io::Result<Arc<Input>> {
        self.get("random data".to_owned(), |path| {
            let random = File::open("/dev/urandom")?.take(RANDOM_BYTES);
            io::copy(&mut BufReader::with_capacity(READ_BYTES, random), &mut File::create(path)?)?;
            Ok(())
        })
    }

    /// Those that were made so far.
    pub(crate) fn all(&self) -> Vec<Arc<Input>> {
        self.made.borrow().clone()
    }

    fn get(&self, name: String, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<Arc<Input>> {
        if let Some(input) = self.made.borrow().iter().find(|input| input.name == name) {
            return Ok(Arc::clone(input));
        }
        eprintln!("making input: {name}");
        let path = self.dir.join(name.replace(' ', "-"));
        make(&path)?;
        let input = Arc::new(Input::of_file(name, path)?);
        self.made.borrow_mut().push(Arc::clone(&input));
        Ok(input)
    }
}

/// Counts what is written to it.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
