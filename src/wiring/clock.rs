//! A clock that can be moved forward: `onward run --skip-delays`.

use onward_core::{
    Timestamp,
    ports::{BoxFuture, Clock},
};
use onward_database::SystemClock;
use tokio::sync::watch;

/// The system's clock, ahead by as much as was skipped.
#[derive(Debug)]
pub(crate) struct LeapingClock {
    system: SystemClock,
    /// Milliseconds.
    ahead: watch::Sender<i64>,
}

impl Default for LeapingClock {
    fn default() -> Self {
        Self { system: SystemClock::new(), ahead: watch::Sender::new(0) }
    }
}

impl LeapingClock {
    /// Makes it this moment at once, unless it has passed. Whoever slept until then wakes.
    pub(crate) fn leap_to(&self, moment: Timestamp) {
        let left = moment.millis_since(self.now());
        if left > 0 {
            self.ahead.send_modify(|ahead| *ahead = ahead.saturating_add(left));
        }
    }
}

impl Clock for LeapingClock {
    fn now(&self) -> Timestamp {
        self.system.now().plus_millis(*self.ahead.borrow())
    }

    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let system = self.system.clone();
        let mut ahead = self.ahead.subscribe();
        Box::pin(async move {
            loop {
                let by = *ahead.borrow_and_update();
                tokio::select! {
                    () = system.sleep_until(due.plus_millis(-by)) => return,
                    changed = ahead.changed() => if changed.is_err() {
                        // The clock is gone, and with it whoever could move it.
                        return system.sleep_until(due.plus_millis(-by)).await;
                    },
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_leap_wakes_sleepers_and_never_goes_back() {
        let clock = LeapingClock::default();
        let began = clock.now();
        let due = began.plus_millis(86_400_000);
        let sleeper = clock.sleep_until(due);
        clock.leap_to(due);
        sleeper.await;
        assert!(clock.now() >= due);
        clock.leap_to(began);
        assert!(clock.now() >= due);
    }
}
