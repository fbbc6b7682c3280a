//! Ids and seeds of the real world.

use onward_core::{Timestamp, ports::Ids};
use rand::RngExt as _;
use std::sync::Mutex;
use uuid::{Builder, Uuid};

/// `UUIDv7` with a counter below the millisecond: of two ids made in this process the later one is greater, so that lists
/// by id are in order of creation and indexes grow at their end.
#[derive(Debug, Default)]
pub struct SystemIds {
    last: Mutex<Last>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Last {
    millis: u64,
    counter: u16,
}

/// The counter has the 12 bits of `rand_a`.
const COUNTER_END: u16 = 1 << 12;

impl SystemIds {
    /// Fresh.
    pub fn new() -> Self {
        Self::default()
    }

    fn next(&self, millis: u64, start: u16) -> Last {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *last = match *last {
            // A new moment begins low, so that the counter has room before the moment must be moved.
            before if millis > before.millis => Last { millis, counter: start % (COUNTER_END / 2) },
            before if before.counter + 1 < COUNTER_END => Last { counter: before.counter + 1, ..before },
            before => Last { millis: before.millis + 1, counter: 0 },
        };
        *last
    }
}

impl Ids for SystemIds {
    fn fresh(&self, now: Timestamp) -> Uuid {
        let mut random: [u8; 10] = rand::rng().random();
        let Last { millis, counter } = self.next(u64::try_from(now.as_millis()).unwrap_or(0), u16::from_be_bytes([random[0], random[1]]));
        [random[0], random[1]] = counter.to_be_bytes();
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
    fn seed(&self) -> u64 {
        rand::rng().random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_time_stands_or_falls() {
        let ids = SystemIds::new();
        let mut last = Uuid::nil();
        for step in 0..20_000_i64 {
            let at = Timestamp::from_millis(1_700_000_000_000 + step / 9_000 - if step > 15_000 { 500 } else { 0 });
            let id = ids.fresh(at);
            assert_eq!(id.get_version_num(), 7);
            assert!(id > last, "step {step}: {id} is not above {last}");
            last = id;
        }
    }

    #[test]
    fn ids_carry_their_moment() {
        let (seconds, nanos) = SystemIds::new().fresh(Timestamp::from_millis(1_700_000_000_123)).get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_700_000_000, 123_000_000));
    }
}
