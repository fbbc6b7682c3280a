//! Held starts and the orders in which they are found.

use super::state::State;
use onward_core::{
    OrganisationId, Timestamp,
    ports::{HeldQueue, HeldStart, StoreError},
};
use std::sync::Arc;

/// Kind, name and key of a queue; the place in it; the number.
pub(super) type Place = (String, String, String, u8, i64);

fn place(start: &HeldStart) -> Place {
    let (name, key) = start.queue.parts();
    let place = if start.queue.by_priority() { start.priority } else { 0 };
    (start.queue.kind().to_owned(), name.to_owned(), key.to_owned(), place, start.id)
}

fn keeps_its_place(queue: &HeldQueue) -> bool {
    !matches!(queue, HeldQueue::Debounce { .. } | HeldQueue::Person { .. })
}

pub(super) fn put(state: &mut State, start: HeldStart) {
    state.held_order.put((start.organisation, place(&start)), ());
    state.held_keys.put((start.organisation, start.workflow.clone(), (start.key.clone(), start.id)), ());
    state.held_runs.put(start.run_id, start.id);
    if let HeldQueue::Debounce { .. } = start.queue {
        state.held_bursts.put((start.not_before.unwrap_or_default(), start.id), ());
    }
    state.held.put(start.id, Arc::new(start));
}

pub(super) fn remove(state: &mut State, organisation: OrganisationId, id: i64) -> Option<Arc<HeldStart>> {
    let start = state.held.get(&id).filter(|start| start.organisation == organisation).cloned()?;
    state.held_order.remove(&(organisation, place(&start)));
    state.held_keys.remove(&(organisation, start.workflow.clone(), (start.key.clone(), id)));
    state.held_runs.remove(&start.run_id);
    if let HeldQueue::Debounce { .. } = start.queue {
        state.held_bursts.remove(&(start.not_before.unwrap_or_default(), id));
    }
    state.held.remove(&id);
    Some(start)
}

pub(super) fn next(state: &State, organisation: OrganisationId, queue: &HeldQueue) -> Option<HeldStart> {
    let (name, key) = queue.parts();
    let from = (organisation, (queue.kind().to_owned(), name.to_owned(), key.to_owned(), 0, 0));
    let ((of, place), ()) = state.held_order.working().range(from..).next()?;
    let is_of_queue = *of == organisation && place.0 == queue.kind() && place.1 == name && place.2 == key;
    state.held.get(&place.4).filter(|_| is_of_queue).map(|start| HeldStart::clone(start))
}

pub(super) fn queues(state: &State, after: Option<&(OrganisationId, HeldQueue)>, limit: usize) -> Result<Vec<(OrganisationId, HeldQueue)>, StoreError> {
    let mut found: Vec<(OrganisationId, HeldQueue)> = Vec::new();
    while found.len() < limit {
        let next = match found.last().or(after) {
            None => state.held_order.working().keys().next(),
            Some((organisation, queue)) => {
                let (name, key) = queue.parts();
                let last = (*organisation, (queue.kind().to_owned(), name.to_owned(), key.to_owned(), u8::MAX, i64::MAX));
                state.held_order.working().range(last..).next().map(|(place, ())| place)
            }
        };
        let Some((organisation, (kind, name, key, _, _))) = next else { break };
        let queue = HeldQueue::of_parts(kind, name.clone(), key.clone()).ok_or_else(|| StoreError::Failed(format!("the queue {kind} is unknown")))?;
        found.push((*organisation, queue));
    }
    Ok(found)
}

pub(super) fn bursts(state: &State, limit: usize) -> Vec<(OrganisationId, HeldQueue, Timestamp)> {
    let starts = state.held_bursts.working().keys().filter_map(|(end, id)| Some((*end, state.held.get(id)?)));
    starts.take(limit).map(|(end, start)| (start.organisation, start.queue.clone(), end)).collect()
}

pub(super) fn count(state: &State, organisation: OrganisationId, of: Option<(&str, &str)>, most: u64) -> u64 {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let places = state.held_keys.working().keys().filter(|(whose, workflow, (key, _))| {
        *whose == organisation && of.is_none_or(|(wanted_workflow, wanted_key)| workflow == wanted_workflow && key == wanted_key)
    });
    places.take(most).count() as u64
}

/// The numbers of a key's held starts that keep their place in the order of intake.
pub(super) fn of_key<'s>(state: &'s State, organisation: OrganisationId, workflow: &'s str, key: &'s str) -> impl Iterator<Item = i64> + 's {
    let from = (organisation, workflow.to_owned(), (key.to_owned(), 0));
    let places = state.held_keys.working().range(from..).map(|(place, ())| place);
    let places = places.take_while(move |(whose, of, (about, _))| *whose == organisation && of == workflow && about == key);
    places.map(|(_, _, (_, id))| *id).filter(|id| state.held.get(id).is_some_and(|start| keeps_its_place(&start.queue)))
}
