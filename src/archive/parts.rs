//! Files that are read one after the other, as one stream.

use super::{Bond, Error, Input, Source};
use std::vec::IntoIter;

/// Files that are read one after the other, as one stream. They are opened one at a time.
///
/// ```
/// use spillpipe::archive::{Input, Parts, Source};
/// let parts = Parts::from(Source::bytes("example", b"abc".to_vec()));
/// assert_eq!((parts.name(), parts.len()), ("example", 1));
/// let parts = Parts::from(Input::of("data.zst".as_ref())?);
/// assert_eq!((parts.name(), parts.len()), ("data.zst", 1));
/// # Ok::<(), spillpipe::archive::Error>(())
/// ```
#[derive(Debug)]
pub struct Parts {
    name: String,
    files: IntoIter<Part>,
}

/// One of them.
#[derive(Debug)]
enum Part {
    Open(Box<Source>),
    Closed(Input),
}

impl From<Source> for Parts {
    fn from(source: Source) -> Self {
        Self { name: source.name().to_owned(), files: vec![Part::Open(Box::new(source))].into_iter() }
    }
}

/// What paths stand for, in their order.
impl From<Vec<Input>> for Parts {
    fn from(inputs: Vec<Input>) -> Self {
        let name = inputs.first().map(Input::name).unwrap_or_default();
        let files: Vec<_> = inputs.into_iter().map(Part::Closed).collect();
        Self { name, files: files.into_iter() }
    }
}

impl Parts {
    /// As messages call the first of them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next file, and what it has to do with the one before.
    pub(super) fn next(&mut self) -> Option<(Bond, Result<Source, Error>)> {
        Some(match self.files.next()? {
            Part::Open(source) => (Bond::Free, Ok(*source)),
            Part::Closed(input) => (input.bond(), input.open()),
        })
    }

    /// Leaves out files of a directory in front of the last one that `is_behind` says so of.
    pub(super) fn skip_to(&mut self, mut is_behind: impl FnMut(&mut Source) -> bool) {
        let after = self.files.as_slice().partition_point(|part| match part {
            Part::Closed(input) if input.bond() != Bond::Free => {
                input.open().is_ok_and(|mut source| is_behind(&mut source))
            }
            Part::Closed(_) | Part::Open(_) => false,
        });
        // The last one that begins before it has it.
        if let Some(skipped) = after.checked_sub(2) {
            let _ = self.files.nth(skipped);
        }
    }
}
