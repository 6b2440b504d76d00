//! The workers that compress and decompress: as many of each as there are threads, any of them takes the next chunk.

use super::event::Error;
use super::monitor::Monitor;
use super::state::{DecodeJob, EncodeJob, Place, Role, State};
use crate::codec::{Decoder, Encoder, Outcome, Plan, table_index};
use crate::format::{ChunkSeq, RECORD_BYTES, crc32};
use crate::ring::{ChunkInfo, StoredChunk};
use crate::segment::open_chunk;
use crate::sys::priority::step_back;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Encodes until all is over. Where processors are few, what a chunk could be saved by compression is worth less than
/// the time of the producer, whose thread would have to wait: so the encoders take what time is left.
pub(super) fn encode(monitor: &Monitor) {
    step_back();
    let mut encoder = Encoder::default();
    while let Some((job, plan)) = monitor.wait(Role::Encode, None, State::take_encode_job) {
        let ticket = job.ticket();
        let (chunk, outcome) = encode_one(&mut encoder, monitor, job, plan);
        monitor.update(|state| state.encoded(ticket, chunk, &outcome));
    }
}

fn encode_one(encoder: &mut Encoder, monitor: &Monitor, job: EncodeJob, plan: Plan) -> (StoredChunk, Outcome) {
    let EncodeJob { offset, raw, .. } = job;
    let mut stored = monitor.pool().take();
    stored.advance(RECORD_BYTES);
    let started = Instant::now();
    let outcome = encoder.encode(plan.codec, plan.family, raw.filled(), stored.spare_mut());
    let cost_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    stored.advance(outcome.frame_len);
    let [raw_len, frame_len] =
        [raw.len(), outcome.frame_len].map(|len| u32::try_from(len).expect("a chunk is under 4 GiB"));
    let info = ChunkInfo {
        offset,
        raw_len,
        frame_len,
        raw_crc: crc32(raw.filled()),
        frame_crc: crc32(&stored.filled()[RECORD_BYTES..]),
        codec: outcome.codec,
        family: plan.family,
    };
    let meter = monitor.meter();
    meter.encoded_raw_bytes.fetch_add(u64::from(raw_len), Relaxed);
    meter.encoded_bytes.fetch_add(u64::from(frame_len), Relaxed);
    meter.chunks[table_index(outcome.codec)].fetch_add(1, Relaxed);
    (StoredChunk::new(info, stored), Outcome { plan, stored: outcome.codec, raw_len, frame_len, cost_ns })
}

/// Decodes and verifies until all is over. Nothing that does not verify is passed on.
pub(super) fn decode(monitor: &Monitor, dir: &Path) -> Result<(), Error> {
    let mut decoder = Decoder::default();
    while let Some(job) = monitor.wait(Role::Decode, None, State::take_decode_job) {
        let slot = job.slot();
        let DecodeJob { chunk, place, .. } = job;
        let mut raw = monitor.pool().take();
        let raw_len = chunk.info.raw_len as usize;
        open_chunk(
            &chunk.info.record(ChunkSeq(0)),
            chunk.info.family,
            chunk.frame(),
            &mut raw.spare_mut()[..raw_len],
            &mut decoder,
        )
        .map_err(|source| match place {
            Place::Memory => Error::DamagedMemory { source },
            Place::Disk { segment, byte } => Error::Damaged { dir: dir.to_owned(), segment, byte, source },
        })?;
        raw.advance(raw_len);
        drop(chunk);
        monitor.update(|state| state.decoded(slot, raw));
    }
    Ok(())
}
