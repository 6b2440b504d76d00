//! How chunks are compressed: one table of codecs, the contexts that do the work, and the policy that picks one.
//!
//! Pure: bytes in, bytes out. No I/O, no clock, no threads.

mod choice;
mod decode;
mod encode;
mod policy;

pub use choice::{CODEC_COUNT, Choice, Codec, ParseChoiceError, Row, TABLE, ZstdLevel, table_index};
pub use decode::Decoder;
pub use encode::{Encoded, Encoder, encoder_bytes_max};
pub use policy::{Load, Outcome, Plan, Policy};
