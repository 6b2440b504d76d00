//! Archives: any bytes as one, read in every way there is; and data that is packed, and comes back.

mod ranges;
mod reading;
mod round_trip;
mod salvage;
mod stitching;

pub(crate) use ranges::archive_range;
pub(crate) use reading::archive_read;
pub(crate) use round_trip::archive_round_trip;
pub(crate) use salvage::archive_salvage;
use spillpipe::archive::{
    Copied, CopyOptions, FileReport, Observer, Parts, Reader, Source, Verifier, VerifyOptions, copy_out,
};
use std::io::BufRead;
pub(crate) use stitching::archive_stitch;

/// More comes out of no check: frames of a few bytes can come to 4 MiB each.
const DATA_BYTES_MAX: usize = 1 << 20;

/// What a reader had: each piece, and where in the stream it is; and whether it came to the end.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    pieces: Vec<(u64, Vec<u8>)>,
    ended: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Well,
    /// At an error.
    Badly,
    /// More would have come.
    Capped,
}

impl Read {
    fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(_, bytes)| bytes).copied().collect()
    }
}

/// Reads on to the end, an error, or the most there may be.
fn read_on(reader: &mut Reader) -> Read {
    let (mut pieces, mut total) = (Vec::new(), 0);
    let ended = loop {
        let len = match reader.fill_buf() {
            Err(_) => break Ended::Badly,
            Ok([]) => break Ended::Well,
            Ok(bytes) => bytes.len(),
        };
        total += len;
        if total > DATA_BYTES_MAX {
            break Ended::Capped;
        }
        let at = reader.position();
        let bytes = reader.fill_buf().expect("they are here").to_vec();
        reader.consume(len);
        assert_eq!(reader.position(), at + len as u64);
        pieces.push((at, bytes));
    };
    if ended == Ended::Badly {
        assert!(reader.fill_buf().is_err(), "an error stays");
    }
    Read { pieces, ended }
}

fn in_memory(bytes: &[u8]) -> Source {
    Source::bytes("memory", bytes)
}

fn as_stream(bytes: &[u8]) -> Source {
    Source::stream("stream", std::io::Cursor::new(bytes.to_vec()))
}

/// All of it, as `cat` hands it out.
fn copied(source: Source) -> (Vec<u8>, Ended) {
    let mut options = CopyOptions::default();
    options.threads = 0;
    copied_by(source.into(), options)
}

fn copied_by(parts: Parts, mut options: CopyOptions) -> (Vec<u8>, Ended) {
    options.bytes_max = Some(DATA_BYTES_MAX as u64);
    let (mut data, mut count) = (Vec::new(), Copied::default());
    let result = copy_out(parts, &mut data, &options, &mut count);
    assert!(data.len() <= DATA_BYTES_MAX && count.bytes == data.len() as u64);
    let ended = match result {
        Ok(()) => Ended::Well,
        Err(spillpipe::archive::CopyError::TooMuch { .. }) => Ended::Capped,
        Err(_) => Ended::Badly,
    };
    (data, ended)
}

/// The report, and the data that goes with it.
struct Verified {
    report: Option<FileReport>,
    data: Vec<u8>,
}

impl Observer for Verified {
    fn data(&mut self, bytes: &[u8]) {
        if self.data.len() <= DATA_BYTES_MAX {
            self.data.extend_from_slice(bytes);
        }
    }

    fn report(&mut self, report: FileReport) {
        assert!(self.report.replace(report).is_none(), "one a file");
    }
}

fn verified(source: Source, quick: bool) -> (FileReport, Vec<u8>) {
    let mut options = VerifyOptions::default();
    options.quick = quick;
    verified_by(source, options)
}

fn verified_by(source: Source, mut options: VerifyOptions) -> (FileReport, Vec<u8>) {
    options.data = true;
    let mut verifier = Verifier::new(&options).expect("threads can be had");
    let mut seen = Verified { report: None, data: Vec::new() };
    verifier.source(source, &mut seen);
    verifier.finish(&mut seen);
    (seen.report.expect("a report"), seen.data)
}
