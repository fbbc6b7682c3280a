//! Scripts run on stacks of their own: how deep values, calls and expressions nest is bounded, and the bounds need more than
//! the stack of whoever asks.

use onward_core::limits;
use std::thread;

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
    let thread = thread::Builder::new().name("script".into()).stack_size(limits::SCRIPT_STACK_BYTES).spawn(work);
    thread.map(drop).map_err(|_| Fault::NoThread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_work_alone() {
        assert_eq!(on_own_stack(|| 1 + 1), Ok(2));
        assert_eq!(on_own_stack(|| -> u32 { panic!("on purpose") }), Err(Fault::Panicked));
    }
}
