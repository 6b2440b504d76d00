//! `readers CRATE FILE FROM TO`: those bytes of the data, found by the seek table, to stdout. Without `FROM TO`, all of
//! them.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [reader, file] = [&args[0], &args[1]];
    let range = match &args[2..] {
        [from, to] => Some((from.parse()?, to.parse()?)),
        _ => None,
    };
    let mut out = Vec::new();
    match reader.as_str() {
        "zeekstd" => zeekstd(file, range, &mut out)?,
        "zstd-framed" => zstd_framed(file, range, &mut out)?,
        _ => return Err("zeekstd or zstd-framed".into()),
    }
    std::io::stdout().write_all(&out)?;
    Ok(())
}

fn zeekstd(file: &str, range: Option<(u64, u64)>, out: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let mut decoder = zeekstd::Decoder::new(File::open(file)?)?;
    if let Some((from, to)) = range {
        decoder.set_offset(from)?;
        decoder.set_offset_limit(to)?;
    }
    decoder.read_to_end(out)?;
    Ok(())
}

fn zstd_framed(file: &str, range: Option<(u64, u64)>, out: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    let mut file = BufReader::new(File::open(file)?);
    let table = zstd_framed::table::read_seek_table(&mut file)?.ok_or("no seek table")?;
    let mut reader = zstd_framed::ZstdReader::builder_buffered(file).with_seek_table(table).build()?;
    match range {
        Some((from, to)) => {
            reader.seek(SeekFrom::Start(from))?;
            reader.take(to - from).read_to_end(out)?;
        }
        None => {
            reader.read_to_end(out)?;
        }
    }
    Ok(())
}
