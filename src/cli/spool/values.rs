//! The values that only the options of a spool take. Pure.

use spillpipe::format::StreamOffset;
use spillpipe::spool::{Records, Start, Sync};
use spillpipe::units::{ByteSize, ParseSizeError};
use std::str::FromStr;
use std::time::Duration;

/// The longest time that can be given, in seconds.
const SECONDS_MAX: f64 = 86_400.0;
const TIME_UNITS: [(&str, f64); 6] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0)];

/// A time as people write it: `100ms`, `1.5s`, `2m`. Without a unit only nothing at all is clear.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let no_duration = || "a duration is a number and a unit: ms, s, min, h or d, as in 100ms".to_owned();
    let number: f64 = number.parse().map_err(|_| no_duration())?;
    let scale = match TIME_UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, scale)) => *scale,
        None if unit.is_empty() && number == 0.0 => 0.0,
        None => return Err(no_duration()),
    };
    let seconds = number * scale;
    if seconds > SECONDS_MAX { Err("it is longer than a day".to_owned()) } else { Ok(Duration::from_secs_f64(seconds)) }
}

/// The value of `--sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct SyncArg(pub(in crate::cli) Sync);

impl FromStr for SyncArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "none" => Ok(Self(Sync::Asked)),
            None if text == "chunk" => Ok(Self(Sync::EveryChunk)),
            // A bare number is what the help calls it: milliseconds.
            Some(("interval", time)) => match duration(&milliseconds(time))? {
                Duration::ZERO => Err("it must be more than 0; 'chunk' syncs at once".to_owned()),
                time => Ok(Self(Sync::Interval(time))),
            },
            _ => Err("it is none of: none, interval:MS, chunk".to_owned()),
        }
    }
}

/// With a unit, if it has none.
fn milliseconds(time: &str) -> String {
    if time.ends_with(|c: char| c.is_ascii_digit()) { format!("{time}ms") } else { time.to_owned() }
}

/// The values of `--records`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum RecordsArg {
    /// Chunks end anywhere
    None,
    /// After each newline
    Lines,
    /// After each zero byte
    Nul,
}

impl From<RecordsArg> for Records {
    fn from(arg: RecordsArg) -> Self {
        match arg {
            RecordsArg::None => Self::None,
            RecordsArg::Lines => Self::Lines,
            RecordsArg::Nul => Self::Nul,
        }
    }
}

/// The values of `--from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum FromArg {
    /// With the oldest data there is
    Oldest,
    /// With what is pushed from now on
    Newest,
}

impl From<FromArg> for Start {
    fn from(arg: FromArg) -> Self {
        match arg {
            FromArg::Oldest => Self::Oldest,
            FromArg::Newest => Self::Newest,
        }
    }
}

/// Where `reader seek` goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum SeekArg {
    Oldest,
    Newest,
    /// A byte of the stream.
    At(StreamOffset),
    /// So many bytes on.
    Forward(u64),
}

impl FromStr for SeekArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = |text: &str| {
            let size: Result<ByteSize, ParseSizeError> = text.parse();
            size.map(|size| size.0).map_err(|error| format!("{error}; or it is 'oldest' or 'newest'"))
        };
        match text {
            "oldest" => Ok(Self::Oldest),
            "newest" => Ok(Self::Newest),
            text => match text.strip_prefix('+') {
                Some(size) => bytes(size).map(Self::Forward),
                None => bytes(text).map(|bytes| Self::At(StreamOffset(bytes))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_duration() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("100ms", 100),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("2min", 120_000),
            ("24h", 86_400_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "ms", "-1s", "1.2.3s", "nan", "1e3s", "5 s", "250", "0x1"] {
            let error = duration(text).expect_err(text);
            assert!(error.contains("a number and a unit"), "{text}: {error}");
        }
        assert_eq!(duration("25h"), Err("it is longer than a day".to_owned()));
        assert!(duration(&format!("{}d", "9".repeat(400))).is_err());
    }

    #[test]
    fn every_way_to_sync() {
        let sync = |text: &str| text.parse::<SyncArg>().map(|arg| arg.0);
        assert_eq!(sync("none"), Ok(Sync::Asked));
        assert_eq!(sync("chunk"), Ok(Sync::EveryChunk));
        assert_eq!(sync("interval:250"), Ok(Sync::Interval(Duration::from_millis(250))));
        assert_eq!(sync("interval:2s"), Ok(Sync::Interval(Duration::from_secs(2))));
        for text in [
            "",
            "always",
            "interval",
            "interval:",
            "interval:0",
            "interval:0s",
            "interval:x",
            "interval:2d",
            "chunk:5",
            "none:",
        ] {
            assert!(sync(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_place_to_seek_to() {
        let seek = |text: &str| text.parse::<SeekArg>();
        assert_eq!(seek("oldest"), Ok(SeekArg::Oldest));
        assert_eq!(seek("newest"), Ok(SeekArg::Newest));
        assert_eq!(seek("4096"), Ok(SeekArg::At(StreamOffset(4096))));
        assert_eq!(seek("1.5K"), Ok(SeekArg::At(StreamOffset(1536))));
        assert_eq!(seek("+10M"), Ok(SeekArg::Forward(10 << 20)));
        for text in ["", "+", "-1", "middle", "+newest", "++1"] {
            assert!(seek(text).is_err(), "{text}");
        }
    }
}
