//! The last few milliseconds of a sleep.
//!
//! The runtime's timers count in whole milliseconds, twice: its wheel has no finer slots, and its wait for the kernel is rounded up once
//! more. So whoever sleeps with them alone wakes one to two milliseconds late. Linux has timers that are files, and ready to the
//! microsecond (`timerfd_create(2)`).

use std::time::Duration;

/// So much before the end, the rest is slept to the microsecond: longer than the runtime's timers are late.
const PRECISE: Duration = Duration::from_millis(3);

/// Sleeps for this long, or ends somewhat earlier, so that the rest is slept by another call.
pub(crate) async fn nap(left: Duration, longest: Duration) {
    #[cfg(target_os = "linux")]
    if left <= PRECISE && precisely(left).await.is_ok() {
        return;
    }
    let coarse = if cfg!(target_os = "linux") && left > PRECISE { left.saturating_sub(PRECISE).max(Duration::from_millis(1)) } else { left };
    #[expect(clippy::disallowed_methods, reason = "this is what `Clock::sleep_until` is made of")]
    tokio::time::sleep(coarse.min(longest)).await;
}

/// Fails where the process may open no more files: then the runtime's timers must do.
#[cfg(target_os = "linux")]
async fn precisely(left: Duration) -> std::io::Result<()> {
    use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
    use tokio::io::{Interest, unix::AsyncFd};

    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let it_value = Timespec::try_from(left).map_err(std::io::Error::other)?;
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: Timespec::default(), it_value })?;
    #[expect(deprecated, reason = "the file is owned and stays open; the other constructor asks for `unsafe` to say so")]
    let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
    drop(timer.readable().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a sleep of the real clock is what is tested")]
    async fn a_nap_is_as_long_as_it_was_to_be_or_leaves_a_rest() {
        let began = Instant::now();
        nap(Duration::from_micros(1_700), Duration::from_secs(1)).await;
        assert!(began.elapsed() >= Duration::from_micros(1_700), "a short one is whole");
        let began = Instant::now();
        nap(Duration::from_hours(1), Duration::from_millis(2)).await;
        assert!(began.elapsed() >= Duration::from_millis(2), "the longest is kept to");
    }
}
