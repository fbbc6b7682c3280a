//! The gates that a start passes, one after the other: too deep, its burst, what is paused, the runs of its key, its
//! concurrency limit, its rate limit (SEMANTICS.md 13, 22 to 24).
//!
//! All gates are asked in one transaction and in this order, for a new start as for one that was held. A start that waits
//! for its rate keeps its permit: were it the other way round, turns of the rate would be saved up while permits are missing,
//! and more would start at once than the rate allows.

use crate::{
    admission::{Candidate, Origin},
    batch::Batch,
    engine::Engine,
};
use onward_core::{
    OrganisationId, RunId, Shard, Timestamp,
    definition::{Mode, Rate, Reentry, Workflow},
    limits,
    machine::{Admission, Happening, LimitKey, State, gates_of},
    ports::{HeldQueue, KeyState, Store, StoreError},
};
use std::sync::Arc;

/// What the gates say to a start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Passage {
    /// It starts now. Its permit is taken and its turn used.
    Start,
    /// It is held.
    Wait(Wait),
    /// It will not start.
    Refuse(String),
}

/// Where and why a start is held.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wait {
    pub(crate) queue: HeldQueue,
    /// For people, with what releases it.
    pub(crate) reason: String,
    pub(crate) not_before: Option<Timestamp>,
}

impl Wait {
    pub(crate) fn new(queue: HeldQueue, reason: impl Into<String>) -> Self {
        Self { queue, reason: reason.into(), not_before: None }
    }
}

/// What the key's other runs mean for a start.
#[derive(Debug, PartialEq)]
pub(crate) enum Meeting {
    Go,
    Hold(String),
    /// The living ones are cancelled first.
    Replace(String),
    Refuse(String),
}

/// `held` is the start's number, when it was held before.
pub(crate) fn meet(mode: Mode, reentry: &Reentry, state: &KeyState, held: Option<i64>, now: Timestamp) -> Meeting {
    let entered = !state.live.is_empty() || state.last_ended_at.is_some();
    match (reentry, state.last_ended_at) {
        (Reentry::Never, _) if entered => return Meeting::Refuse("reentry: never, and this key has been here".into()),
        (Reentry::After(span), Some(ended)) => {
            let from = span.add_to(ended, "UTC");
            if now < from {
                return Meeting::Refuse(format!("reentry: after {}, so not before {from}", span.text));
            }
        }
        _ => {}
    }
    let before_me = |other: &i64| held.is_none_or(|held| *other < held);
    let one_at_a_time = matches!(mode, Mode::Queued | Mode::Restart);
    if mode == Mode::Restart && state.newest_held.is_some_and(|newest| held.is_some_and(|held| newest > held)) {
        return Meeting::Refuse("mode: restart, and a newer start of this key replaces it".into());
    }
    let Some(oldest) = state.live.first() else {
        return if one_at_a_time && state.oldest_held.as_ref().is_some_and(before_me) {
            Meeting::Hold("queued behind other starts of this key; it starts when they have ended".into())
        } else {
            Meeting::Go
        };
    };
    match mode {
        Mode::Parallel => Meeting::Go,
        Mode::Single => Meeting::Refuse(format!("mode: single, and run {oldest} of this key is alive")),
        Mode::Queued => Meeting::Hold(format!("mode: queued, and run {oldest} of this key is alive; it starts when that has ended")),
        Mode::Restart => Meeting::Replace(format!("mode: restart; it starts when run {oldest} has ended")),
    }
}

impl<S: Store> Engine<S> {
    /// Asks every gate. On [`Passage::Start`] the caller begins the run in this transaction.
    pub(crate) async fn pass(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, candidate: &Candidate) -> Result<Passage, StoreError> {
        let organisation = candidate.organisation();
        let workflow = Arc::clone(&candidate.current.workflow);
        let named = || workflow.name.clone();
        if candidate.depth > limits::EVENT_DEPTH {
            let reason = format!(
                "more than {} causes in a row led here: the automations trigger each other; mend them, then let it start with `onward runs resume {}`",
                limits::EVENT_DEPTH,
                candidate.run_id
            );
            return Ok(Passage::Wait(Wait::new(HeldQueue::Person { workflow: named() }, reason)));
        }
        if let Some(wait) = self.burst(tx, batch, candidate).await? {
            return Ok(Passage::Wait(wait));
        }
        let paused = self.pause_of_starts(&candidate.current).or_else(|| self.starts_at_paused_step(candidate, batch.now));
        if let Some(reason) = paused {
            return Ok(Passage::Wait(Wait::new(HeldQueue::Paused { workflow: named() }, reason)));
        }
        if workflow.mode != Mode::Parallel || workflow.reentry != Reentry::Always {
            let state = self.key_state(tx, batch, organisation, &workflow.name, &candidate.key).await?;
            let queue = || HeldQueue::Key { workflow: named(), key: candidate.key.clone() };
            match meet(workflow.mode, &workflow.reentry, &state, candidate.held, batch.now) {
                Meeting::Go => {}
                Meeting::Refuse(reason) => return Ok(Passage::Refuse(reason)),
                Meeting::Hold(reason) => return Ok(Passage::Wait(Wait::new(queue(), reason))),
                Meeting::Replace(reason) => {
                    for old in &state.live {
                        batch.happen(
                            *old,
                            Happening::Cancel { by: "restart".into(), reason: Some("a newer start of this key replaces it".into()), force: false },
                        );
                    }
                    return Ok(Passage::Wait(Wait::new(queue(), reason)));
                }
            }
        }
        if let (Some(limit), Some(key)) = (&workflow.limits.concurrency, &candidate.gates.concurrency)
            && let Some(wait) = self.concurrency_gate(tx, candidate, key, limit.max).await?
        {
            return Ok(Passage::Wait(wait));
        }
        if let (Some(limit), Some(key)) = (&workflow.limits.rate, &candidate.gates.rate)
            && let Some(wait) = self.rate_gate(tx, batch, candidate, key, limit).await?
        {
            return Ok(Passage::Wait(wait));
        }
        Ok(Passage::Start)
    }

    /// An event of a workflow with `debounce` waits for the end of its burst. A start that was held is not asked again.
    async fn burst(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, candidate: &Candidate) -> Result<Option<Wait>, StoreError> {
        let (Some(debounce), None, Origin::Event { .. }) = (candidate.current.workflow.limits.debounce, candidate.held, &candidate.origin) else {
            return Ok(None);
        };
        let queue = Self::burst_queue(candidate);
        let store = Arc::clone(&self.shared.store);
        let running = store.next_held(tx, candidate.organisation(), &queue).await?;
        let since = match running {
            Some(running) if running.not_before.is_some_and(|end| end > batch.now) => running.held_at,
            _ => batch.now,
        };
        let quiet = batch.now.plus_millis(debounce.wait_ms);
        let end = debounce.max_wait_ms.map_or(quiet, |max| quiet.min(since.plus_millis(max)));
        let reason = format!("limits.debounce: its burst ends at {end}, or later when another event comes before; the last event starts the run");
        Ok(Some(Wait { queue, reason, not_before: Some(end) }))
    }

    /// The queue of a start's burst.
    pub(crate) fn burst_queue(candidate: &Candidate) -> HeldQueue {
        let key = if candidate.current.workflow.key.is_some() { candidate.key.clone() } else { String::new() };
        HeldQueue::Debounce { workflow: candidate.workflow().to_owned(), key }
    }

    async fn concurrency_gate(&mut self, tx: &mut S::Tx, candidate: &Candidate, key: &LimitKey, max: u32) -> Result<Option<Wait>, StoreError> {
        let queue = HeldQueue::concurrency(key);
        let organisation = candidate.organisation();
        if self.stands_behind(tx, candidate, &queue).await? {
            return Ok(Some(Wait::new(queue, format!("limits.concurrency: other starts wait for {} before it", shown(key)))));
        }
        let store = Arc::clone(&self.shared.store);
        self.permits_are_out = true;
        if store.take_permit(tx, organisation, key, home_of(organisation, key), candidate.run_id, max).await? {
            return Ok(None);
        }
        Ok(Some(Wait::new(queue, format!("limits.concurrency: {max} of {} are at work; it starts when one has ended", shown(key)))))
    }

    async fn rate_gate(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        candidate: &Candidate,
        key: &LimitKey,
        limit: &Rate,
    ) -> Result<Option<Wait>, StoreError> {
        let queue = HeldQueue::rate(key);
        let organisation = candidate.organisation();
        let store = Arc::clone(&self.shared.store);
        let used = store.rate_used_until(tx, organisation, key).await?;
        let behind = self.stands_behind(tx, candidate, &queue).await?;
        match turn(limit, used, batch.now) {
            Ok(until) if !behind => {
                store.use_rate(tx, organisation, key, home_of(organisation, key), until).await?;
                Ok(None)
            }
            turn => {
                let next = turn.err().unwrap_or(batch.now);
                batch.alarms.push((organisation, queue.clone(), next));
                let reason = format!("limits.rate: {} starts in {} ms of {}; it starts when its turn comes", limit.max, limit.per_ms, shown(key));
                Ok(Some(Wait { queue, reason, not_before: (!behind).then_some(next) }))
            }
        }
    }

    /// Whether another start of this queue goes first: a more urgent one, or one as urgent that came before.
    async fn stands_behind(&mut self, tx: &mut S::Tx, candidate: &Candidate, queue: &HeldQueue) -> Result<bool, StoreError> {
        if !self.starts_are_held {
            return Ok(false);
        }
        let store = Arc::clone(&self.shared.store);
        let first = store.next_held(tx, candidate.organisation(), queue).await?;
        Ok(first.is_some_and(|first| (first.priority, first.id) < (candidate.gates.priority, candidate.held.unwrap_or(i64::MAX))))
    }

    /// Lets a run go on that had ended, or a copy of one, past the gates of mode and limits (SEMANTICS.md 27): it takes its
    /// permit and its turn, or is refused with the reason.
    pub(crate) async fn pass_again(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        run_id: RunId,
        workflow: &Workflow,
        state: &State,
    ) -> Result<Result<(), String>, StoreError> {
        if workflow.mode != Mode::Parallel {
            let key = self.key_state(tx, batch, organisation, &workflow.name, &state.key).await?;
            match meet(workflow.mode, &Reentry::Always, &key, None, batch.now) {
                Meeting::Go => {}
                Meeting::Refuse(reason) | Meeting::Hold(reason) | Meeting::Replace(reason) => return Ok(Err(reason)),
            }
        }
        if workflow.limits.concurrency.is_none() && workflow.limits.rate.is_none() {
            return Ok(Ok(()));
        }
        let key = workflow.key.as_ref().map(|_| &*state.key);
        let gates = match self.admit(tx, batch, organisation, |asked| gates_of(workflow, &state.event, &state.input, key, asked)).await? {
            Admission::Yes { gates, .. } => gates,
            Admission::Error(reason) => return Ok(Err(format!("its limits cannot be told: {reason}"))),
            Admission::No | Admission::Need(_) => return Ok(Err("its limits cannot be told".into())),
        };
        let store = Arc::clone(&self.shared.store);
        if let (Some(limit), Some(key)) = (&workflow.limits.concurrency, &gates.concurrency) {
            self.permits_are_out = true;
            if let Some(live) = self.runs.get_mut(run_id) {
                live.may_hold_permit = true;
            }
            if !store.take_permit(tx, organisation, key, home_of(organisation, key), run_id, limit.max).await? {
                return Ok(Err(format!("limits.concurrency: {} of {} are at work; try again when one has ended", limit.max, shown(key))));
            }
        }
        if let (Some(limit), Some(key)) = (&workflow.limits.rate, &gates.rate) {
            let used = store.rate_used_until(tx, organisation, key).await?;
            match turn(limit, used, batch.now) {
                Ok(until) => store.use_rate(tx, organisation, key, home_of(organisation, key), until).await?,
                Err(next) => {
                    self.give_permits_back(tx, batch, &[run_id]).await?;
                    let reason = format!("limits.rate: {} starts in {} ms of {}; the next may come at {next}", limit.max, limit.per_ms, shown(key));
                    return Ok(Err(reason));
                }
            }
        }
        Ok(Ok(()))
    }

    /// What is known of a key, this transaction's own changes included.
    async fn key_state(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        key: &str,
    ) -> Result<KeyState, StoreError> {
        let store = Arc::clone(&self.shared.store);
        let mut state = store.key_state(tx, organisation, workflow, key).await?;
        let change = batch.key_change(organisation, workflow, key);
        for run_id in &change.started {
            if !state.live.contains(run_id) {
                state.live.push(*run_id);
            }
        }
        for (run_id, at) in &change.ended {
            state.live.retain(|live| live != run_id);
            state.last_ended_at = state.last_ended_at.max(Some(*at));
        }
        Ok(state)
    }
}

/// Where a limit lives: by hash of organisation, name and key (SEMANTICS.md 24).
pub(crate) fn home_of(organisation: OrganisationId, limit: &LimitKey) -> Shard {
    Shard::of(organisation, &limit.name, &limit.key)
}

/// A limit in words.
fn shown(limit: &LimitKey) -> String {
    let name = limit.name.split_once(':').map_or(limit.name.as_str(), |(_, name)| name);
    if limit.key.is_empty() { name.to_owned() } else { format!("{name}, {}", limit.key) }
}

/// The longest that starts of a rate may come early to make up for a commit that took its time, in microseconds: the slice of
/// SEMANTICS.md 24.
const SLICE_MICROS: i64 = 1_000_000;

/// Whether a rate permits a start now: until when its starts then count, in microseconds, or else when the next may come.
///
/// Starts are spread: each takes its share of the time. So that a loop that looks at them every few milliseconds does not
/// fall behind, starts may come a slice early, and the shares are longer by as much: in no span of `per` start more than
/// `max` (with shares of (per + slice) / max, `max` of them that begin a slice early fill the span).
pub(crate) fn turn(limit: &Rate, used_until: Option<i64>, now: Timestamp) -> Result<i64, Timestamp> {
    let (per, max) = (limit.per_ms.saturating_mul(1_000), i64::from(limit.max.max(1)));
    let slice = SLICE_MICROS.min(per / 20);
    let slice = if per / max >= slice { 0 } else { slice };
    let share = (per + slice + max - 1) / max;
    let now_micros = now.as_millis().saturating_mul(1_000);
    let used = used_until.unwrap_or(now_micros).max(now_micros);
    if used - slice > now_micros {
        return Err(Timestamp::from_millis((used - slice + 999).div_euclid(1_000)));
    }
    Ok(used + share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::{
        RunId,
        definition::{LimitScope, Span},
    };
    use uuid::Uuid;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }
    fn live() -> KeyState {
        KeyState { live: vec![RunId(Uuid::from_u128(1))], ..KeyState::default() }
    }
    fn day() -> Reentry {
        Reentry::After(Span { span: jiff::Span::new().hours(24), text: "1d".into() })
    }
    fn new(mode: Mode, reentry: &Reentry, state: &KeyState, now: i64) -> Meeting {
        meet(mode, reentry, state, None, at(now))
    }

    #[test]
    fn each_mode_meets_a_living_run_in_its_way() {
        let always = Reentry::Always;
        assert_eq!(new(Mode::Parallel, &always, &live(), 0), Meeting::Go);
        assert!(matches!(new(Mode::Single, &always, &live(), 0), Meeting::Refuse(reason) if reason.contains("single")));
        assert!(matches!(new(Mode::Queued, &always, &live(), 0), Meeting::Hold(_)));
        assert!(matches!(new(Mode::Restart, &always, &live(), 0), Meeting::Replace(_)));
        for mode in [Mode::Parallel, Mode::Single, Mode::Queued, Mode::Restart] {
            assert_eq!(new(mode, &always, &KeyState::default(), 0), Meeting::Go);
        }
    }

    #[test]
    fn a_start_never_overtakes_held_ones_of_its_key() {
        let state = KeyState { oldest_held: Some(3), newest_held: Some(5), ..KeyState::default() };
        assert!(matches!(new(Mode::Queued, &Reentry::Always, &state, 0), Meeting::Hold(_)));
        assert!(matches!(new(Mode::Restart, &Reentry::Always, &state, 0), Meeting::Hold(_)));
        assert_eq!(meet(Mode::Queued, &Reentry::Always, &state, Some(3), at(0)), Meeting::Go);
        assert!(matches!(meet(Mode::Queued, &Reentry::Always, &state, Some(5), at(0)), Meeting::Hold(_)));
        assert!(matches!(meet(Mode::Restart, &Reentry::Always, &state, Some(3), at(0)), Meeting::Refuse(_)), "a newer one replaces it");
    }

    #[test]
    fn reentry_counts_from_the_last_end() {
        let ended = KeyState { last_ended_at: Some(at(1_000)), ..KeyState::default() };
        assert!(matches!(new(Mode::Parallel, &Reentry::Never, &ended, 9_000), Meeting::Refuse(_)));
        assert!(matches!(new(Mode::Parallel, &Reentry::Never, &live(), 0), Meeting::Refuse(_)));
        assert_eq!(new(Mode::Parallel, &Reentry::Never, &KeyState::default(), 0), Meeting::Go);
        let free = 1_000 + 24 * 3_600_000;
        assert!(matches!(new(Mode::Parallel, &day(), &ended, free - 1), Meeting::Refuse(_)));
        assert_eq!(new(Mode::Parallel, &day(), &ended, free), Meeting::Go);
        assert_eq!(new(Mode::Parallel, &day(), &live(), 0), Meeting::Go, "nothing has ended yet");
    }

    /// The moments at which starts come, of as many as want to, when they are asked for every `every` milliseconds.
    fn starts(max: u32, per_ms: i64, every: i64, until: i64) -> Vec<i64> {
        let limit = Rate { max, per_ms, scope: LimitScope::default() };
        let (mut used, mut started) = (None, Vec::new());
        for now in (0..until).step_by(every as usize) {
            while let Ok(next) = turn(&limit, used, at(now)) {
                used = Some(next);
                started.push(now);
            }
        }
        started
    }

    proptest::proptest! {
        #[test]
        fn no_span_of_time_has_more_starts_than_its_rate(max in 1_u32..400, per_ms in 1_i64..3_000, every in 1_i64..700) {
            let started = starts(max, per_ms, every, 8_000);
            for (first, moment) in started.iter().enumerate() {
                let within = started[first..].iter().take_while(|other| **other < moment + per_ms).count();
                proptest::prop_assert!(within <= max as usize, "{within} of {max} from {moment}: {started:?}");
            }
        }
    }

    #[test]
    fn a_rate_is_nearly_used_up_and_spread() {
        let count = starts(500, 60_000, 5, 600_000).len();
        assert!((4_800..=5_000).contains(&count), "{count}");
        let busy = starts(1_000, 1_000, 7, 10_000);
        assert!(busy.len() > 9_000, "{}", busy.len());
        assert_eq!(starts(2, 1_000, 1, 3_000), [0, 500, 1_000, 1_500, 2_000, 2_500]);
    }

    #[test]
    fn a_clock_that_goes_back_lets_nothing_through_twice() {
        let limit = Rate { max: 1, per_ms: 1_000, scope: LimitScope::default() };
        let used = turn(&limit, None, at(10_000)).expect("the first starts");
        assert_eq!(turn(&limit, Some(used), at(5_000)), Err(at(11_000)));
    }
}
