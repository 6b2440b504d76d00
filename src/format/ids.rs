//! Newtypes for the numbers that must never be swapped with one another.

use std::fmt;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The value `n` further on, or `None` past the end of the number line.
            #[must_use]
            pub fn checked_add(self, n: u64) -> Option<Self> {
                self.0.checked_add(n).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// Which segment of a store: counts up from 1, never reused.
    SegmentNumber
}
counter! {
    /// Which chunk of a stream: counts up from 0, one a chunk.
    ChunkSeq
}
counter! {
    /// Where in the stream: raw bytes since its start.
    StreamOffset
}

/// Identity of a store, random, the same in all its segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StoreId(pub [u8; 16]);

impl StoreId {
    /// The first 8 bytes, which every record repeats.
    #[must_use]
    pub fn prefix(&self) -> [u8; 8] {
        std::array::from_fn(|i| self.0[i])
    }
}

/// Random number of one segment, repeated in its records: tells them from a store nested in the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Salt(pub u32);
