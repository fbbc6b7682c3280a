//! Whose turn it is: queues of held starts that may have somebody to let go, fair between organisations and between the
//! queues of each, and the moments at which rates have their next turn.

use onward_core::{OrganisationId, Timestamp, ports::HeldQueue};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Starts that an organisation may let go before the next one has its turn.
const OF_AN_ORGANISATION: i64 = 8;
/// Starts of one queue before the next queue of its organisation has its turn.
const OF_A_QUEUE: i64 = 4;

/// A queue's turn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) organisation: OrganisationId,
    pub(crate) queue: HeldQueue,
    /// How many starts it may let go.
    pub(crate) starts: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    queues: VecDeque<HeldQueue>,
    known: BTreeSet<HeldQueue>,
    /// What it may still let go in this round; below nothing when its starts were heavy.
    deficit: i64,
}

/// Deficit round-robin over organisations: one that lets go a million starts, or heavy ones, does not delay another's first.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    organisations: BTreeMap<OrganisationId, Waiting>,
    /// Who was served last.
    served: Option<OrganisationId>,
    alarms: BTreeSet<(Timestamp, OrganisationId, HeldQueue)>,
    alarm_of: BTreeMap<(OrganisationId, HeldQueue), Timestamp>,
}

impl Ready {
    /// A queue may have somebody to let go.
    pub(crate) fn add(&mut self, organisation: OrganisationId, queue: HeldQueue) {
        let waiting = self.organisations.entry(organisation).or_default();
        if waiting.known.insert(queue.clone()) {
            waiting.queues.push_back(queue);
        }
    }
    /// A queue has its next turn then; an earlier moment wins.
    pub(crate) fn add_at(&mut self, organisation: OrganisationId, queue: HeldQueue, at: Timestamp) {
        let place = (organisation, queue);
        if let Some(before) = self.alarm_of.get(&place) {
            if *before <= at {
                return;
            }
            self.alarms.remove(&(*before, place.0, place.1.clone()));
        }
        self.alarms.insert((at, place.0, place.1.clone()));
        self.alarm_of.insert(place, at);
    }
    /// Moves the queues whose moment has come to those that have their turn.
    pub(crate) fn wake(&mut self, now: Timestamp) {
        while self.alarms.first().is_some_and(|(at, _, _)| *at <= now) {
            let Some((_, organisation, queue)) = self.alarms.pop_first() else { return };
            self.alarm_of.remove(&(organisation, queue.clone()));
            self.add(organisation, queue);
        }
    }
    /// When the next queue has its turn.
    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.alarms.first().map(|(at, _, _)| *at)
    }
    /// Takes so many starts' worth of turns.
    pub(crate) fn take(&mut self, mut starts: usize) -> Vec<Turn> {
        let mut turns = Vec::new();
        while starts > 0 {
            let next = self.served.and_then(|served| self.organisations.range((std::ops::Bound::Excluded(served), std::ops::Bound::Unbounded)).next());
            let Some(organisation) = next.or_else(|| self.organisations.first_key_value()).map(|(organisation, _)| *organisation) else { break };
            self.served = Some(organisation);
            let Some(waiting) = self.organisations.get_mut(&organisation) else { break };
            waiting.deficit += OF_AN_ORGANISATION;
            while waiting.deficit > 0 && starts > 0 {
                let Some(queue) = waiting.queues.pop_front() else { break };
                waiting.known.remove(&queue);
                let turn = OF_A_QUEUE.min(waiting.deficit).min(i64::try_from(starts).unwrap_or(i64::MAX));
                waiting.deficit -= turn;
                let taken = usize::try_from(turn).unwrap_or(1);
                starts = starts.saturating_sub(taken);
                turns.push(Turn { organisation, queue, starts: taken });
            }
            if waiting.queues.is_empty() {
                self.organisations.remove(&organisation);
            }
        }
        turns
    }
    /// What an organisation's starts weighed beyond their number.
    pub(crate) fn charge(&mut self, organisation: OrganisationId, weight: usize) {
        if let Some(waiting) = self.organisations.get_mut(&organisation) {
            waiting.deficit = waiting.deficit.saturating_sub(i64::try_from(weight).unwrap_or(i64::MAX));
        }
    }
    /// Queues that have their turn.
    pub(crate) fn len(&self) -> usize {
        self.organisations.values().map(|waiting| waiting.queues.len()).sum()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.organisations.is_empty()
    }
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn organisation(number: u128) -> OrganisationId {
        OrganisationId(Uuid::from_u128(number))
    }
    fn queue(key: usize) -> HeldQueue {
        HeldQueue::Key { workflow: "w".into(), key: key.to_string() }
    }

    #[test]
    fn a_thousand_queues_of_one_organisation_do_not_delay_the_only_one_of_another() {
        let mut ready = Ready::default();
        for key in 0..1_000 {
            ready.add(organisation(1), queue(key));
        }
        ready.add(organisation(2), queue(0));
        ready.add(organisation(2), queue(0));
        let turns = ready.take(16);
        assert_eq!(turns.iter().map(|turn| turn.starts).sum::<usize>(), 16);
        assert_eq!(turns.iter().filter(|turn| turn.organisation == organisation(2)).count(), 1, "once, and in the first round");
    }

    #[test]
    fn heavy_starts_cost_turns() {
        let mut ready = Ready::default();
        for key in 0..1_000 {
            ready.add(organisation(1), queue(key));
            ready.add(organisation(2), queue(key));
        }
        ready.charge(organisation(1), 80);
        let turns = ready.take(160);
        let of = |number| turns.iter().filter(|turn| turn.organisation == organisation(number)).map(|turn| turn.starts).sum::<usize>();
        assert!(of(1) < of(2) / 2, "{} and {}", of(1), of(2));
    }

    #[test]
    fn a_rate_has_its_turn_when_its_moment_comes_and_not_before() {
        let at = Timestamp::from_millis;
        let mut ready = Ready::default();
        ready.add_at(organisation(1), queue(1), at(100));
        ready.add_at(organisation(1), queue(1), at(200));
        ready.add_at(organisation(1), queue(2), at(300));
        ready.add_at(organisation(1), queue(2), at(150));
        assert_eq!(ready.next_alarm(), Some(at(100)));
        ready.wake(at(99));
        assert!(ready.is_empty());
        ready.wake(at(149));
        assert_eq!(ready.take(9).into_iter().map(|turn| turn.queue).collect::<Vec<_>>(), [queue(1)]);
        assert_eq!(ready.next_alarm(), Some(at(150)));
        ready.wake(at(150));
        assert_eq!((ready.take(9).len(), ready.next_alarm()), (1, None));
    }
}
