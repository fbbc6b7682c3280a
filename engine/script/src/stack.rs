//! Scripts run on stacks of their own: how deep values, calls and expressions nest is bounded, and the bounds need more than
//! the stack of whoever asks.

use onward_core::limits;
use std::{sync::mpsc, thread};

/// Why there is no result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no thread to be had now.
    NoThread,
    /// The interpreter panicked.
    Panicked,
}

/// Does the work on a stack of [`limits::SCRIPT_STACK_BYTES`], and waits for it. A panic ends the work alone.
pub(crate) fn on_own_stack<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R, Fault> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("script".into()).stack_size(limits::SCRIPT_STACK_BYTES).spawn_scoped(scope, work);
        thread.map_err(|_| Fault::NoThread)?.join().map_err(|_| Fault::Panicked)
    })
}

/// Begins work on such a stack and does not wait for it.
pub(crate) fn start_on_own_stack(work: impl FnOnce() + Send + 'static) -> Result<(), Fault> {
    let (detached, is_detached) = mpsc::sync_channel::<()>(1);
    let thread = thread::Builder::new().name("script".into()).stack_size(limits::SCRIPT_STACK_BYTES).spawn(move || {
        // It ends only after it was detached: glibc's `pthread_detach` looks at the thread once more after it has let go of it, and where
        // that has ended meanwhile and its stack is unmapped, the process dies (glibc bug 19951).
        is_detached.recv().ok();
        work();
    });
    drop(thread.map_err(|_| Fault::NoThread)?);
    // Nobody but the thread could have closed it, and it waits.
    detached.send(()).ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_work_alone() {
        assert_eq!(on_own_stack(|| 1 + 1), Ok(2));
        assert_eq!(on_own_stack(|| -> u32 { panic!("on purpose") }), Err(Fault::Panicked));
    }

    #[test]
    fn work_that_is_over_at_once_ends_nothing_else() {
        let (done, ended) = mpsc::channel();
        for number in 0..2_000 {
            let done = done.clone();
            start_on_own_stack(move || done.send(number).expect("somebody listens")).expect("there are threads");
        }
        drop(done);
        let mut numbers: Vec<i32> = ended.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..2_000).collect::<Vec<_>>());
    }
}
