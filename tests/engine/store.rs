//! A store with a say in every call: what a test cannot get from a real disk.

use spillpipe::store::{Append, MemoryStore, Read, SegmentName, Space, Store};
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// What a test has to say; by default nothing.
pub(crate) trait Interfere: Send + Sync + 'static {
    /// May refuse an append of so many bytes.
    fn append(&self, _name: SegmentName, _bytes: usize) -> io::Result<()> {
        Ok(())
    }

    /// May change what was read at `offset`, or refuse it.
    fn read(&self, _name: SegmentName, _offset: u64, _bytes: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

/// A store in memory, and somebody who interferes.
pub(crate) struct Interfered<I> {
    inner: MemoryStore,
    by: Arc<I>,
}

impl<I: Interfere> Interfered<I> {
    pub(crate) fn boxed(by: &Arc<I>) -> Box<dyn Store> {
        Box::new(Self { inner: MemoryStore::new(), by: Arc::clone(by) })
    }
}

impl<I> fmt::Debug for Interfered<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interfered")
    }
}

impl<I: Interfere> Store for Interfered<I> {
    fn create(&self, name: SegmentName) -> io::Result<Arc<dyn Append>> {
        Ok(Arc::new(Handle { name, inner: self.inner.create(name)?, by: Arc::clone(&self.by) }))
    }

    fn open(&self, name: SegmentName) -> io::Result<Arc<dyn Read>> {
        Ok(Arc::new(Handle { name, inner: self.inner.open(name)?, by: Arc::clone(&self.by) }))
    }

    fn remove(&self, name: SegmentName) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn list(&self) -> io::Result<Vec<SegmentName>> {
        self.inner.list()
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }

    fn space(&self) -> io::Result<Space> {
        self.inner.space()
    }
}

struct Handle<T, I> {
    name: SegmentName,
    inner: T,
    by: Arc<I>,
}

impl<T, I> fmt::Debug for Handle<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl<I: Interfere> Append for Handle<Arc<dyn Append>, I> {
    fn append(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.by.append(self.name, parts.iter().map(|part| part.len()).sum())?;
        self.inner.append(parts)
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}

impl<I: Interfere> Read for Handle<Arc<dyn Read>, I> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let n = self.inner.read_at(buf, offset)?;
        self.by.read(self.name, offset, &mut buf[..n])?;
        Ok(n)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}
