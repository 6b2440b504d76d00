//! The flags of the commands that work on archives: their names, types, defaults, bounds and help.

mod cat;
mod pack;
mod salvage;
mod stitch;
mod verify;

pub(in crate::cli) use cat::CatArgs;
pub(in crate::cli) use pack::PackArgs;
pub(in crate::cli) use salvage::SalvageArgs;
pub(in crate::cli) use stitch::{MergeArgs, SplitArgs};
pub(in crate::cli) use verify::VerifyArgs;
