//! The engine on stores that fail, fill up, rot and lie: whatever happens below it, what it hands out is a prefix of
//! what it took in, and it comes to an end.

#[path = "../common/mod.rs"]
mod common;

mod codecs;
mod damage;
mod descriptors;
mod faults;
mod full;
mod room;
mod stalls;
mod store;
mod transfer;
mod writes;
