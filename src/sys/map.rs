//! A regular file in memory, to be read here and there without a copy.
//!
//! The kernel kills with SIGBUS whoever touches a page behind the end of the file. So the length is asked for before
//! each access, and a file that became shorter is an error. What remains is the moment between the two, and a disk that
//! fails under a page that is read: who cannot take that reads, and does not map.

use memmap2::{Advice, Mmap, MmapOptions};
use rustix::fs::fstat;
use std::fs::File;
use std::io;

/// Stretches that are asked for ahead as a whole; what is shorter comes page by page.
const AHEAD_BYTES_MIN: usize = 16 << 10;

/// The file, and what of it is mapped: all that was there.
#[derive(Debug)]
pub(crate) struct Mapping {
    file: File,
    map: Mmap,
}

impl Mapping {
    /// Maps all of a regular file.
    ///
    /// # Errors
    /// The file, when the system refuses.
    #[expect(unsafe_code, reason = "there is no other way to map a file")]
    pub(crate) fn new(file: File) -> Result<Self, File> {
        // SAFETY: it is mapped for reading only, and no reference into it outlives the mapping. Others may change the
        // file under it: who reads it takes any bytes, looks at their checksum, and decodes them with decoders that are
        // sound on any input into memory of its own, whose checksum is looked at again. That it does not become
        // shorter is seen to in `get`.
        let map = unsafe { MmapOptions::new().map(&file) };
        match map {
            Ok(map) => {
                // A hint: what is not asked for in `get` is not wanted.
                let _ = map.advise(Advice::Random);
                Ok(Self { file, map })
            }
            Err(_) => Err(file),
        }
    }

    /// The `len` bytes from `at` on, or as many as there were when it was mapped.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file became shorter; what the system said.
    pub(crate) fn get(&self, at: u64, len: usize) -> io::Result<&[u8]> {
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(self.map.len());
        let end = start.saturating_add(len).min(self.map.len());
        let len_now = u64::try_from(fstat(&self.file)?.st_size).unwrap_or(0);
        if len_now < end as u64 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        if end - start >= AHEAD_BYTES_MIN {
            // A hint, too.
            let _ = self.map.advise_range(Advice::WillNeed, start, end - start);
        }
        Ok(&self.map[start..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn mapped(bytes: &[u8]) -> (File, Mapping) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        (file.try_clone().unwrap(), Mapping::new(file).expect("it can be mapped"))
    }

    #[test]
    fn it_gives_what_is_there_and_no_more() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| i.to_le_bytes()[1]).collect();
        let (_file, map) = mapped(&bytes);
        assert_eq!(map.get(0, 10).unwrap(), &bytes[..10]);
        assert_eq!(map.get(50_000, 40_000).unwrap(), &bytes[50_000..90_000]);
        assert_eq!(map.get(99_999, 10).unwrap(), &bytes[99_999..]);
        assert!(map.get(100_000, 1).unwrap().is_empty() && map.get(u64::MAX, usize::MAX).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_becomes_shorter_is_an_error_and_what_is_left_can_be_read() {
        let (file, map) = mapped(&vec![7; 100_000]);
        file.set_len(10_000).unwrap();
        assert_eq!(map.get(9_999, 2).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(map.get(50_000, 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(map.get(9_990, 10).unwrap(), [7; 10]);
    }

    #[test]
    fn what_can_not_be_mapped_is_given_back() {
        let (reader, _writer) = io::pipe().unwrap();
        let pipe: File = std::os::fd::OwnedFd::from(reader).into();
        assert!(Mapping::new(pipe).is_err());
    }
}
