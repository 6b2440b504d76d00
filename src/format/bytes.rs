//! Little-endian cursors over fixed-size arrays: the only place where offsets meet bytes.
//!
//! Both panic when the layout does not fill the array exactly, which the layout tests exercise; neither ever sees
//! a length that came from outside.

/// Writes fields one after another into an array of `N` bytes.
pub(super) struct Put<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Put<N> {
    pub(super) fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    pub(super) fn raw(mut self, field: &[u8]) -> Self {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
        self
    }

    pub(super) fn u8(self, v: u8) -> Self {
        self.raw(&[v])
    }

    pub(super) fn u16(self, v: u16) -> Self {
        self.raw(&v.to_le_bytes())
    }

    pub(super) fn u32(self, v: u32) -> Self {
        self.raw(&v.to_le_bytes())
    }

    pub(super) fn u64(self, v: u64) -> Self {
        self.raw(&v.to_le_bytes())
    }

    /// Leaves zeros up to offset `to`.
    pub(super) fn zeros_to(mut self, to: usize) -> Self {
        assert!(to >= self.at && to <= N, "field offsets go forward");
        self.at = to;
        self
    }

    /// What has been written so far, for a checksum over it.
    pub(super) fn so_far(&self) -> &[u8] {
        &self.bytes[..self.at]
    }

    pub(super) fn done(self) -> [u8; N] {
        assert_eq!(self.at, N, "the fields fill the array");
        self.bytes
    }
}

/// Reads fields one after another from an array of `N` bytes.
pub(super) struct Take<'a, const N: usize> {
    bytes: &'a [u8; N],
    at: usize,
}

impl<'a, const N: usize> Take<'a, N> {
    pub(super) fn new(bytes: &'a [u8; N]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn array<const M: usize>(&mut self) -> [u8; M] {
        let mut out = [0; M];
        out.copy_from_slice(&self.bytes[self.at..self.at + M]);
        self.at += M;
        out
    }

    pub(super) fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// Whether the bytes up to offset `to` are all zero.
    pub(super) fn zeros_to(&mut self, to: usize) -> bool {
        let zero = self.bytes[self.at..to].iter().all(|&b| b == 0);
        self.at = to;
        zero
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }
}
