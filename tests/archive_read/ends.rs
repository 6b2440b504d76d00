//! Where streams begin and end, and the output.

use super::{Model, copy, read_all, samples, simple};
use rustix::fs::{OFlags, fcntl_setfl};
use spillpipe::archive::*;
use spillpipe::format::*;
use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

#[test]
fn streams_one_behind_the_other_are_read_as_one() {
    let mut model = simple(Family::Zstd, 3);
    model.next_stream();
    model.segment(Family::Zstd, 0, &[(0, b"second".to_vec())], 0, EndState::End);
    // The same stream once more is another one, too.
    let (again, data) = (model.bytes.clone(), model.all());
    model.bytes.extend(again);
    let mut reader = model.reader();
    assert!(read_all(&mut reader).unwrap() == [&data[..], &data].concat());
    assert_eq!(reader.len().unwrap(), Some(2 * data.len() as u64));
    let middle = data.len() as u64;
    reader.range(middle - 3..middle + 3).unwrap();
    assert_eq!(read_all(&mut reader).unwrap(), [&data[data.len() - 3..], &data[..3]].concat());
    assert_eq!(reader.decoded_chunks() - 8, 2);
}

#[test]
fn an_archive_of_nothing_is_nothing_and_no_error() {
    let model = simple(Family::Lz4, 0);
    let mut reader = model.reader();
    assert_eq!(read_all(&mut reader).unwrap(), b"");
    assert_eq!((reader.len().unwrap(), reader.position()), (Some(0), 0));
    reader.range(5..10).unwrap();
    assert_eq!(read_all(&mut reader).unwrap(), b"");
}

/// Hands on what is written, so that a test sees it before the copy is over.
struct Watched(SyncSender<Vec<u8>>);

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn of_a_pipe_a_chunk_comes_out_as_soon_as_it_is_there() {
    // So many bytes of what follows are there already: some of a record, or of a frame.
    for (threads, flags, more) in [
        (0, OFlags::empty(), 0),
        (2, OFlags::empty(), 0),
        (0, OFlags::empty(), 30),
        (2, OFlags::NONBLOCK, 30),
        (0, OFlags::NONBLOCK, 70),
        (2, OFlags::empty(), 70),
    ] {
        let model = simple(Family::Zstd, 5);
        std::thread::scope(|scope| {
            let (input, mut producer) = io::pipe().unwrap();
            let (sender, receiver) = sync_channel(10);
            let input: std::os::fd::OwnedFd = input.into();
            // Somebody else may have made it non-blocking.
            fcntl_setfl(&input, flags).unwrap();
            let copying = scope.spawn(move || {
                let mut options = CopyOptions::default();
                options.threads = threads;
                let source = Source::file("pipe", input.into()).unwrap();
                copy_out(Parts::from(source), &mut Watched(sender), &options, &mut Copied::default())
            });
            producer.write_all(&model.bytes[..HEADER_BYTES + more]).unwrap();
            let mut at = HEADER_BYTES;
            for (_, raw) in &model.chunks {
                let frame_len = u32::from_le_bytes(*model.bytes[at + 0x2C..].first_chunk().unwrap()) as usize;
                let next = at + RECORD_BYTES + frame_len;
                // Whether a frame is sound shows without what follows.
                producer.write_all(&model.bytes[at + more..next + more]).unwrap();
                let wrote = receiver.recv_timeout(Duration::from_secs(20)).expect("it is not kept");
                assert_eq!(&wrote, raw);
                at = next;
            }
            producer.write_all(&model.bytes[at + more..]).unwrap();
            drop(producer);
            copying.join().unwrap().unwrap();
        });
    }
}

#[test]
fn no_more_comes_out_than_may() {
    let model = simple(Family::Zstd, 30);
    for (max, threads) in [(0, 0), (1, 2), (100, 0), (1000, 2)] {
        let mut options = CopyOptions::default();
        (options.bytes_max, options.threads) = (Some(max), threads);
        let mut out = Vec::new();
        let parts = Parts::from(Source::bytes("m", model.bytes.clone()));
        let error = copy_out(parts, &mut out, &options, &mut Copied::default()).unwrap_err();
        assert!(matches!(error, CopyError::TooMuch { bytes_max, .. } if bytes_max == max), "{error}");
        assert_eq!(out, model.range(&(0..max)));
    }
    let mut options = CopyOptions::default();
    options.bytes_max = Some(model.end);
    let parts = Parts::from(Source::bytes("m", model.bytes.clone()));
    copy_out(parts, &mut io::sink(), &options, &mut Copied::default()).unwrap();
}

#[test]
fn an_output_that_fails_is_not_taken_for_the_archive() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for threads in [0, 2] {
        let mut options = CopyOptions::default();
        options.threads = threads;
        let parts = Parts::from(Source::bytes("m", simple(Family::Zstd, 5).bytes));
        let error = copy_out(parts, &mut Full, &options, &mut Copied::default()).unwrap_err();
        assert!(matches!(&error, CopyError::Output(error) if error.kind() == ErrorKind::StorageFull), "{error}");
    }
}

#[test]
fn the_segments_of_a_directory_are_one_stream() {
    let dir = tempfile::tempdir().unwrap();
    let (mut model, mut whole) = (Model::starting(1 << 40, 5), Model::starting(1 << 40, 5));
    for i in 1..=40_u64 {
        let pieces: Vec<_> = (0..3).map(|n| (0, samples::text(i * 10 + n, 50))).collect();
        let end = if i == 40 { EndState::End } else { EndState::Continues };
        model.bytes.clear();
        model.segment(Family::Zstd, 0, &pieces, 0, end);
        std::fs::write(dir.path().join(format!("{i:016x}.zst")), &model.bytes).unwrap();
        whole.segment(Family::Zstd, 0, &pieces, 0, end);
    }
    for range in [0..u64::MAX, (1 << 40) + 999..(1 << 40) + 1001, (1 << 40) + 5000..u64::MAX] {
        for threads in [0, 2] {
            let mut options = CopyOptions::default();
            (options.span, options.threads) = (Span::Bytes(range.clone()), threads);
            let (mut out, mut copied) = (Vec::new(), Copied::default());
            let parts = Parts::from(Input::of(dir.path()).unwrap());
            copy_out(parts, &mut out, &options, &mut copied).unwrap();
            assert!(out == whole.range(&range), "{range:?}: {} bytes", out.len());
        }
    }
    std::fs::remove_file(dir.path().join(format!("{:016x}.zst", 7))).unwrap();
    let parts = Parts::from(Input::of(dir.path()).unwrap());
    let mut out = Vec::new();
    let error = copy_out(parts, &mut out, &CopyOptions::default(), &mut Copied::default()).unwrap_err();
    assert!(error.to_string().contains("segments 7 to 7 are missing"), "{error}");
    assert_eq!(out.len(), 6 * 150);
}

#[test]
fn segments_in_front_of_a_part_are_left_out_also_where_plain_data_would_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    for i in 1..=4_u64 {
        model.bytes.clear();
        let end = if i == 4 { EndState::End } else { EndState::Continues };
        model.segment(Family::Zstd, 0, &[(0, samples::text(i, 50))], 0, end);
        // Whoever reads all that is in front is told of it.
        if i == 2 {
            model.bytes[HEADER_BYTES + RECORD_BYTES + 9] ^= 1;
        }
        std::fs::write(dir.path().join(format!("{i:016x}.zst")), &model.bytes).unwrap();
    }
    for plain in [false, true] {
        let mut options = CopyOptions::default();
        (options.span, options.plain) = (Span::Bytes(160..170), plain);
        let mut out = Vec::new();
        let parts = Parts::from(Input::of(dir.path()).unwrap());
        copy_out(parts, &mut out, &options, &mut Copied::default()).unwrap();
        assert!(out == model.range(&(160..170)), "plain: {plain}");
    }
}

#[test]
fn however_many_threads_are_asked_for_it_works() {
    let model = simple(Family::Zstd, 3);
    let (data, _, result) = copy(Source::bytes("m", model.bytes.clone()), Span::All, usize::MAX);
    result.unwrap();
    assert!(data == model.all());
    let mut options = WriterOptions::default();
    options.threads = usize::MAX;
    let mut writer = Writer::new(Vec::new(), &options).unwrap();
    writer.write_all(&data).unwrap();
    let (archive, _) = writer.finish(EndState::End).unwrap();
    assert!(copy(Source::bytes("w", archive), Span::All, 0).0 == data);
}
