//! Sizes as people write and read them: `256K`, `1.5G`, `5%` in; `61 MiB` out.
//!
//! All units are powers of 1024, as in mbuffer and pv: `1K`, `1Ki`, `1KB`, `1KiB` and `1k` are all 1024 bytes. Pure,
//! and never in floating point where a byte could be lost on the way in.

use std::fmt;
use std::str::FromStr;

/// Letters of the units, each 1024 times the one before.
const UNITS: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];

/// Most digits behind the decimal point: more would overflow the exact arithmetic below.
const FRACTION_DIGITS_MAX: u32 = 15;
const _: () = assert!(10_u128.pow(FRACTION_DIGITS_MAX) << (10 * UNITS.len()) < 1 << 127);

/// A number of bytes, written as briefly as is exact.
///
/// ```
/// use spillpipe::units::ByteSize;
/// assert_eq!("1.5k".parse(), Ok(ByteSize(1536)));
/// assert_eq!(ByteSize(256 << 10).to_string(), "256K");
/// assert_eq!("12Q".parse::<ByteSize>().unwrap_err().to_string(), "unknown unit 'Q': it takes B, K, M, G, T, P or E");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A number of bytes, or a percentage of something that is at hand only later.
///
/// ```
/// use spillpipe::units::Amount;
/// assert_eq!("5%".parse(), Ok(Amount::Percent(5.0)));
/// assert_eq!("64M".parse(), Ok(Amount::Bytes(64 << 20)));
/// assert!("101%".parse::<Amount>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// So many percent, 0 to 100.
    Percent(f64),
}

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSizeError {
    /// It does not begin with a number.
    #[error("a size is a number and a unit, as in 64M")]
    NoNumber,
    /// It is below zero.
    #[error("a size is not negative")]
    Negative,
    /// There is no such unit.
    #[error("unknown unit '{0}': it takes B, K, M, G, T, P or E")]
    Unit(String),
    /// More digits behind the point than can be told apart.
    #[error("more than {FRACTION_DIGITS_MAX} digits behind the decimal point")]
    Fraction,
    /// It does not fit 64 bits.
    #[error("larger than 16 EiB")]
    TooLarge,
    /// A percentage is over 100, or no number.
    #[error("a percentage is a number from 0 to 100")]
    Percent,
}

impl FromStr for ByteSize {
    type Err = ParseSizeError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let negative = s.strip_prefix('-').is_some_and(|rest| split_number(rest).is_some());
        let not_a_size = if negative { ParseSizeError::Negative } else { ParseSizeError::NoNumber };
        let (whole, fraction, unit) = split_number(s).ok_or(not_a_size)?;
        let shift = unit_shift(unit).ok_or_else(|| ParseSizeError::Unit(unit.to_owned()))?;
        let places = u32::try_from(fraction.len()).ok().filter(|&places| places <= FRACTION_DIGITS_MAX);
        let denominator = 10_u128.pow(places.ok_or(ParseSizeError::Fraction)?);
        // All of it is digits, so only a number that is too large fails to parse.
        let whole: u64 = digits(whole)?;
        let numerator = u128::from(digits(fraction)?) << shift;
        let bytes = (u128::from(whole) << shift) + numerator / denominator;
        u64::try_from(bytes).map(Self).map_err(|_| ParseSizeError::TooLarge)
    }
}

/// Splits `1.5GiB` into `1`, `5` and `GiB`; `None` when it has no digit in front.
fn split_number(s: &str) -> Option<(&str, &str, &str)> {
    let run = |s: &str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
    let (whole, rest) = s.split_at(run(s));
    let (fraction, unit) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(run(rest)),
        None => ("", rest),
    };
    (!whole.is_empty()).then_some((whole, fraction, unit))
}

fn digits(s: &str) -> Result<u64, ParseSizeError> {
    if s.is_empty() { Ok(0) } else { s.parse().map_err(|_| ParseSizeError::TooLarge) }
}

/// The power of two that a unit stands for.
fn unit_shift(unit: &str) -> Option<usize> {
    let unit = unit.to_ascii_uppercase();
    if unit.is_empty() || unit == "B" {
        return Some(0);
    }
    let mut rest = unit.chars();
    let letter = rest.next()?;
    let place = UNITS.iter().position(|&known| known == letter)?;
    matches!(rest.as_str(), "" | "B" | "I" | "IB").then_some((place + 1) * 10)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut number, mut unit) = (self.0, None);
        for letter in UNITS {
            if number == 0 || number % 1024 != 0 {
                break;
            }
            (number, unit) = (number / 1024, Some(letter));
        }
        write!(f, "{number}")?;
        unit.map_or(Ok(()), |letter| write!(f, "{letter}"))
    }
}

impl FromStr for Amount {
    type Err = ParseSizeError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let Some(number) = s.strip_suffix('%') else {
            return s.parse().map(|ByteSize(bytes)| Self::Bytes(bytes));
        };
        // `f64` would take "inf", "nan" and "1e1" too.
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match number.parse() {
            Ok(percent) if plain && (0.0..=100.0).contains(&percent) => Ok(Self::Percent(percent)),
            _ => Err(ParseSizeError::Percent),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => ByteSize(*bytes).fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Bytes for a sentence: two or three figures are enough.
///
/// ```
/// use spillpipe::units::human;
/// assert_eq!([human(0), human(1023), human(1536), human(61 << 20)], ["0 B", "1023 B", "1.5 KiB", "61 MiB"]);
/// ```
#[must_use]
pub fn human(bytes: u64) -> String {
    match scaled(bytes) {
        (_, None) => format!("{bytes} B"),
        (number, Some(letter)) if number < 9.95 => format!("{number:.1} {letter}iB"),
        (number, Some(letter)) => format!("{number:.0} {letter}iB"),
    }
}

/// Most characters that [`compact`] returns.
pub const COMPACT_CHARS_MAX: usize = 5;

/// Bytes for a column: three figures and a letter, at most [`COMPACT_CHARS_MAX`] characters.
///
/// ```
/// use spillpipe::units::compact;
/// assert_eq!([compact(0), compact(1023), compact(1536), compact(61 << 20)], ["0B", "1023B", "1.50K", "61.0M"]);
/// ```
#[must_use]
pub fn compact(bytes: u64) -> String {
    match scaled(bytes) {
        (_, None) => format!("{bytes}B"),
        (number, Some(letter)) if number < 9.995 => format!("{number:.2}{letter}"),
        (number, Some(letter)) if number < 99.95 => format!("{number:.1}{letter}"),
        (number, Some(letter)) => format!("{number:.0}{letter}"),
    }
}

/// A number below 1023.5, so that rounding never shows "1024 MiB", and the letter of its unit.
#[expect(clippy::cast_precision_loss, reason = "three figures for people")]
fn scaled(bytes: u64) -> (f64, Option<char>) {
    let (mut number, mut unit) = (bytes as f64, None);
    for letter in UNITS {
        if number < 1023.5 {
            break;
        }
        (number, unit) = (number / 1024.0, Some(letter));
    }
    (number, unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(s: &str) -> Result<u64, ParseSizeError> {
        s.parse().map(|ByteSize(bytes)| bytes)
    }

    #[test]
    fn every_way_to_write_a_size() {
        for (text, expected) in [
            ("0", 0),
            ("12", 12),
            ("12B", 12),
            ("1k", 1 << 10),
            ("1K", 1 << 10),
            ("1kB", 1 << 10),
            ("1KiB", 1 << 10),
            ("64Mi", 64 << 20),
            ("1.5M", 3 << 19),
            ("1.M", 1 << 20),
            ("0.5g", 1 << 29),
            ("2T", 2 << 40),
            ("15.999E", 18_445_591_152_204_944_769),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_says_why() {
        use ParseSizeError::{Fraction, NoNumber, TooLarge};
        for text in ["", "M", "-", "-M", "+1", " 1", ".5M", "five"] {
            assert_eq!(bytes(text), Err(NoNumber), "{text}");
        }
        for text in ["-1", "-1.5G"] {
            assert_eq!(bytes(text), Err(ParseSizeError::Negative), "{text}");
        }
        for text in ["12Q", "1KK", "1 M", "1M ", "1e3", "1.5.5", "1i", "5%", "1\u{a7}"] {
            assert!(matches!(bytes(text), Err(ParseSizeError::Unit(_))), "{text}");
        }
        for text in ["16E", "18446744073709551616", "99999999999999999999999999999T"] {
            assert_eq!(bytes(text), Err(TooLarge), "{text}");
        }
        assert_eq!(bytes("1.0000000000000000M"), Err(Fraction));
        for text in ["101%", "-1%", "nan%", "inf%", "1e1%", "%", "1.2.3%", "5%%"] {
            assert_eq!(text.parse::<Amount>(), Err(ParseSizeError::Percent), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(n: u64) {
            prop_assert_eq!(bytes(&ByteSize(n).to_string()), Ok(n));
            prop_assert_eq!(Amount::Bytes(n).to_string().parse(), Ok(Amount::Bytes(n)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", number in "[0-9]{0,40}(\\.[0-9]{0,40})?[a-zA-Z%]{0,3}") {
            let _ = (text.parse::<Amount>(), number.parse::<Amount>());
        }

        #[test]
        fn columns_stay_within_their_width(shift in 0_u32..64, n: u64) {
            prop_assert!(compact(n >> shift).len() <= COMPACT_CHARS_MAX);
        }
    }
}
