//! What can be had back of damaged archives, and nothing else.
//!
//! ```text
//!   inputs ──> Scan ──> Catalogue ──> nested ──> per stream: chain ──> pieces ──> Output
//!              first pass: which whole chunks there are               second pass: read again, decode, check
//! ```
//! A chunk counts when its record, its frame and its bytes all have the checksums that they must have. The chunks of all
//! inputs that are of one store are one stream: copies that are damaged in different places complete each other. What
//! is data of another stream, because somebody packed an archive into an archive, is left out, and told.
//!
//! What it takes: for each chunk that is found about 80 bytes of memory, and two looks at all inputs. The data of a stream
//! is decoded in the caller's thread.
//!
//! A spool's directory, or that of a split archive, is as many inputs as it has segments:
//!
//! ```
//! use spillpipe::archive::salvage::{Input, Options, Plain, salvage};
//! use spillpipe::archive::{Writer, WriterOptions};
//! use spillpipe::format::EndState;
//! use std::io::Write;
//!
//! let dir = tempfile::tempdir()?;
//! let mut writer = Writer::new(Vec::new(), &WriterOptions::default())?;
//! writer.write_all(b"data")?;
//! let (segment, _) = writer.finish(EndState::End)?;
//! std::fs::write(dir.path().join("0000000000000001.zst"), segment)?;
//!
//! let inputs = spillpipe::archive::Input::of(dir.path())?;
//! let mut output = Plain(Vec::new());
//! let report = salvage(inputs.into_iter().map(Input::Named).collect(), &Options::default(), &mut output)?;
//! assert!(report.is_ended() && !report.lost_any());
//! assert_eq!(output.0, b"data");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod catalogue;
mod nested;
mod output;
mod pieces;
mod report;

pub use super::window::Progress;
pub use output::{Output, Plain, Sparse};
pub use report::{FileReport, LeftOut, Report, Span, StreamReport, Why};

use super::scan::{Depth, Item, Scan};
use super::{FOREIGN_HEAD_BYTES, Foreign, Source};
use crate::codec::Decoder;
use crate::format::{Record, SegmentKey};
use crate::segment::open_chunk;
use catalogue::Catalogue;
use pieces::Pieces;
use std::io;

/// Where to look for chunks.
#[derive(Debug)]
pub enum Input {
    /// A file that is opened when its turn comes: there may be any number of them.
    Named(super::Input),
    /// Something that is open.
    Source(Source),
}

/// What to make of it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Zeros take the place of what is missing, so that everything is where it was.
    pub zero_fill: bool,
    /// Every whole chunk comes in the order of the files, also what is data of another, and what is there twice. Only
    /// this works with inputs that can be read once.
    pub unordered: bool,
    /// Is told of the bytes of the inputs while they are searched.
    pub progress: Progress,
}

/// Why nothing more came out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input cannot be opened.
    #[error(transparent)]
    Open(#[from] super::Error),
    /// An input cannot be read.
    #[error("cannot read {name}: {source}")]
    Input {
        /// The input.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// It takes two looks at an input that can be read once.
    #[error("{name} can be read only once: copy it to a file first, or take its chunks as they come (--unordered)")]
    Once {
        /// The input.
        name: String,
    },
    /// The output takes no more.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

/// Writes to `output` what can be had back from `inputs`: the data, stream after stream in the order in which they were
/// found. Nothing was found: see [`Report::found_any`].
///
/// ```
/// use spillpipe::archive::salvage::{Input, Options, Plain, salvage};
/// use spillpipe::archive::{Source, Writer, WriterOptions};
/// use spillpipe::format::EndState;
/// use std::io::Write;
///
/// let mut options = WriterOptions::default();
/// options.chunk_bytes = 4096;
/// let mut writer = Writer::new(Vec::new(), &options)?;
/// writer.write_all(&[7; 10_000])?;
/// let (mut archive, _) = writer.finish(EndState::End)?;
/// // A byte of the first chunk's record.
/// archive[150] ^= 1;
///
/// let mut output = Plain(Vec::new());
/// let report = salvage(vec![Input::Source(Source::bytes("example", archive))], &Options::default(), &mut output)?;
/// assert_eq!(output.0, [7; 10_000 - 4096]);
/// assert_eq!(report.streams[0].lost[0].bytes, 0..4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error`]; what was written before it is sound.
pub fn salvage(mut inputs: Vec<Input>, options: &Options, output: &mut dyn Output) -> Result<Report, Error> {
    let mut catalogue = Catalogue::default();
    let mut decoding = Decoding::default();
    let mut files = Vec::with_capacity(inputs.len());
    let mut bytes_out = 0;
    if !options.unordered {
        // Before a long search in those in front of it.
        inputs.iter_mut().try_for_each(Input::check_twice)?;
    }
    for (number, input) in inputs.iter_mut().enumerate() {
        let name = input.name();
        let source = input.open()?;
        let failed = |source| Error::Input { name: name.clone(), source };
        let mut scan = Scan::new(source, Depth::Full);
        scan.tell(&options.progress);
        let foreign = Foreign::of(scan.peek(0, FOREIGN_HEAD_BYTES).map_err(failed)?);
        catalogue.next_file();
        while let Some(found) = scan.next().map_err(failed)? {
            let mut whole = true;
            if options.unordered
                && let (Item::Chunk(record), Some(key)) = (found.item, found.key)
            {
                let frame = scan.frame(found.at, &record).map_err(failed)?;
                whole = decoding.open(&record, &key, frame);
                if whole {
                    output.data(&decoding.raw).map_err(Error::Output)?;
                    bytes_out += decoding.raw.len() as u64;
                }
            }
            catalogue.take(number, &found, whole);
        }
        let bytes = scan.at();
        let junk_bytes = bytes.saturating_sub(catalogue.structure_bytes());
        files.push(FileReport { name, bytes, junk_bytes, foreign });
        input.close(scan.into_source());
    }
    let mut pieces = Pieces { inputs, options, output, decoding };
    let mut report = pieces.streams(&mut catalogue)?;
    report.files = files;
    report.bytes_out += bytes_out;
    output.end().map_err(Error::Output)?;
    Ok(report)
}

impl Input {
    fn name(&self) -> String {
        match self {
            Self::Named(input) => input.name(),
            Self::Source(source) => source.name().to_owned(),
        }
    }

    /// Opens it, or gives what is open. [`Self::close`] takes that back.
    fn open(&mut self) -> Result<Source, Error> {
        match self {
            Self::Named(input) => Ok(input.open()?),
            Self::Source(source) => {
                let nothing = Source::bytes(source.name(), []);
                Ok(std::mem::replace(source, nothing))
            }
        }
    }

    /// Fails if it cannot be read twice.
    fn check_twice(&mut self) -> Result<(), Error> {
        // A directory's segments are regular files, or refused when they are opened.
        if matches!(self, Self::Named(input) if input.number().is_some()) {
            return Ok(());
        }
        let source = self.open()?;
        let is_stream = source.is_stream();
        self.close(source);
        if is_stream { Err(Error::Once { name: self.name() }) } else { Ok(()) }
    }

    fn close(&mut self, used: Source) {
        if let Self::Source(source) = self {
            *source = used;
        }
    }
}

/// What it takes to decode a chunk.
#[derive(Debug, Default)]
struct Decoding {
    decoder: Decoder,
    raw: Vec<u8>,
}

impl Decoding {
    /// Decodes a chunk into `raw`. False: it is not what was written.
    fn open(&mut self, record: &Record, key: &SegmentKey, frame: &[u8]) -> bool {
        self.raw.resize(record.raw_len as usize, 0);
        open_chunk(record, key.family, frame, &mut self.raw, &mut self.decoder).is_ok()
    }
}
