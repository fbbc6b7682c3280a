//! Ids from a seed.

use onward_core::{Timestamp, ports::Ids};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::sync::{Mutex, PoisonError};
use uuid::{Builder, Uuid};

/// `UUIDv7` and seeds from a seed. Of two ids of one moment the later one is greater.
#[derive(Debug)]
pub struct SeededIds {
    state: Mutex<(StdRng, u64)>,
}

impl SeededIds {
    /// The ids of this seed.
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new((StdRng::seed_from_u64(seed), 0)) }
    }
}

impl Ids for SeededIds {
    fn fresh(&self, now: Timestamp) -> Uuid {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        let count = state.1;
        let mut bytes: [u8; 10] = state.0.random();
        // The counter fills the 12 bits of `rand_a` and the first 22 of `rand_b`; the version and variant bits lie between.
        bytes[..2].copy_from_slice(&((count >> 22) as u16 & 0x0fff).to_be_bytes());
        bytes[2] = (count >> 16) as u8 & 0x3f;
        bytes[3..5].copy_from_slice(&(count as u16).to_be_bytes());
        Builder::from_unix_timestamp_millis(u64::try_from(now.as_millis()).unwrap_or(0), &bytes).into_uuid()
    }
    fn seed(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_ids_in_order() {
        let make = |seed| {
            let ids = SeededIds::new(seed);
            (0..70_000).map(|_| ids.fresh(Timestamp::from_millis(5))).collect::<Vec<_>>()
        };
        let ids = make(7);
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids, make(7));
        assert_ne!(ids, make(8));
    }
}
