//! The commands that work on archives: single files of the format, and what is stored like one.
//!
//! What they do is the library's: [`spillpipe::archive`].

pub(super) mod args;
mod cat;
mod findings;
mod info;
mod output;
mod pack;
mod producer;
mod salvage;
mod stitch;
mod verify;

pub(super) use cat::run as cat;
pub(super) use info::{is_for_spool, run as info};
pub(super) use pack::run as pack;
pub(super) use salvage::run as salvage;
pub(super) use stitch::{merge, split};
pub(super) use verify::run as verify;
