//! Random numbers, for identities and names.

use rustix::io::retry_on_intr;
use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// Fills `buf` from the kernel's generator.
///
/// # Errors
/// What the system said.
pub(crate) fn fill_random(buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        // Large requests may come back short.
        let n = retry_on_intr(|| getrandom(&mut buf[filled..], GetRandomFlags::empty()))?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += n;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_filled() -> std::io::Result<()> {
        // 4 KiB in 256-byte rows: a row that stayed zero would say that the tail was not reached.
        let mut buf = [0; 4096];
        fill_random(&mut buf)?;
        assert!(buf.chunks(256).all(|row| row.iter().any(|&b| b != 0)));
        Ok(())
    }
}
