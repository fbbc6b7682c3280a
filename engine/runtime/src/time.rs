//! Engine time on a store that several nodes share: the database clock's estimate, carried by the node's
//! monotonic clock (SEMANTICS.md 30).

use onward_core::{
    Timestamp,
    ports::{BoxFuture, Clock},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

/// An answer that took longer says too little of when it was given.
const LONGEST_TRIP_MS: i64 = 100;
/// Of a millisecond.
const MICROS: i64 = 1_000;

/// The node's own clock, and by how much the database's is ahead of it.
///
/// Until the database's clock is known, engine time is the node's own clock, steps and all: alone on `SQLite` it always is.
#[derive(Clone)]
pub(crate) struct EngineTime {
    clock: Arc<dyn Clock>,
    /// What the node's clock showed at first, and its ticks then.
    origin: (Timestamp, i64),
    /// In microseconds.
    ahead: Arc<AtomicI64>,
    known: Arc<AtomicBool>,
}

impl EngineTime {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let origin = (clock.now(), clock.ticks());
        Self { clock, origin, ahead: Arc::default(), known: Arc::default() }
    }
    /// The node's monotonic clock: for what must not move when the estimate does, or when somebody sets the node's clock. A lease
    /// that is counted by a clock that was put back would not end (SEMANTICS.md 4).
    pub(crate) fn own(&self) -> Timestamp {
        Timestamp::from_millis(self.own_micros().div_euclid(MICROS))
    }
    fn own_micros(&self) -> i64 {
        self.origin.0.as_millis() * MICROS + self.clock.ticks() - self.origin.1
    }
    /// The database's clock as far as it is known, in microseconds since 1970.
    fn shown_micros(&self) -> i64 {
        self.own_micros() + self.ahead.load(Ordering::Acquire)
    }
    /// Engine time when the node's monotonic clock shows this.
    pub(crate) fn of_own(&self, own: Timestamp) -> Timestamp {
        let ahead = if self.is_known() { self.ahead.load(Ordering::Acquire).div_euclid(MICROS) } else { self.clock.now().millis_since(self.own()) };
        own.plus_millis(ahead)
    }
    fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }
    /// The database's clock showed `database` between these two moments of ours.
    pub(crate) fn estimate(&self, sent_at: Timestamp, received_at: Timestamp, database: Timestamp) {
        if self.is_known() && received_at.millis_since(sent_at) > LONGEST_TRIP_MS {
            // It says little; the one before is better.
            return;
        }
        let middle = sent_at.plus_millis(received_at.millis_since(sent_at) / 2);
        self.ahead.store(database.millis_since(middle) * MICROS, Ordering::Release);
        self.known.store(true, Ordering::Release);
    }
    /// The database's clock showed these microseconds since 1970 a moment ago, and not later: engine time is never ahead of it, and
    /// behind by no more than the answer's way here.
    pub(crate) fn follow(&self, asked_at: Timestamp, database: i64) {
        if self.is_known() && self.own().millis_since(asked_at) > LONGEST_TRIP_MS {
            return;
        }
        self.ahead.store(database - self.own_micros(), Ordering::Release);
        self.known.store(true, Ordering::Release);
    }
}

impl Clock for EngineTime {
    fn now(&self) -> Timestamp {
        if self.is_known() { Timestamp::from_millis(self.shown_micros().div_euclid(MICROS)) } else { self.clock.now() }
    }
    fn ticks(&self) -> i64 {
        self.clock.ticks()
    }
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let time = self.clone();
        Box::pin(async move {
            // The estimate may have moved back meanwhile.
            while time.now() < due {
                if time.is_known() {
                    // To its beginning: by the milliseconds that are shown it would be up to one too long.
                    let left = due.as_millis().saturating_mul(MICROS).saturating_sub(time.shown_micros());
                    time.clock.sleep(left).await;
                } else {
                    time.clock.sleep_until(due).await;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_testkit::{SimulatedClock, simulation::SkewedClock};

    #[test]
    fn the_databases_clock_is_carried_by_the_own_one() {
        let at = Timestamp::from_millis;
        let own = Arc::new(SimulatedClock::new(at(1_000)));
        let time = EngineTime::new(own.clone());
        assert_eq!(time.now(), at(1_000));
        time.estimate(at(1_000), at(1_010), at(9_005));
        assert_eq!((time.now(), time.own(), time.of_own(at(2_000))), (at(9_000), at(1_000), at(10_000)));
        own.advance(5);
        assert_eq!(time.now(), at(9_005));
    }

    #[test]
    fn the_databases_clock_is_followed_and_never_overtaken() {
        let at = Timestamp::from_millis;
        let own = Arc::new(SimulatedClock::new(at(1_000)));
        let time = EngineTime::new(own.clone());
        time.follow(at(1_000), 9_000_700);
        assert_eq!(time.now(), at(9_000));
        own.advance(1);
        assert_eq!((time.now(), time.of_own(at(1_001))), (at(9_001), at(9_001)));
        time.follow(at(1_001), 9_000_999);
        assert_eq!(time.now(), at(9_000), "it was set back");
        own.advance(101);
        time.follow(at(1_001), 7_000_000);
        assert_eq!(time.now(), at(9_101), "an answer that took long says too little");
    }

    /// Time passes as somebody sleeps, and each sleep is noted.
    #[derive(Default)]
    struct Noted {
        ticks: AtomicI64,
        slept: std::sync::Mutex<Vec<i64>>,
    }

    impl Clock for Noted {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.ticks().div_euclid(MICROS))
        }
        fn ticks(&self) -> i64 {
            self.ticks.load(Ordering::Relaxed)
        }
        fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
            panic!("by the node's own clock nobody sleeps once the database's is known")
        }
        fn sleep(&self, micros: i64) -> BoxFuture<'static, ()> {
            self.slept.lock().unwrap().push(micros);
            self.ticks.fetch_add(micros, Ordering::Relaxed);
            Box::pin(async {})
        }
    }

    #[test]
    fn a_moment_of_the_databases_clock_is_slept_to_its_beginning() {
        let at = Timestamp::from_millis;
        let own = Arc::new(Noted::default());
        let time = EngineTime::new(own.clone());
        time.follow(at(0), 9_000_700);
        for (due, slept) in [(9_002, vec![1_300]), (9_002, vec![]), (9_003, vec![1_000]), (i64::MIN, vec![])] {
            futures_util::FutureExt::now_or_never(time.sleep_until(at(due))).expect("nothing else is waited for");
            assert_eq!(std::mem::take(&mut *own.slept.lock().unwrap()), slept, "until {due}");
            assert!(time.now() >= at(due));
        }
    }

    #[test]
    fn a_node_clock_that_is_set_moves_nothing_once_the_databases_is_known() {
        let at = Timestamp::from_millis;
        let clock = SkewedClock::new(Arc::new(SimulatedClock::new(at(100_000))), 0);
        let time = EngineTime::new(Arc::new(clock.clone()));
        clock.step(-50_000);
        assert_eq!((time.now(), time.own()), (at(50_000), at(100_000)), "alone, it is what the system says; a lease lasts as long as it does");
        time.estimate(time.own(), time.own(), at(700_000));
        clock.step(3_600_000);
        assert_eq!((time.now(), time.own()), (at(700_000), at(100_000)));
        clock.right.advance(7);
        assert_eq!((time.now(), time.own()), (at(700_007), at(100_007)));
    }
}
