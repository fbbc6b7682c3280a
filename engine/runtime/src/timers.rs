//! The near horizon of timers in memory; the rest lies in the store, by due time, and is read ahead.

use onward_core::{
    RunId, Timestamp,
    ports::{ShardSet, Timer},
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The timers that fall due soon.
#[derive(Debug)]
pub(crate) struct Timers {
    due: BTreeSet<(Timestamp, RunId, String)>,
    of_run: BTreeMap<RunId, BTreeMap<String, Timer>>,
    /// Every stored timer due at or before this moment is in memory.
    horizon: Timestamp,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { due: BTreeSet::new(), of_run: BTreeMap::new(), horizon: Timestamp::MIN }
    }
    /// Sets or moves a timer, as a confirmed commit left it. Beyond the horizon the store keeps it.
    pub(crate) fn set(&mut self, timer: Timer) {
        self.clear(timer.run_id, &timer.key);
        if timer.due <= self.horizon {
            self.insert(timer);
        }
    }
    fn insert(&mut self, timer: Timer) {
        self.due.insert((timer.due, timer.run_id, timer.key.clone()));
        self.of_run.entry(timer.run_id).or_default().insert(timer.key.clone(), timer);
    }
    pub(crate) fn clear(&mut self, run_id: RunId, key: &str) {
        let Some(timers) = self.of_run.get_mut(&run_id) else { return };
        if let Some(timer) = timers.remove(key) {
            self.due.remove(&(timer.due, run_id, timer.key));
        }
        if timers.is_empty() {
            self.of_run.remove(&run_id);
        }
    }
    /// A timer that was taken is with its run now: where reading the run in set it again, it is gone. One that was moved stays.
    pub(crate) fn handed_over(&mut self, timer: &Timer) {
        if self.of_run.get(&timer.run_id).and_then(|timers| timers.get(&timer.key)).is_some_and(|set| set.due == timer.due) {
            self.clear(timer.run_id, &timer.key);
        }
    }
    /// Takes what is due, in order of due time, at most `limit`.
    pub(crate) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<Timer> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some((due, run_id, key)) = self.due.first().cloned() else { break };
            if due > now {
                break;
            }
            self.due.pop_first();
            if let Some(timers) = self.of_run.get_mut(&run_id) {
                taken.extend(timers.remove(&key));
                if timers.is_empty() {
                    self.of_run.remove(&run_id);
                }
            }
        }
        taken
    }
    /// The runs of what is due, in order of due time.
    pub(crate) fn due(&self, now: Timestamp) -> impl Iterator<Item = RunId> {
        self.due.iter().take_while(move |(due, _, _)| *due <= now).map(|(_, run_id, _)| *run_id)
    }
    /// When those fall due that are due later than this, and their runs, in that order.
    pub(crate) fn due_after(&self, moment: Timestamp) -> impl Iterator<Item = (Timestamp, RunId)> {
        self.due.range((moment.plus_millis(1), RunId(Uuid::nil()), String::new())..).map(|(due, run_id, _)| (*due, *run_id))
    }
    /// Whether the store must be read: nothing is left to do before the horizon, or the horizon is behind us.
    pub(crate) fn wants_page(&self, now: Timestamp, horizon_ms: i64) -> bool {
        match self.due.first() {
            None => self.horizon <= now.plus_millis(horizon_ms / 2),
            Some((due, _, _)) => self.horizon < now && *due > now,
        }
    }
    /// Takes a page in: the earliest timers of the store due before `until`, at most `limit`.
    pub(crate) fn page(&mut self, page: Vec<Timer>, until: Timestamp, limit: usize) {
        let full = page.len() >= limit;
        let last = page.last().map(|timer| timer.due);
        for timer in page {
            self.clear(timer.run_id, &timer.key);
            self.insert(timer);
        }
        // Of timers due at the last moment of a full page some may be missing.
        self.horizon = match last {
            Some(last) if full => last.plus_millis(-1).max(self.horizon.min(last)),
            _ => until.plus_millis(-1),
        };
    }
    /// When to look again.
    pub(crate) fn next_wake(&self, horizon_ms: i64) -> Timestamp {
        let read_ahead = if self.due.is_empty() { self.horizon.plus_millis(-horizon_ms / 2) } else { self.horizon.plus_millis(1) };
        self.due.first().map_or(read_ahead, |(due, _, _)| (*due).min(read_ahead))
    }
    /// Forgets the timers of shards that are another's now.
    pub(crate) fn drop_shards(&mut self, shards: &ShardSet) {
        let gone = |timer: &Timer| shards.contains(timer.shard);
        let gone: Vec<(RunId, String)> =
            self.of_run.values().flat_map(BTreeMap::values).filter(|timer| gone(timer)).map(|timer| (timer.run_id, timer.key.clone())).collect();
        for (run_id, key) in gone {
            self.clear(run_id, &key);
        }
    }
    /// Forgets everything; the next page starts anew.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::{OrganisationId, Shard};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }
    fn timer(run: u128, due: i64) -> Timer {
        Timer { run_id: RunId(Uuid::from_u128(run)), organisation: OrganisationId(Uuid::nil()), shard: Shard(0), key: "sleep".into(), due: at(due) }
    }

    #[test]
    fn nothing_is_early_and_all_come_in_order() {
        let mut timers = Timers::new();
        timers.page(vec![timer(1, 100), timer(2, 200), timer(3, 300)], at(60_000), 10);
        assert!(timers.take_due(at(99), 10).is_empty());
        assert_eq!(timers.next_wake(60_000), at(100));
        assert_eq!(timers.due_after(at(100)).map(|(due, _)| due.as_millis()).collect::<Vec<_>>(), [200, 300]);
        let due: Vec<_> = timers.take_due(at(250), 10).iter().map(|timer| timer.due.as_millis()).collect();
        assert_eq!(due, [100, 200]);
        assert_eq!(timers.len(), 1);
    }

    #[test]
    fn one_that_was_taken_is_not_taken_again() {
        let mut timers = Timers::new();
        timers.page(vec![timer(1, 100), timer(2, 100)], at(60_000), 10);
        let taken = timers.take_due(at(100), 10);
        // Their runs were read in, and set what they know of.
        timers.set(timer(1, 100));
        timers.set(timer(2, 900));
        for timer in &taken {
            timers.handed_over(timer);
        }
        assert!(timers.take_due(at(100), 10).is_empty());
        assert_eq!(timers.take_due(at(900), 10), [timer(2, 900)], "it was moved");
    }

    #[test]
    fn a_timer_beyond_the_horizon_is_left_to_the_store() {
        let mut timers = Timers::new();
        timers.page(Vec::new(), at(1_000), 10);
        timers.set(timer(1, 999));
        timers.set(timer(2, 1_000));
        assert_eq!(timers.len(), 1, "a page until 1000 holds what is due before");
        timers.set(timer(1, 5_000));
        assert_eq!(timers.len(), 0, "it moved beyond");
    }

    #[test]
    fn a_full_page_moves_the_horizon_no_further_than_it_reaches() {
        let mut timers = Timers::new();
        timers.page(vec![timer(1, 100), timer(2, 100)], at(60_000), 2);
        timers.set(timer(3, 100));
        assert_eq!(timers.len(), 2, "of those due at 100 some may still lie in the store, this one too");
        assert!(!timers.wants_page(at(50), 60_000), "while memory has work ahead, the store waits");
        for now in [50, 99, 100] {
            assert!(!timers.wants_page(at(now), 60_000), "at {now}: first what is in memory");
        }
        assert_eq!(timers.next_wake(60_000), at(100), "not before there is something to do");
        assert_eq!(timers.take_due(at(100), 10).len(), 2);
        assert!(timers.wants_page(at(100), 60_000));
        timers.page(vec![timer(3, 100)], at(60_100), 2);
        assert_eq!(timers.take_due(at(100), 10).len(), 1);
    }
}
