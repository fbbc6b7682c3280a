//! How loaded the loop is, as callers see it before they queue anything (SEMANTICS.md 32).

use crate::EngineLimits;
use onward_core::{Timestamp, ports::WriteError};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

/// Why new work is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overload {
    /// The engine starts, stops, lags behind, or its commits fail.
    Busy {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// What is left of the disk is kept for what was admitted already.
    DiskLow {
        /// What is left.
        bytes_left: u64,
    },
}

/// For `Retry-After` while the disk is low: somebody must make room first.
const DISK_RETRY_AFTER_MS: u64 = 60_000;

impl Overload {
    /// For `Retry-After`.
    pub fn retry_after_ms(self) -> u64 {
        match self {
            Self::Busy { retry_after_ms } => retry_after_ms,
            Self::DiskLow { .. } => DISK_RETRY_AFTER_MS,
        }
    }
}

/// Shared between the loop, which writes it, and everyone who wants something of the loop.
#[derive(Debug, Default)]
pub(crate) struct Load {
    queued_bytes: AtomicUsize,
    /// When the batch under way began; 0 while there is none.
    batch_since: AtomicI64,
    /// Commits fail: nothing is taken in until one works again.
    failing: AtomicBool,
    stopping: AtomicBool,
    /// Shards that are owned.
    shards: AtomicUsize,
    /// Until when, by engine time.
    leased_until: AtomicI64,
}

/// For `Retry-After` when commits are slow or fail.
const RETRY_AFTER_MS: u64 = 1_000;

impl Load {
    /// Whether another message of this size is taken, and if so counts it.
    pub(crate) fn admit(&self, bytes: usize, now: Timestamp, limits: &EngineLimits) -> Result<(), WriteError> {
        let refusal = WriteError::Unavailable { retry_after_ms: RETRY_AFTER_MS };
        if self.stopping.load(Ordering::Acquire) || self.failing.load(Ordering::Acquire) {
            return Err(refusal);
        }
        let since = self.batch_since.load(Ordering::Acquire);
        if since != 0 && now.as_millis().saturating_sub(since) > limits.commit_lag_ms {
            return Err(refusal);
        }
        let before = self.queued_bytes.fetch_add(bytes, Ordering::AcqRel);
        if before.saturating_add(bytes) > limits.queue_bytes && before > 0 {
            self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
            return Err(refusal);
        }
        Ok(())
    }
    /// Bytes of messages that wait.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Acquire)
    }
    /// A message left the queue.
    pub(crate) fn taken(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
    pub(crate) fn batch_began(&self, now: Timestamp) {
        self.batch_since.store(now.as_millis(), Ordering::Release);
    }
    pub(crate) fn batch_ended(&self, committed: bool) {
        self.batch_since.store(0, Ordering::Release);
        self.failing.store(!committed, Ordering::Release);
    }
    /// How long the batch under way has been; 0 while there is none.
    pub(crate) fn lag_ms(&self, now: Timestamp) -> i64 {
        match self.batch_since.load(Ordering::Acquire) {
            0 => 0,
            since => now.as_millis().saturating_sub(since).max(0),
        }
    }
    /// So many shards are owned until then.
    pub(crate) fn leased(&self, shards: usize, until: Timestamp) {
        self.shards.store(shards, Ordering::Release);
        self.leased_until.store(until.as_millis(), Ordering::Release);
    }
    /// Shards that are owned, and until when.
    pub(crate) fn lease(&self) -> (usize, Timestamp) {
        (self.shards.load(Ordering::Acquire), Timestamp::from_millis(self.leased_until.load(Ordering::Acquire)))
    }
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
    /// The database takes no commits at the moment.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn refuses_by_bytes_but_takes_one_large_message_when_idle() {
        let (load, limits) = (Load::default(), EngineLimits { queue_bytes: 100, ..EngineLimits::default() });
        assert_eq!(load.admit(150, at(1), &limits), Ok(()));
        assert!(load.admit(1, at(1), &limits).is_err());
        load.taken(150);
        assert_eq!(load.admit(100, at(1), &limits), Ok(()));
        assert!(load.admit(1, at(1), &limits).is_err());
    }

    #[test]
    fn refuses_by_commit_lag_after_failures_and_when_stopping() {
        let (load, limits) = (Load::default(), EngineLimits::default());
        load.batch_began(at(1_000));
        assert_eq!(load.admit(1, at(3_000), &limits), Ok(()));
        assert!(load.admit(1, at(3_001), &limits).is_err());
        load.batch_ended(true);
        assert_eq!(load.admit(1, at(9_000), &limits), Ok(()));
        load.batch_ended(false);
        assert!(load.admit(1, at(9_000), &limits).is_err());
        load.batch_ended(true);
        load.stop();
        assert!(load.admit(1, at(9_000), &limits).is_err());
    }
}
