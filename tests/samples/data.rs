//! Data that does not compress, and data that does.

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15);
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    })
    .take(len)
    .collect()
}

/// Lines that compress, the same for the same seed.
pub(crate) fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 64);
    let mut i = seed;
    while out.len() < len {
        out.extend(format!("INSERT INTO t VALUES ({i}, {}, 'row');\n", i.wrapping_mul(7919) % 1009).bytes());
        i += 1;
    }
    out.truncate(len);
    out
}
