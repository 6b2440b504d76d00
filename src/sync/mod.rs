//! The locks and threads of the filter's engine, in one place, so that a model checker's can stand in for them: under
//! `--cfg shuttle`, in unit tests, they are those of shuttle, which plays one interleaving after another.
//!
//! Beside them [`ordered`], the pool of all who compress or decompress one stream by themselves. It uses the threads and
//! queues of std directly, and no model checker plays through it.

pub(crate) mod ordered;

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic::AtomicBool},
    thread::{Scope, scope},
};

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic::AtomicBool},
    thread::{Scope, scope},
};

/// Threads that a piece of work is given unless told otherwise, beside the one that asks for it: the cores, at most 4.
pub(crate) fn threads_default() -> usize {
    const THREADS_DEFAULT_MAX: usize = 4;
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_DEFAULT_MAX)
}

/// Locks, also after another thread panicked while it held the lock: the state is changed in whole transitions, and
/// the panic itself is what the user must see.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Starts a thread of that name.
///
/// # Errors
/// What the system said.
#[cfg(not(all(test, shuttle)))]
pub(crate) fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() + Send + 'scope,
) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, body).map(drop)
}

#[cfg(all(test, shuttle))]
#[expect(clippy::unnecessary_wraps, reason = "the real one can fail")]
pub(crate) fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    _name: &str,
    body: impl FnOnce() + Send + 'scope,
) -> std::io::Result<()> {
    scope.spawn(body);
    Ok(())
}
