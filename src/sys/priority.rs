//! Which thread goes first when there are fewer processors than work.

/// Steps of niceness: at 5, a thread gets a third of the time that one at 0 gets.
const STEPS: i32 = 5;

/// Lets the calling thread take what others leave, more or less: the rest of the process and, when they are busy, its
/// neighbours go first. A refusal (some containers) is ignored: it is only slower then.
pub(crate) fn step_back() {
    // On Linux this is the calling thread's alone.
    let _ = rustix::process::nice(STEPS);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;

    #[test]
    fn one_thread_steps_back_and_not_the_process() {
        let before = getpriority_process(None).unwrap();
        let stepped_back = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                step_back();
                getpriority_process(None).unwrap()
            });
            thread.join().unwrap()
        });
        assert_eq!(stepped_back, (before + STEPS).min(19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
