//! The right to write: shards leased from the store, prolonged in good time (SEMANTICS.md 4).

use onward_core::{Timestamp, ports::Lease};

/// No effect starts within this many milliseconds of the lease's end.
pub(crate) const SAFETY_MS: i64 = 1_000;

/// What this node owns, and until when by its own clock.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Vec<Lease>,
    /// Counted from when the request was sent, never from when it was answered.
    until: Timestamp,
    ttl_ms: i64,
    /// Another node took them once.
    were_lost: bool,
}

impl Leases {
    pub(crate) fn new(ttl_ms: i64) -> Self {
        Self { held: Vec::new(), until: Timestamp::MIN, ttl_ms, were_lost: false }
    }
    pub(crate) fn held(&self) -> &[Lease] {
        &self.held
    }
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }
    pub(crate) fn ttl_ms(&self) -> i64 {
        self.ttl_ms
    }
    /// What a request that was sent at `sent_at` gave.
    pub(crate) fn granted(&mut self, held: Vec<Lease>, sent_at: Timestamp) {
        self.held = held;
        self.until = sent_at.plus_millis(self.ttl_ms);
    }
    /// Nothing is ours any more.
    pub(crate) fn lost(&mut self) {
        self.held.clear();
        self.until = Timestamp::MIN;
        self.were_lost = true;
    }
    /// Whoever took our shards lives: what proved the owner dead at our start proves nothing of the one after us.
    pub(crate) fn were_lost(&self) -> bool {
        self.were_lost
    }
    /// When to renew: after a third of the time, so that two attempts may fail.
    pub(crate) fn renew_at(&self) -> Timestamp {
        self.until.plus_millis(-self.ttl_ms * 2 / 3)
    }
    /// Whether both name the same shards under the same epochs.
    pub(crate) fn are(&self, others: &[Lease]) -> bool {
        self.held.len() == others.len() && self.held.iter().all(|lease| others.contains(lease))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::may_start;
    use onward_core::Shard;

    #[test]
    fn effects_stop_a_second_before_the_end_counted_from_the_request() {
        let mut leases = Leases::new(4_000);
        let sent = Timestamp::from_millis(10_000);
        leases.granted(vec![Lease { shard: Shard(1), epoch: 1 }], sent);
        assert_eq!(leases.until(), Timestamp::from_millis(14_000));
        assert!(leases.renew_at() < Timestamp::from_millis(12_000));
        assert!(may_start(Timestamp::from_millis(12_999), leases.until()));
        assert!(!may_start(Timestamp::from_millis(13_000), leases.until()));
        assert!(!leases.were_lost());
        leases.lost();
        assert!(leases.were_lost());
        assert!(!may_start(Timestamp::from_millis(0), leases.until()));
    }

    #[test]
    fn another_epoch_is_another_lease() {
        let mut leases = Leases::new(4_000);
        leases.granted(vec![Lease { shard: Shard(1), epoch: 1 }], Timestamp::from_millis(0));
        assert!(leases.are(&[Lease { shard: Shard(1), epoch: 1 }]));
        assert!(!leases.are(&[Lease { shard: Shard(1), epoch: 2 }]));
    }
}
