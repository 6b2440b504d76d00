//! Which standard streams were closed when the process began.
//!
//! Rust's runtime opens `/dev/null` in place of a closed one before `main`, so that `spillpipe >&-` would throw all
//! data away and report success; and that `/dev/null` cannot be told from one that the parent gave on purpose. So we
//! look before the runtime does. This is the one thing of the command that no safe code can do.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static STDIN_CLOSED: AtomicBool = AtomicBool::new(false);
static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Runs before `main` and before the runtime. No allocation, no lock, no std: two system calls.
extern "C" fn look() {
    let closed = |fd| rustix::io::fcntl_getfd(fd).is_err();
    STDIN_CLOSED.store(closed(rustix::stdio::stdin()), Relaxed);
    STDOUT_CLOSED.store(closed(rustix::stdio::stdout()), Relaxed);
}

#[expect(unsafe_code, reason = "the only way to run before the runtime that hides what we look for")]
// SAFETY: the C runtime calls each entry of this section once, as a function of this type (it ignores the arguments
// that the C runtime also passes, as the C calling convention allows), before any thread is started.
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK: extern "C" fn() = look;

/// Whether standard input was closed.
pub(super) fn stdin_was_closed() -> bool {
    STDIN_CLOSED.load(Relaxed)
}

/// Whether standard output was closed.
pub(super) fn stdout_was_closed() -> bool {
    STDOUT_CLOSED.load(Relaxed)
}
