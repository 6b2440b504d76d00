//! The archives that the tools are given, and what is in them.

use crate::samples::{archives, noise, text};
use spillpipe::archive::{Writer, WriterOptions};
use spillpipe::codec::{Codec, ZstdLevel};
use spillpipe::format::{EndState, Family};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An archive, and its data.
pub(crate) struct Archive {
    pub(crate) path: PathBuf,
    pub(crate) data: Vec<u8>,
    /// One sealed segment: its seek table covers all of it.
    pub(crate) is_seekable: bool,
}

/// The golden ones that end between two frames, one written now, and several in one file.
pub(crate) struct Archives {
    _directory: TempDir,
    pub(crate) list: Vec<Archive>,
}

impl Archives {
    pub(crate) fn new(family: Family) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut list: Vec<Archive> = archives::NAMES
            .into_iter()
            .filter(|name| *name != "torn")
            .map(|name| Archive {
                path: archives::path(name, family),
                data: archives::data(name, family),
                is_seekable: !["segments", "pushes", "streams", "unsealed"].contains(&name),
            })
            .collect();
        let data = [text(1, 900_000), noise(1, 300_000), vec![0; 500_000], text(2, 77)].concat();
        let path = directory.path().join(format!("fresh.{}", family.extension()));
        pack(family, &data, &path);
        let twice = directory.path().join(format!("twice.{}", family.extension()));
        let files = [&path, &list[1].path, &path].map(|path| std::fs::read(path).unwrap());
        std::fs::write(&twice, files.concat()).unwrap();
        let data_twice = [&data, &list[1].data, &data].map(Vec::as_slice).concat();
        list.push(Archive { path, data, is_seekable: true });
        list.push(Archive { path: twice, data: data_twice, is_seekable: false });
        Self { _directory: directory, list }
    }

    pub(crate) fn seekable(&self) -> impl Iterator<Item = &Archive> {
        self.list.iter().filter(|archive| archive.is_seekable)
    }
}

/// Writes an archive as `spillpipe pack` does.
pub(crate) fn pack(family: Family, data: &[u8], path: &Path) {
    let mut options = WriterOptions::default();
    options.chunk_bytes = 160 << 10;
    options.codec = if family == Family::Zstd { Codec::Zstd(ZstdLevel::DEFAULT) } else { Codec::Lz4 };
    let mut writer = Writer::new(Vec::new(), &options).unwrap();
    writer.write_all(data).unwrap();
    std::fs::write(path, writer.finish(EndState::End).unwrap().0).unwrap();
}
