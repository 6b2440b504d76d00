//! The locks of the engine, in one place, so that a model checker's can stand in for them.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

/// Locks, also after another thread panicked while it held the lock: the state is changed in whole transitions, and
/// the panic itself is what the user must see.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
