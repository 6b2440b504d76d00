//! The codecs there are, and how a user names one.

use crate::format::{CodecId, Family};
use std::fmt;
use std::str::FromStr;

/// One codec: all that help texts, tests, fuzz targets and benches iterate.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// As the user writes it.
    pub name: &'static str,
    /// As the format numbers it.
    pub id: CodecId,
    /// A setting of it that stands for the whole.
    pub example: Codec,
    /// What it is good for, in a few words.
    pub about: &'static str,
}

/// Number of rows in [`TABLE`].
pub const CODEC_COUNT: usize = TABLE.len();

/// Every codec.
///
/// ```
/// use spillpipe::codec::TABLE;
/// let names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
/// assert_eq!(names, ["none", "lz4", "zstd"]);
/// ```
pub const TABLE: [Row; 3] = [
    Row { name: "none", id: CodecId::Raw, example: Codec::Raw, about: "as it is, checksummed only" },
    Row { name: "lz4", id: CodecId::Lz4, example: Codec::Lz4, about: "fastest" },
    Row {
        name: "zstd",
        id: CodecId::Zstd,
        example: Codec::Zstd(ZstdLevel::FASTEST),
        about: "smaller; zstd:LEVEL sets the level, 1 to 19 [3]",
    },
];

/// The place of a codec in [`TABLE`].
#[must_use]
pub const fn table_index(id: CodecId) -> usize {
    match id {
        CodecId::Raw => 0,
        CodecId::Lz4 => 1,
        CodecId::Zstd => 2,
    }
}

const _: () = {
    let mut i = 0;
    while i < TABLE.len() {
        assert!(table_index(TABLE[i].id) == i, "every codec has its row");
        i += 1;
    }
    assert!(TABLE.len() == CodecId::ALL.len());
};

/// How one chunk is to be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Not at all.
    Raw,
    /// With LZ4.
    Lz4,
    /// With zstd at a level.
    Zstd(ZstdLevel),
}

/// A zstd level, 1 to 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZstdLevel(u8);

impl ZstdLevel {
    /// Level 1.
    pub const FASTEST: Self = Self(1);
    /// Level 3, zstd's own default.
    pub const DEFAULT: Self = Self(3);
    /// Level 19, the highest.
    pub const BEST: Self = Self(19);

    /// The level `level`; `None` when there is no such.
    #[must_use]
    pub fn new(level: u8) -> Option<Self> {
        (Self::FASTEST.0..=Self::BEST.0).contains(&level).then_some(Self(level))
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Codec {
    /// The family of segment that its frames go into; `None` when either will do.
    #[must_use]
    pub fn family(self) -> Option<Family> {
        match self {
            Self::Raw => None,
            Self::Lz4 => Some(Family::Lz4),
            Self::Zstd(_) => Some(Family::Zstd),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw => f.write_str("none"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Zstd(level) => write!(f, "zstd:{}", level.0),
        }
    }
}

/// What the user asks for: a codec, or the policy that picks one chunk by chunk.
///
/// ```
/// use spillpipe::codec::{Choice, Codec, ZstdLevel};
/// assert_eq!("auto".parse(), Ok(Choice::Auto));
/// assert_eq!("zstd".parse(), Ok(Choice::Fixed(Codec::Zstd(ZstdLevel::DEFAULT))));
/// assert_eq!("zstd:99".parse::<Choice>().unwrap_err().to_string(), "zstd level '99' is not between 1 and 19");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Adapt to the pressure.
    Auto,
    /// Always this one.
    Fixed(Codec),
}

/// Why a name is no [`Choice`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseChoiceError {
    /// There is no such codec.
    #[error("unknown codec '{0}': it takes auto, zstd, zstd:LEVEL, lz4 or none")]
    Unknown(String),
    /// There is no such level.
    #[error("zstd level '{0}' is not between 1 and 19")]
    Level(String),
}

impl FromStr for Choice {
    type Err = ParseChoiceError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(match s.split_once(':') {
            None if s == "auto" => Self::Auto,
            None if s == "none" => Self::Fixed(Codec::Raw),
            None if s == "lz4" => Self::Fixed(Codec::Lz4),
            None if s == "zstd" => Self::Fixed(Codec::Zstd(ZstdLevel::DEFAULT)),
            Some(("zstd", level)) => {
                let parsed = level.parse().ok().and_then(ZstdLevel::new);
                Self::Fixed(Codec::Zstd(parsed.ok_or_else(|| ParseChoiceError::Level(level.to_owned()))?))
            }
            _ => return Err(ParseChoiceError::Unknown(s.to_owned())),
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(codec) => codec.fmt(f),
        }
    }
}
