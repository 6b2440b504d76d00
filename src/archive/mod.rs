//! One file that holds a stream: written once, read by any tool of its family, and checked, searched and salvaged by
//! ours.

mod chain;
mod copy;
mod error;
mod foreign;
mod head;
mod index;
mod inputs;
mod known;
mod merge;
mod order;
mod parts;
mod plain;
mod read;
mod report;
pub mod salvage;
mod scan;
mod segments;
mod source;
mod span;
mod split;
mod steps;
mod stitch;
mod summary;
mod table;
mod track;
mod verify;
mod window;
mod write;

pub use copy::{Copied, CopyError, CopyOptions, copy_out};
pub use error::Error;
pub use foreign::{FOREIGN_HEAD_BYTES, Foreign};
pub use inputs::{Bond, Input, is_spool};
pub use merge::{Merge, Merged};
pub use parts::Parts;
pub use read::Reader;
pub use report::{End, Gap, Problem, ProblemKind};
pub use segments::{Identity, Written};
pub use source::Source;
pub use span::Span;
pub use split::{SPLIT_BYTES_MIN, Split, SplitUp};
pub use stitch::StitchError;
pub use summary::{RATIO_CLASSES, RATIO_PERCENT_MAX, Sum, Summary};
pub use verify::{FileReport, Observer, PROBLEMS_MAX, Verdict, Verifier, VerifyOptions};
pub use write::{Writer, WriterOptions};
