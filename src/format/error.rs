//! What can be wrong with bytes that claim to be ours.

/// Why some bytes are not what the format says they must be. Carries the numbers, not the place: the caller, who
/// knows the file and the offset, adds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The bytes do not start as this structure does.
    #[error("no {what} here: expected {expected:#010x}, found {found:#010x}")]
    Magic {
        /// The structure that was looked for.
        what: &'static str,
        /// The first mark that must be there.
        expected: u32,
        /// What was there.
        found: u32,
    },
    /// A checksum does not match.
    #[error("{what} checksum does not match: stored {stored:#010x}, computed {computed:#010x}")]
    Checksum {
        /// What the checksum covers.
        what: &'static str,
        /// As stored.
        stored: u32,
        /// As computed from the bytes.
        computed: u32,
    },
    /// A whole structure, but of another segment or another store: data nested in the data, or a stray file.
    #[error("{what} of another segment")]
    Foreign {
        /// The structure.
        what: &'static str,
    },
    /// A field holds a value that it may not have.
    #[error("{field} is {value}, which is not allowed here (expected {expected})")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The limit or the value that it must have.
        expected: u64,
    },
    /// A length is beyond what its bound allows: refused before anything is allocated.
    #[error("{field} is {value} bytes, over the limit of {limit}")]
    TooLong {
        /// The length field.
        field: &'static str,
        /// Its value in bytes.
        value: u64,
        /// The most it may be.
        limit: u64,
    },
    /// The bytes end before the structure does.
    #[error("{what} is cut short: {have} of {need} bytes")]
    Short {
        /// The structure.
        what: &'static str,
        /// Bytes there.
        have: u64,
        /// Bytes needed.
        need: u64,
    },
    /// The frame is well-formed on the outside, but its codec cannot decode it to the length it states.
    #[error("the {codec} frame does not decode")]
    Undecodable {
        /// The codec.
        codec: &'static str,
    },
    /// The file was written by a later, incompatible version.
    #[error("format version {major}.{minor} is newer than this program reads (1.x)")]
    Major {
        /// Major version found.
        major: u16,
        /// Minor version found.
        minor: u16,
    },
    /// The file uses a feature that this program does not know and must not ignore.
    #[error("the file needs unknown feature bits {bits:#010x}")]
    Incompatible {
        /// The unknown bits.
        bits: u32,
    },
}
