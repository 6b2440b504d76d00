//! docs/format.md against the code: its tables against what the code reads from the golden files, its limits against
//! the constants, its hexdumps against the golden files byte for byte.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod samples;

use samples::golden;
use spillpipe::format::*;
use spillpipe::segment::{Next, SegmentWalker};
use std::fmt::Write as _;
use std::path::PathBuf;

const BYTES_PER_LINE: usize = 16;

fn doc_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/format.md")
}

fn doc() -> String {
    std::fs::read_to_string(doc_path()).unwrap()
}

/// One field of a layout table.
#[derive(Debug)]
struct Field {
    at: usize,
    size: usize,
    name: String,
}

/// The layout table behind the mark `<!-- layout: NAME -->`.
fn layout(doc: &str, name: &str) -> Vec<Field> {
    let mark = format!("<!-- layout: {name} -->\n");
    let (_, table) = doc.split_once(&mark).unwrap_or_else(|| panic!("{mark} in docs/format.md"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let field = |row: &str| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        Field {
            at: usize::from_str_radix(cells[1], 16).expect(row),
            size: cells[2].parse().expect(row),
            name: cells[3].to_owned(),
        }
    };
    rows.map(field).collect()
}

fn header_layout(doc: &str, family: Family) -> Vec<Field> {
    layout(doc, &format!("header {}", family.extension()))
}

#[test]
fn the_layout_tables_have_no_gaps() {
    let doc = doc();
    let tables = [
        ("header zst", HEADER_BYTES),
        ("header lz4", HEADER_BYTES),
        ("record", RECORD_BYTES),
        ("seal", RECORD_BYTES),
        ("slot", SLOT_BYTES),
    ];
    for (name, bytes) in tables {
        let fields = layout(&doc, name);
        let mut end = 0;
        for field in &fields {
            assert_eq!(field.at, end, "{name}: {field:?}");
            end += field.size;
        }
        assert_eq!(end, bytes, "{name}");
    }
}

#[test]
fn the_limits_are_the_constants() {
    let doc = doc();
    let limits = [
        ("CHUNK_BYTES_MAX", u64::from(CHUNK_BYTES_MAX)),
        ("CHUNKS_PER_SEGMENT_MAX", u64::from(CHUNKS_PER_SEGMENT_MAX)),
        ("SEEK_ENTRIES_MAX", SEEK_ENTRIES_MAX as u64),
        ("HEADER_BYTES", HEADER_BYTES as u64),
        ("RECORD_BYTES", RECORD_BYTES as u64),
        ("NEEDLE_BYTES", NEEDLE_BYTES as u64),
        ("FOOTER_BYTES", FOOTER_BYTES as u64),
        ("SLOT_BYTES", SLOT_BYTES as u64),
        ("HOLES_MAX", HOLES_MAX as u64),
    ];
    for (name, value) in limits {
        assert!(doc.contains(&format!("\n| `{name}` | {value} |")), "{name} = {value}");
    }
    for family in Family::ALL {
        // n + 3 * blocks + 18, and n + 27
        for n in [1, 128 << 10, (128 << 10) + 1, CHUNK_BYTES_MAX] {
            let extra = if family == Family::Zstd { 3 * n.div_ceil(128 << 10) + 18 } else { 27 };
            assert_eq!(frame::frame_bytes_max(family, n), n + extra);
        }
    }
}

/// What the layout tables say of a golden file, field by field, against what the code reads from it.
#[test]
fn the_layout_tables_say_what_the_code_reads() {
    let doc = doc();
    for family in Family::ALL {
        let file = golden::file(family);
        let header = SegmentHeader::decode(file.first_chunk().unwrap()).unwrap();
        let expected: [(&str, &[u8]); 8] = [
            ("store id", &header.store.0),
            ("segment number", &header.number.0.to_le_bytes()),
            ("first sequence number", &header.first_seq.0.to_le_bytes()),
            ("first stream offset", &header.first_offset.0.to_le_bytes()),
            ("largest chunk", &header.chunk_bytes_max.to_le_bytes()),
            ("salt", &header.salt.0.to_le_bytes()),
            ("creation time", &header.created_ns.to_le_bytes()),
            ("family", &header.family.code().to_le_bytes()),
        ];
        check(&header_layout(&doc, family), &file, &expected);
        for (at, next) in structures(&file) {
            let bytes = &file[at..at + RECORD_BYTES];
            match next {
                Next::Chunk(record) => check(
                    &layout(&doc, "record"),
                    bytes,
                    &[
                        ("store id, first half", &header.store.prefix()),
                        ("salt", &header.salt.0.to_le_bytes()),
                        ("sequence number", &record.seq.0.to_le_bytes()),
                        ("stream offset", &record.offset.0.to_le_bytes()),
                        ("raw length", &record.raw_len.to_le_bytes()),
                        ("frame length", &record.frame_len.to_le_bytes()),
                        ("raw checksum", &record.raw_crc.to_le_bytes()),
                        ("frame checksum", &record.frame_crc.to_le_bytes()),
                        ("codec", &[record.codec.code()]),
                        ("flags", &[u8::from(record.record_end)]),
                    ],
                ),
                Next::Seal(seal) => check(
                    &layout(&doc, "seal"),
                    bytes,
                    &[
                        ("next sequence number", &seal.next_seq.0.to_le_bytes()),
                        ("end offset", &seal.end_offset.0.to_le_bytes()),
                        ("chunks", &seal.chunks.to_le_bytes()),
                        ("table length", &seal.table_len.to_le_bytes()),
                        ("table checksum", &seal.table_crc.to_le_bytes()),
                        ("end flags", &[u8::from(seal.end == EndState::End)]),
                    ],
                ),
                Next::Skip { .. } => panic!("no frames of others here"),
            }
        }
    }
}

#[test]
fn the_layout_table_of_a_slot_says_what_the_code_writes() {
    let place = |n: u64| Position { segment: SegmentNumber(n), seq: ChunkSeq(n + 1), offset: StreamOffset(n + 2) };
    let hole = Hole { from: place(20), to: place(30), bytes: 40, attempts: 50, left_behind: true };
    let slot = Slot {
        kind: SlotKind::Cursor,
        store: StoreId(*b"0123456789abcdef"),
        generation: 7,
        position: place(10),
        written_ns: 60,
        state: SlotState::Incomplete,
        holes: vec![hole],
    };
    let hole: Vec<u8> =
        [20, 21, 22, 30, 31, 32, 40, 0x0001_0000_0032].into_iter().flat_map(|word: u64| word.to_le_bytes()).collect();
    let bytes = slot.encode();
    let holes = [hole, vec![0; 64 * (HOLES_MAX - 1)]].concat();
    check(
        &layout(&doc(), "slot"),
        &bytes,
        &[
            ("magic", b"SPCU\x0D\x0A\x1A\x0A"),
            ("major", &[1, 0]),
            ("store id", &slot.store.0),
            ("generation", &[7, 0, 0, 0, 0, 0, 0, 0]),
            ("segment", &[10, 0, 0, 0, 0, 0, 0, 0]),
            ("sequence number", &[11, 0, 0, 0, 0, 0, 0, 0]),
            ("stream offset", &[12, 0, 0, 0, 0, 0, 0, 0]),
            ("time of writing", &[60, 0, 0, 0, 0, 0, 0, 0]),
            ("state", &[2]),
            ("flags", &[0]),
            ("hole count", &[1, 0]),
            ("holes", &holes),
            ("checksum", &crc32(&bytes[..0xFFC]).to_le_bytes()),
        ],
    );
}

fn check(fields: &[Field], bytes: &[u8], expected: &[(&str, &[u8])]) {
    for (name, value) in expected {
        let field = fields.iter().find(|field| field.name == *name).unwrap_or_else(|| panic!("no field {name}"));
        assert_eq!(&bytes[field.at..field.at + field.size], *value, "{name}");
    }
}

/// Where the records and the seal stand, and what they are.
fn structures(file: &[u8]) -> Vec<(usize, Next)> {
    let header = SegmentHeader::decode(file.first_chunk().unwrap()).unwrap();
    let mut walker = SegmentWalker::new(&header);
    let mut out = Vec::new();
    loop {
        let at = usize::try_from(walker.at()).unwrap();
        let next = walker.step(file[at..].first_chunk().unwrap()).unwrap();
        out.push((at, next));
        if matches!(next, Next::Seal(_)) {
            return out;
        }
    }
}

/// The bytes of a hexdump and its annotation: one line a field, more where a field has more than 16 bytes.
fn hexdump(doc: &str, file: &[u8], family: Family) -> String {
    let mut out = String::new();
    let mut line = |at: usize, size: usize, note: &str| {
        for (i, bytes) in file[at..at + size].chunks(BYTES_PER_LINE).enumerate() {
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let note = if i == 0 { note } else { "" };
            let text = format!("{:04x}  {:47}  {note}", at + i * BYTES_PER_LINE, hex.join(" "));
            writeln!(out, "{}", text.trim_end()).unwrap();
        }
    };
    let note = |field: &Field, bytes: &[u8]| {
        let plain =
            ["number", "offset", "length", "chunk", "chunks", "codec", "flags", "family", "time", "major", "minor"];
        if field.size <= 8 && plain.iter().any(|word| field.name.split(' ').any(|part| part == *word)) {
            let mut wide = [0; 8];
            wide[..field.size].copy_from_slice(bytes);
            return format!("{} = {}", field.name, u64::from_le_bytes(wide));
        }
        field.name.clone()
    };
    let mut table = |base: usize, fields: &[Field]| {
        for field in fields {
            let at = base + field.at;
            line(at, field.size, &note(field, &file[at..at + field.size]));
        }
    };
    table(0, &header_layout(doc, family));
    for (at, next) in structures(file) {
        let after = at + RECORD_BYTES;
        match next {
            Next::Chunk(record) => {
                table(at, &layout(doc, "record"));
                let name = format!("data frame of {} raw bytes", record.raw_len);
                table(after, &[Field { at: 0, size: record.frame_len as usize, name }]);
            }
            Next::Seal(seal) => {
                table(at, &layout(doc, "seal"));
                let field = |at, size, name: &str| Field { at, size, name: name.to_owned() };
                let mut fields = vec![field(0, 4, "seek table magic"), field(4, 4, "skippable length")];
                let footer = seal.table_len as usize - FOOTER_BYTES;
                for at in (8..footer).step_by(8) {
                    let word = |at| u32::from_le_bytes(*file[after + at..].first_chunk().unwrap());
                    fields.push(field(at, 8, &format!("frame of {} bytes, {} raw", word(at), word(at + 4))));
                }
                fields.push(field(footer, 4, "number of entries"));
                fields.push(field(footer + 4, 1, "descriptor"));
                fields.push(field(footer + 5, 4, "footer magic"));
                table(after, &fields);
            }
            Next::Skip { .. } => panic!("no frames of others here"),
        }
    }
    out
}

/// The hexdump of this family in the text.
fn hexdump_in(doc: &str, family: Family) -> &str {
    let mark = format!("```hexdump {}\n", family.extension());
    let (_, rest) = doc.split_once(&mark).expect("a hexdump of this family");
    rest.split_once("```").expect("its end").0
}

#[test]
fn the_hexdumps_are_the_golden_files() {
    let doc = doc();
    for family in Family::ALL {
        let mut bytes = Vec::new();
        for line in hexdump_in(&doc, family).lines() {
            let at = usize::from_str_radix(&line[..4], 16).expect(line);
            assert_eq!(at, bytes.len(), "{line}");
            let hex = line[6..].get(..47).unwrap_or(&line[6..]);
            bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect(line)));
        }
        assert!(bytes == golden::file(family), "{family:?}");
    }
}

#[test]
fn the_hexdumps_annotations_are_what_the_tables_and_the_code_say() {
    let doc = doc();
    for family in Family::ALL {
        let (found, expected) = (hexdump_in(&doc, family), hexdump(&doc, &golden::file(family), family));
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected);
        }
        assert_eq!(found.lines().count(), expected.lines().count());
    }
}

#[test]
#[ignore = "writes the hexdumps into docs/format.md"]
fn write_the_hexdumps() {
    let mut text = doc();
    for family in Family::ALL {
        let old = hexdump_in(&text, family);
        let start = old.as_ptr() as usize - text.as_ptr() as usize;
        let range = start..start + old.len();
        let new = hexdump(&text, &golden::file(family), family);
        text.replace_range(range, &new);
    }
    std::fs::write(doc_path(), text).unwrap();
}
