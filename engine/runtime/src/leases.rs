//! The right to write: shards leased from the store, prolonged in good time (SEMANTICS.md 4).

use onward_core::{
    Shard, Timestamp,
    ports::{Lease, ShardSet},
};

/// No effect starts within this many milliseconds of the lease's end.
pub(crate) const SAFETY_MS: i64 = 1_000;

/// What this node owns, and until when by its own clock.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Vec<Lease>,
    shards: ShardSet,
    /// Counted from when the request was sent, never from when it was answered.
    until: Timestamp,
    ttl_ms: i64,
    /// Another node took them once.
    were_lost: bool,
}

impl Leases {
    pub(crate) fn new(ttl_ms: i64) -> Self {
        Self { ttl_ms, until: Timestamp::MIN, ..Self::default() }
    }
    pub(crate) fn held(&self) -> &[Lease] {
        &self.held
    }
    /// Which shards are ours.
    pub(crate) fn shards(&self) -> ShardSet {
        self.shards
    }
    /// Whether a shard is ours.
    pub(crate) fn own(&self, shard: Shard) -> bool {
        self.shards.contains(shard)
    }
    /// Whether all are: then there is nobody else to tell anything.
    pub(crate) fn own_all(&self) -> bool {
        self.held.len() == usize::from(Shard::COUNT)
    }
    /// Whether a beat was ever answered.
    pub(crate) fn have_begun(&self) -> bool {
        self.until > Timestamp::MIN
    }
    /// The rest is another's.
    pub(crate) fn keep_only(&mut self, held: Vec<Lease>) {
        self.shards = held.iter().map(|lease| lease.shard).collect();
        self.held = held;
    }
    /// Another node took some of ours.
    pub(crate) fn some_were_lost(&mut self) {
        self.were_lost = true;
    }
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }
    pub(crate) fn ttl_ms(&self) -> i64 {
        self.ttl_ms
    }
    /// What a request that was sent at `sent_at` gave.
    pub(crate) fn granted(&mut self, held: Vec<Lease>, sent_at: Timestamp) {
        self.shards = held.iter().map(|lease| lease.shard).collect();
        self.held = held;
        self.until = sent_at.plus_millis(self.ttl_ms);
    }
    /// Nothing is ours any more.
    pub(crate) fn lost(&mut self) {
        self.held.clear();
        self.shards = ShardSet::EMPTY;
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
}
