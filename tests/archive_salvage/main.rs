//! Salvage: every chunk that is whole comes back, and not a byte that was not written.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../samples/mod.rs"]
mod samples;

mod copies;
mod nested;
mod trials;
mod world;
