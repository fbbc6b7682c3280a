//! Engine time on a store that several nodes share: the database clock's estimate, carried by the node's own clock
//! (SEMANTICS.md 30).

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

/// The node's own clock, and by how much the database's is ahead of it.
#[derive(Clone)]
pub(crate) struct EngineTime {
    own: Arc<dyn Clock>,
    ahead_ms: Arc<AtomicI64>,
    known: Arc<AtomicBool>,
}

impl EngineTime {
    pub(crate) fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, ahead_ms: Arc::default(), known: Arc::default() }
    }
    /// The node's own clock: for what must not move when the estimate does.
    pub(crate) fn own(&self) -> Timestamp {
        self.own.now()
    }
    /// When the node's own clock shows this.
    pub(crate) fn of_own(&self, own: Timestamp) -> Timestamp {
        own.plus_millis(self.ahead())
    }
    fn ahead(&self) -> i64 {
        self.ahead_ms.load(Ordering::Acquire)
    }
    /// The database's clock showed `database` between these two moments of ours.
    pub(crate) fn estimate(&self, sent_at: Timestamp, received_at: Timestamp, database: Timestamp) {
        if self.known.load(Ordering::Acquire) && received_at.millis_since(sent_at) > LONGEST_TRIP_MS {
            // It says little; the one before is better.
            return;
        }
        self.known.store(true, Ordering::Release);
        let middle = sent_at.plus_millis(received_at.millis_since(sent_at) / 2);
        self.ahead_ms.store(database.millis_since(middle), Ordering::Release);
    }
}

impl Clock for EngineTime {
    fn now(&self) -> Timestamp {
        self.of_own(self.own.now())
    }
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        let time = self.clone();
        Box::pin(async move {
            // The estimate may have moved back meanwhile.
            while time.now() < due {
                time.own.sleep_until(due.plus_millis(-time.ahead())).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_testkit::SimulatedClock;

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
}
