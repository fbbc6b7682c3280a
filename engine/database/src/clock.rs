//! The real clock.

use crate::nap::nap;
use onward_core::{
    Timestamp,
    ports::{BoxFuture, Clock},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Engine time on SQLite: the system clock, carried by the monotonic clock between readings (SEMANTICS.md 30).
///
/// Between two calls of [`SystemClock::synchronise`] a step of the system clock changes nothing; the step is taken over at
/// the next one, at the latest a second later while anybody sleeps. Cheap to clone; clones share their reading.
#[derive(Clone, Debug)]
pub struct SystemClock {
    anchor: Arc<Mutex<Anchor>>,
    /// Ticks are counted from here.
    origin: Instant,
}

/// A pair of readings taken together.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    wall_nanos: i128,
    instant: Instant,
}

impl Anchor {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the real clocks are read")]
    fn read() -> Self {
        // A system clock before 1970 is a clock that was never set: begin at 1970 and be corrected later.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_nanos: i128::try_from(wall.as_nanos()).unwrap_or(i128::MAX), instant: Instant::now() }
    }
    /// Rounded down: a clock that shows a millisecond has reached it, so nothing that waits for it is early.
    fn at(self, instant: Instant) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.nanos_at(instant).div_euclid(NANOS_OF_MILLI)).unwrap_or(i64::MAX))
    }
    /// How long it is from `instant` until `due`; `None` when that is reached. To the nanosecond: who sleeps by the milliseconds
    /// that the clock shows sleeps up to one too long.
    fn until(self, due: Timestamp, instant: Instant) -> Option<Duration> {
        let left = i128::from(due.as_millis()) * NANOS_OF_MILLI - self.nanos_at(instant);
        (left > 0).then(|| Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX)))
    }
    fn nanos_at(self, instant: Instant) -> i128 {
        let elapsed = instant.saturating_duration_since(self.instant).as_nanos();
        self.wall_nanos.saturating_add(i128::try_from(elapsed).unwrap_or(i128::MAX))
    }
}

const NANOS_OF_MILLI: i128 = 1_000_000;

/// Sleepers look at the system clock this often, so that a step of it, or a machine that slept, wakes them.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl SystemClock {
    /// Reads both clocks.
    pub fn new() -> Self {
        let anchor = Anchor::read();
        Self { anchor: Arc::new(Mutex::new(anchor)), origin: anchor.instant }
    }
    /// Reads the monotonic clock, beside what it is counted from.
    fn reading(&self) -> (Anchor, Instant) {
        let anchor = *self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        #[expect(clippy::disallowed_methods, reason = "this is the one place where the real clocks are read")]
        let instant = Instant::now();
        (anchor, instant)
    }
    /// Takes over what the system clock says now. Called at each renewal of leases, and by sleepers.
    pub fn synchronise(&self) {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = Anchor::read();
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let (anchor, instant) = self.reading();
        anchor.at(instant)
    }

    fn ticks(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the one place where the real clocks are read")]
        let elapsed = Instant::now().saturating_duration_since(self.origin);
        i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
    }

    fn sleep(&self, micros: i64) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        let end = self.ticks().saturating_add(micros);
        Box::pin(async move {
            loop {
                let left = end.saturating_sub(clock.ticks());
                if left <= 0 {
                    return;
                }
                // Nobody sets this clock: there is nothing to look at meanwhile.
                let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
                nap(left, left).await;
            }
        })
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            loop {
                let (anchor, instant) = clock.reading();
                let Some(left) = anchor.until(due, instant) else { return };
                nap(left, LONGEST_SLEEP).await;
                clock.synchronise();
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_carried_and_rounded_down() {
        let read = Anchor::read();
        let anchor = Anchor { wall_nanos: 5_900_000, ..read };
        assert_eq!(anchor.at(read.instant).as_millis(), 5);
        assert_eq!(anchor.at(read.instant + Duration::from_micros(100)).as_millis(), 6);
        assert_eq!(anchor.at(read.instant + Duration::from_hours(1)).as_millis(), 3_600_005);
    }

    #[test]
    fn who_sleeps_until_a_moment_sleeps_to_its_beginning_and_no_longer() {
        let read = Anchor::read();
        let anchor = Anchor { wall_nanos: 5_900_000, ..read };
        for (due, left) in [(7, Some(1_100_000)), (6, Some(100_000)), (5, None), (i64::MIN, None)] {
            assert_eq!(anchor.until(Timestamp::from_millis(due), read.instant), left.map(Duration::from_nanos), "until {due}");
        }
        let left = anchor.until(Timestamp::from_millis(7), read.instant).unwrap();
        assert_eq!(anchor.at(read.instant + left).as_millis(), 7, "it is reached then");
    }

    #[tokio::test]
    async fn a_sleeper_is_never_early() {
        let clock = SystemClock::new();
        let due = clock.now().plus_millis(3);
        clock.sleep_until(due).await;
        assert!(clock.now() >= due);
        clock.sleep_until(Timestamp::MIN).await;
        let end = clock.ticks() + 4_700;
        clock.sleep(4_700).await;
        assert!(clock.ticks() >= end);
        clock.sleep(-1).await;
    }

    #[test]
    fn a_step_of_the_system_clock_is_taken_over_when_synchronised() {
        let clock = SystemClock::new();
        let stepped = Anchor { wall_nanos: 1_000_000_000, ..Anchor::read() };
        *clock.anchor.lock().unwrap() = stepped;
        assert!(clock.now().as_millis() < 1_000_000);
        clock.synchronise();
        assert!(clock.now().as_millis() > 1_000_000_000_000);
    }
}
