//! Digests of what went out.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// The digests there are: the values of `--digest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Algorithm {
    /// BLAKE3, 256 bits: the fastest that is safe against forgery
    Blake3,
    /// SHA-256
    Sha256,
    /// CRC-32 as in zlib and gzip: against accidents only
    Crc32,
}

impl Algorithm {
    /// As the user writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Blake3 => "blake3",
            Self::Sha256 => "sha256",
            Self::Crc32 => "crc32",
        }
    }
}

/// A digest that is fed on one thread and read on another.
#[derive(Clone)]
pub(super) struct Digest {
    algorithm: Algorithm,
    state: Arc<Mutex<State>>,
}

enum State {
    Blake3(Box<blake3::Hasher>),
    Sha256(Sha256),
    Crc32(crc32fast::Hasher),
}

impl Digest {
    /// The digest of nothing yet.
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Blake3 => State::Blake3(Box::default()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Crc32 => State::Crc32(crc32fast::Hasher::new()),
        };
        Self { algorithm, state: Arc::new(Mutex::new(state)) }
    }

    /// The algorithm's name, as the user writes it.
    pub(super) fn name(&self) -> &'static str {
        self.algorithm.name()
    }

    /// Takes in more bytes.
    pub(super) fn update(&self, bytes: &[u8]) {
        match &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
            State::Sha256(hasher) => hasher.update(bytes),
            State::Crc32(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes so far, in hexadecimal.
    pub(super) fn hex(&self) -> String {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Blake3(hasher) => hasher.finalize().to_hex().to_string(),
            State::Sha256(hasher) => hex(&hasher.clone().finalize()),
            State::Crc32(hasher) => hex(&hasher.clone().finalize().to_be_bytes()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // A String takes any text.
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn names_are_the_values_of_the_option() {
        for algorithm in Algorithm::value_variants() {
            let value = algorithm.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), algorithm.name());
        }
    }

    #[test]
    fn known_answers_in_any_split() {
        for (algorithm, expected) in [
            (Algorithm::Blake3, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Algorithm::Crc32, "352441c2"),
        ] {
            let digest = Digest::new(algorithm);
            digest.update(b"a");
            assert_ne!(digest.hex(), expected, "reading it does not end it");
            digest.update(b"bc");
            assert_eq!(digest.hex(), expected, "{}", digest.name());
        }
    }
}
