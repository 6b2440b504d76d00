//! All that reads archives, on the same bytes: they must agree.

use spillpipe::archive::{
    Copied, CopyError, CopyOptions, Error, FileReport, Observer, Parts, ProblemKind, Reader, Source, Verdict, Verifier,
    VerifyOptions, copy_out,
};
use std::io::{Cursor, Read as _};

/// What all readers say of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// What came out before the end, or the first damage.
    pub(crate) data: Vec<u8>,
    pub(crate) verdict: Verdict,
}

#[derive(Default)]
struct Report {
    data: Vec<u8>,
    report: Option<FileReport>,
}

impl Observer for Report {
    fn data(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    fn report(&mut self, report: FileReport) {
        assert!(self.report.replace(report).is_none(), "one file, one report");
    }
}

fn verified(source: Source, quick: bool) -> (Vec<u8>, FileReport) {
    let mut options = VerifyOptions::default();
    (options.quick, options.data) = (quick, !quick);
    let (mut verifier, mut report) = (Verifier::new(&options).unwrap(), Report::default());
    verifier.source(source, &mut report);
    verifier.finish(&mut report);
    (report.data, report.report.expect("a report"))
}

fn copied(source: Source, plain: bool) -> (Vec<u8>, Result<(), CopyError>) {
    let mut options = CopyOptions::default();
    (options.threads, options.plain) = (0, plain);
    let mut data = Vec::new();
    let result = copy_out(Parts::from(source), &mut data, &options, &mut Copied::default());
    (data, result)
}

/// Reads a file with everything there is.
///
/// # Panics
/// When two readers disagree.
pub(crate) fn read(file: &[u8]) -> Reading {
    let at_rest = || Source::bytes("file", file.to_vec());
    let passing = || Source::stream("stream", Cursor::new(file.to_vec()));
    let (data, result) = copied(at_rest(), false);
    let (streamed, stream_result) = copied(passing(), false);
    assert!(streamed == data, "a file of {} bytes gives what a stream of it does: {result:?}", file.len());
    assert_eq!(kind(&result), kind(&stream_result), "{result:?}, {stream_result:?}");

    let mut read = Vec::new();
    let reader = Reader::new(at_rest()).map_err(std::io::Error::from);
    let reader_result = reader.and_then(|mut reader| reader.read_to_end(&mut read));
    assert!(read == data, "the reader hands out what the copy does: {result:?}");
    assert_eq!(reader_result.is_ok(), result.is_ok(), "{reader_result:?}, {result:?}");

    let (all, report) = verified(at_rest(), false);
    let (verdict, problems) = (report.verdict(), &report.problems);
    assert!(all.starts_with(&data), "what is found sound begins with what is handed out");
    let only_the_table = problems.iter().all(|problem| matches!(problem.kind, ProblemKind::SeekTable(_)));
    match kind(&result) {
        // The data can be read without its table, and is not read twice for it.
        Verdict::Sound | Verdict::Incomplete if only_the_table && !problems.is_empty() => {}
        expected => assert_eq!(verdict, expected, "{result:?}, {report:?}"),
    }
    let quick = verified(at_rest(), true).1.verdict();
    assert!(quick <= verdict || verdict == Verdict::Unreadable, "a quick look finds no more: {quick:?}, {verdict:?}");
    Reading { data, verdict }
}

/// What verifying should say where copying said this.
fn kind(result: &Result<(), CopyError>) -> Verdict {
    match result {
        Ok(()) => Verdict::Sound,
        Err(CopyError::Archive(Error::Incomplete { .. })) => Verdict::Incomplete,
        Err(CopyError::Archive(Error::Damaged { .. } | Error::Foreign { .. })) => Verdict::Damaged,
        Err(_) => Verdict::Unreadable,
    }
}

/// What comes out of plain zstd or LZ4 data, and whether all of it was right.
pub(crate) fn read_plain(file: &[u8]) -> (Vec<u8>, bool) {
    let (data, result) = copied(Source::bytes("file", file.to_vec()), true);
    let (streamed, stream_result) = copied(Source::stream("stream", Cursor::new(file.to_vec())), true);
    assert!(streamed == data && stream_result.is_ok() == result.is_ok(), "{result:?}, {stream_result:?}");
    (data, result.is_ok())
}
