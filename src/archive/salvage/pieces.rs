//! The second pass: the chunks of each stream, in their order, and what is missing between them.

use super::catalogue::{Catalogue, Entry, Part, Stream};
use super::nested::judge;
use super::report::{LeftOut, Report, Span, StreamReport};
use super::{Decoding, Error, Input, Options, Output};
use crate::archive::chain::{Link, heaviest};
use crate::archive::window::Window;
use crate::format::{RECORD_BYTES, Record};

/// What it takes.
pub(super) struct Pieces<'a> {
    pub(super) inputs: Vec<Input>,
    pub(super) options: &'a Options,
    pub(super) output: &'a mut dyn Output,
    pub(super) decoding: Decoding,
}

/// The file that is open.
struct Opened {
    file: usize,
    window: Window,
}

impl Pieces<'_> {
    /// Writes all streams that are some.
    pub(super) fn streams(&mut self, catalogue: &mut Catalogue) -> Result<Report, Error> {
        let why = judge(catalogue);
        let mut report = Report::default();
        for visit in &catalogue.visits {
            if let Some(why) = why[visit.stream as usize] {
                report.left_out.push(LeftOut { file: visit.file, at: visit.at, chunks: visit.chunks, why });
            }
        }
        let parts = &catalogue.parts;
        let stream_of = |entry: &Entry| parts[entry.part as usize].stream;
        catalogue.entries.sort_unstable_by_key(|entry| (stream_of(entry), *entry));
        let mut entries = catalogue.entries.as_slice();
        let mut opened = None;
        for (number, stream) in catalogue.streams.iter().enumerate() {
            let count = entries.partition_point(|entry| stream_of(entry) as usize == number);
            let (own, rest) = entries.split_at(count);
            entries = rest;
            if why[number].is_none() {
                self.stream(&mut report, stream, own, parts, &mut opened)?;
            }
        }
        Ok(report)
    }

    fn stream(
        &mut self,
        report: &mut Report,
        stream: &Stream,
        entries: &[Entry],
        parts: &[Part],
        opened: &mut Option<Opened>,
    ) -> Result<(), Error> {
        // Of each chunk, the first of its copies.
        let firsts: Vec<_> = (0..entries.len()).filter(|&at| at == 0 || !entries[at].is(&entries[at - 1])).collect();
        let links: Vec<_> = firsts
            .iter()
            .map(|&at| {
                let Entry { seq, offset, raw_len: len, part, .. } = entries[at];
                Link { seq, offset, len, segment: parts[part as usize].key.salt.0 }
            })
            .collect();
        let chain = heaviest(&links);
        let first = chain.first().map_or(stream.furthest, |place| (links[*place].seq, links[*place].offset));
        // What nobody tells the beginning of began at zero.
        let start = stream.start.filter(|start| start.0 <= first.0 && start.1 <= first.1).unwrap_or_default();
        let mut told = StreamReport {
            file: stream.file,
            at: stream.at,
            store: stream.id,
            output_at: (!self.options.unordered).then_some(report.bytes_out.saturating_add(report.zeros_out)),
            chunks: 0,
            bytes: 0,
            recovered: Vec::new(),
            lost: Vec::new(),
            dropped_bytes: 0,
            contradicting_chunks: (links.len() - chain.len()) as u64,
            end: None,
        };
        // Number and offset that come next; and how far the output is.
        let (mut next, mut filled) = (start, 0);
        for place in chain {
            let copies = entries[firsts[place]..].iter().take_while(|entry| entry.is(&entries[firsts[place]]));
            let entry = entries[firsts[place]];
            if !self.options.unordered {
                let mut had = false;
                for copy in copies {
                    let part = &parts[copy.part as usize];
                    had = self.open(copy, part, opened)?;
                    if had {
                        break;
                    }
                }
                if !had {
                    continue;
                }
                self.fill(report, &mut filled, entry.offset)?;
                self.output.data(&self.decoding.raw).map_err(Error::Output)?;
                report.bytes_out += u64::from(entry.raw_len);
                filled = entry.end();
            }
            missing(&mut told, next, (entry.seq, entry.offset));
            next = (entry.seq + 1, entry.end());
            told.chunks += 1;
            told.bytes += u64::from(entry.raw_len);
            match told.recovered.last_mut() {
                Some(span) if (span.chunks.end, span.bytes.end) == (entry.seq, entry.offset) => {
                    (span.chunks.end, span.bytes.end) = next;
                }
                _ => told.recovered.push(Span { chunks: entry.seq..next.0, bytes: entry.offset..next.1 }),
            }
        }
        let furthest = stream.furthest.max(next);
        missing(&mut told, next, furthest);
        if !self.options.unordered {
            self.fill(report, &mut filled, furthest.1)?;
        }
        told.end = stream.seal.filter(|(seq, _)| *seq >= furthest.0).map(|(_, end)| end);
        report.streams.push(told);
        Ok(())
    }

    /// Reads a chunk again, and decodes it. False: it is not what it was.
    fn open(&mut self, entry: &Entry, part: &Part, opened: &mut Option<Opened>) -> Result<bool, Error> {
        let file = part.file as usize;
        if opened.as_ref().is_none_or(|opened| opened.file != file) {
            if let Some(before) = opened.take() {
                self.inputs[before.file].close(before.window.into_source());
            }
            *opened = Some(Opened { file, window: Window::new(self.inputs[file].open()?, false) });
        }
        let Some(Opened { window, .. }) = opened else { return Ok(false) };
        let failed = |source| Error::Input { name: self.inputs[file].name(), source };
        let Some(record) = window.get(entry.at, RECORD_BYTES).map_err(failed)?.first_chunk().copied() else {
            return Ok(false);
        };
        let Ok(record) = Record::decode(&record, &part.key) else { return Ok(false) };
        let same = (record.seq.0, record.offset.0, record.raw_len, record.raw_crc)
            == (entry.seq, entry.offset, entry.raw_len, entry.raw_crc);
        let frame_len = record.frame_len as usize;
        let frame = window.get(entry.at + RECORD_BYTES as u64, frame_len).map_err(failed)?;
        Ok(same && frame.len() == frame_len && self.decoding.open(&record, &part.key, frame))
    }

    /// Zeros up to `offset` of the stream, if that is wanted.
    fn fill(&mut self, report: &mut Report, filled: &mut u64, offset: u64) -> Result<(), Error> {
        let zeros = offset.saturating_sub(*filled);
        if self.options.zero_fill && zeros > 0 {
            self.output.zeros(zeros).map_err(Error::Output)?;
            report.zeros_out = report.zeros_out.saturating_add(zeros);
            *filled = offset;
        }
        Ok(())
    }
}

/// Tells what is missing from `next` to `found`, both number and offset.
fn missing(told: &mut StreamReport, next: (u64, u64), found: (u64, u64)) {
    if found.0 > next.0 {
        told.lost.push(Span { chunks: next.0..found.0, bytes: next.1..found.1.max(next.1) });
    } else {
        told.dropped_bytes = told.dropped_bytes.saturating_add(found.1.saturating_sub(next.1));
    }
}
