//! Schedules: all that a shard's owner has lie in memory, by the moment at which they fire; the store knows where each stands.
//!
//! A due time fires as an event whose id is a hash of organisation, workflow, trigger and due time, stored in the transaction
//! that moves the schedule on: whatever crashes, it fires once.

use crate::{
    batch::{Arriving, Batch},
    definitions::{Addressee, Current},
    engine::Engine,
};
use onward_core::{
    ErrorCode, NewEvent, OrganisationId, Shard, Timestamp, Value,
    definition::{Schedule, TriggerKind},
    digest, limits,
    ports::{ScheduleRow, SegmentMember, ShardSet, Store, StoreError},
    schedule::{self, Calendar, Firing, Standing},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Which schedule: organisation, workflow, the trigger's place.
pub(crate) type ScheduleKey = (OrganisationId, String, usize);

/// When schedules fire next, as a confirmed commit left it.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    due: BTreeSet<(Timestamp, ScheduleKey)>,
    fires_at: BTreeMap<ScheduleKey, Timestamp>,
    /// By shard, since when somebody has been there to fire them: the take-over.
    since: BTreeMap<Shard, Timestamp>,
    /// Workflows that stood still until later than that.
    resumed: BTreeMap<(OrganisationId, String), Timestamp>,
    read: bool,
}

impl Schedules {
    /// Whether the store must be asked what there is.
    pub(crate) fn are_unread(&self) -> bool {
        !self.read
    }
    /// Forgets everything; the store is asked anew.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
    /// What there is has changed; the store is asked anew.
    pub(crate) fn read_again(&mut self) {
        self.read = false;
    }
    /// Nobody was there to fire the schedules of a shard until this moment.
    pub(crate) fn gained(&mut self, shard: Shard, since: Timestamp) {
        self.since.insert(shard, since);
        self.read = false;
    }
    /// Shards are another's now.
    pub(crate) fn drop_shards(&mut self, shards: &ShardSet) {
        self.since.retain(|shard, _| !shards.contains(*shard));
        self.fires_at.retain(|key, _| !shards.contains(shard_of(key)));
        self.due.retain(|(_, key)| !shards.contains(shard_of(key)));
    }
    /// These are all that there are of our shards.
    pub(crate) fn take_over(&mut self, rows: impl IntoIterator<Item = ScheduleRow>, shards: ShardSet, now: Timestamp) {
        self.due.clear();
        self.fires_at.clear();
        for shard in shards.iter() {
            self.since.entry(shard).or_insert(now);
        }
        self.read = true;
        for row in rows {
            self.set((row.organisation, row.workflow, row.trigger), row.fires_at);
        }
    }
    fn set(&mut self, key: ScheduleKey, fires_at: Timestamp) {
        if let Some(before) = self.fires_at.insert(key.clone(), fires_at) {
            self.due.remove(&(before, key.clone()));
        }
        self.due.insert((fires_at, key));
    }
    /// What a workflow has now; nothing while it is paused.
    pub(crate) fn replace(&mut self, organisation: OrganisationId, workflow: &str, rows: &[ScheduleRow]) {
        let first = (organisation, workflow.to_owned(), 0);
        let old: Vec<ScheduleKey> =
            self.fires_at.range(first..).map(|(key, _)| key.clone()).take_while(|key| key.0 == organisation && key.1 == workflow).collect();
        for key in old {
            if let Some(fires_at) = self.fires_at.remove(&key) {
                self.due.remove(&(fires_at, key));
            }
        }
        for row in rows {
            self.set((organisation, workflow.to_owned(), row.trigger), row.fires_at);
        }
    }
    /// A workflow stood still until this moment: what fell due before was missed.
    pub(crate) fn resumed(&mut self, organisation: OrganisationId, workflow: &str, now: Timestamp) {
        self.resumed.insert((organisation, workflow.to_owned()), now);
    }
    fn since(&self, key: &ScheduleKey) -> Timestamp {
        let since = self.since.get(&shard_of(key)).copied().unwrap_or(Timestamp::MIN);
        self.resumed.get(&(key.0, key.1.clone())).copied().unwrap_or(since).max(since)
    }
    /// Takes what fires now, in order, at most `limit`; each comes back with the commit that handles it.
    pub(crate) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<ScheduleKey> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some((fires_at, _)) = self.due.first()
            && *fires_at <= now
            && let Some((_, key)) = self.due.pop_first()
        {
            self.fires_at.remove(&key);
            taken.push(key);
        }
        taken
    }
    /// When the next one fires.
    pub(crate) fn next_wake(&self) -> Option<Timestamp> {
        self.due.first().map(|(fires_at, _)| *fires_at)
    }
}

/// Where a schedule lives.
fn shard_of((organisation, workflow, trigger): &ScheduleKey) -> Shard {
    Shard::of(*organisation, workflow, &trigger.to_string())
}

/// Whose schedule it is, for hashes.
fn identity<'a>(organisation: &'a OrganisationId, workflow: &'a str, trigger: &'a [u8]) -> [&'a [u8]; 3] {
    [organisation.0.as_bytes(), workflow.as_bytes(), trigger]
}

/// When a due time fires.
pub(crate) fn fires_at(schedule: &Schedule, organisation: OrganisationId, workflow: &str, trigger: usize, due: Timestamp) -> Timestamp {
    schedule.fires_at(&identity(&organisation, workflow, &(trigger as u64).to_be_bytes()), due)
}

/// The event of a due time, for one contact with `each`.
pub(crate) fn fired_event(organisation: OrganisationId, workflow: &str, trigger: usize, due: Timestamp, contact: Option<&str>) -> NewEvent {
    let (place, millis) = ((trigger as u64).to_be_bytes(), due.as_millis().to_be_bytes());
    let mut parts = identity(&organisation, workflow, &place).to_vec();
    parts.push(&millis);
    parts.extend(contact.map(str::as_bytes));
    let id = digest::short(&parts).iter().fold(String::with_capacity(32), |text, byte| text + format!("{byte:02x}").as_str());
    let mut data = serde_json::json!({ "due": due });
    if let (Some(contact), Some(data)) = (contact, data.as_object_mut()) {
        data.insert("contact_id".into(), Value::from(contact));
    }
    let mut event = NewEvent::new(organisation, "schedule.fired", format!("schedule/{workflow}"), data).with_id(id);
    event.time = Some(due);
    event.subject = Some(workflow.to_owned());
    event
}

/// Whether a due time fires for a contact: with `timezone: contact`, where the contact lives; contacts without a zone live in
/// the organisation's.
pub(crate) fn lives_there(firing: &Firing, member: &SegmentMember, organisation_zone: &str) -> bool {
    firing.zones.as_ref().is_none_or(|zones| zones.iter().any(|meant| meant.eq_ignore_ascii_case(zone_of(member, organisation_zone))))
}

/// On whose clocks a contact lives.
pub(crate) fn zone_of<'z>(member: &'z SegmentMember, organisation_zone: &'z str) -> &'z str {
    member.timezone.as_deref().filter(|zone| schedule::is_zone(zone)).unwrap_or(organisation_zone)
}

/// When a schedule fires next, from the due time at which it stands; without one, from now.
pub fn next_fires(
    current: &Current,
    trigger: usize,
    schedule: &Schedule,
    organisation_zone: &str,
    next_due: Option<Timestamp>,
    now: Timestamp,
    count: usize,
) -> Vec<Timestamp> {
    let calendar = Calendar::of(schedule, organisation_zone);
    let first = next_due.or_else(|| calendar.next_after(now));
    let due_times = std::iter::successors(first, |due| calendar.next_after(*due)).take(count);
    due_times.map(|due| fires_at(schedule, current.organisation, &current.workflow.name, trigger, due)).collect()
}

/// The schedules of a version, by their places.
fn schedules_of(current: &Current) -> impl Iterator<Item = (usize, &Schedule)> {
    current.workflow.triggers.iter().enumerate().filter_map(|(place, trigger)| match &trigger.on {
        TriggerKind::Schedule(schedule) => Some((place, schedule.as_ref())),
        _ => None,
    })
}

impl<S: Store> Engine<S> {
    /// Reads what a take-over must know of schedules.
    pub(crate) async fn read_schedules(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let rows = self.shared.store.schedules(self.leases.held()).await?;
        let snapshot = self.shared.definitions.snapshot();
        let goes = |row: &ScheduleRow| snapshot.current(row.organisation, &row.workflow).is_some_and(|current| !current.paused);
        self.schedules.take_over(rows.into_iter().filter(goes), self.leases.shards(), now);
        Ok(())
    }

    /// Writes where the schedules of a workflow stand when another version of it becomes current, or none, or it goes on. One
    /// whose rhythm stays the same goes on where it stood; any other begins with the first due time from now on.
    pub(crate) async fn derive_schedules(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        current: Option<&Current>,
    ) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let mut old = store.schedules_of(tx, organisation, workflow).await?;
        let before = old.clone();
        let mut rows = Vec::new();
        for (trigger, schedule) in current.into_iter().flat_map(schedules_of) {
            let rhythm = schedule.rhythm();
            let same = old.iter().position(|row| row.rhythm == rhythm && row.trigger == trigger).or_else(|| old.iter().position(|row| row.rhythm == rhythm));
            let shard = shard_of(&(organisation, workflow.to_owned(), trigger));
            if let Some(known) = same.map(|place| old.remove(place)) {
                let fires_at = fires_at(schedule, organisation, workflow, trigger, known.next_due);
                rows.push(ScheduleRow { trigger, shard, fires_at, ..known });
                continue;
            }
            let zone = self.zone(tx, batch, organisation).await;
            let Some(next_due) = Calendar::of(schedule, &zone).next_after(batch.now) else { continue };
            let fires_at = fires_at(schedule, organisation, workflow, trigger, next_due);
            rows.push(ScheduleRow { organisation, workflow: workflow.to_owned(), trigger, shard, next_due, fires_at, rhythm, position: None });
        }
        if rows != before {
            store.set_schedules(tx, organisation, workflow, &rows).await?;
        }
        let goes = current.is_some_and(|current| !current.paused);
        batch.schedules.insert((organisation, workflow.to_owned()), if goes { rows } else { Vec::new() });
        Ok(())
    }

    /// Schedules fall due: their events are stored and routed, and they move on, in this transaction.
    pub(crate) async fn fire_schedules(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, keys: &[ScheduleKey]) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let snapshot = self.shared.definitions.snapshot();
        let ours = self.leases.shards();
        for (organisation, workflow, trigger) in keys.iter().filter(|key| ours.contains(shard_of(key))) {
            let mut rows = store.schedules_of(tx, *organisation, workflow).await?;
            let current = snapshot.current(*organisation, workflow).filter(|current| !current.paused);
            let schedule = current.and_then(|current| schedules_of(current).find(|(place, _)| place == trigger));
            if let (Some((_, schedule)), Some(place)) = (schedule, rows.iter().position(|row| row.trigger == *trigger)) {
                let row = rows.remove(place);
                let before = row.clone();
                let after = self.fire(tx, batch, schedule, row).await?;
                if after.as_ref() != Some(&before) {
                    store.move_schedule(tx, &before, after.as_ref()).await?;
                }
                rows.extend(after);
            }
            batch.schedules.insert((*organisation, workflow.clone()), if current.is_some() { rows } else { Vec::new() });
        }
        Ok(())
    }

    /// Fires a page of one schedule's due times, or of one due time's contacts. Gives where it stands then; `None`: it has no
    /// due time any more.
    async fn fire(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, schedule: &Schedule, mut row: ScheduleRow) -> Result<Option<ScheduleRow>, StoreError> {
        let (organisation, workflow, trigger) = (row.organisation, row.workflow.clone(), row.trigger);
        let zone = self.zone(tx, batch, organisation).await;
        let calendar = Calendar::of(schedule, &zone);
        let when = |due| fires_at(schedule, organisation, &workflow, trigger, due);
        // A due time that is half served is served to its end, whatever became of the clock meanwhile.
        let since = if row.position.is_some() { Timestamp::MIN } else { self.schedules.since(&(organisation, workflow.clone(), trigger)) };
        let standing = Standing { next: row.next_due, now: batch.now, since };
        let page = if schedule.each.is_some() { 1 } else { limits::SCHEDULE_PAGE };
        let plan = match &row.position {
            Some(_) => schedule::resume(&calendar, row.next_due),
            None => schedule::plan(schedule, &calendar, standing, &when, page),
        };
        if let Some(cut) = plan.cut_before {
            tracing::error!(%organisation, workflow, trigger, from = %row.next_due, until = %cut, "a schedule missed more due times than are made up for; the oldest are left out");
            metrics::counter!("onward_schedules_cut_total").increment(1);
        }
        for firing in &plan.fire {
            metrics::counter!("onward_schedules_fired_total").increment(1);
            let Some(segment) = &schedule.each else {
                arrive(batch, fired_event(organisation, &workflow, trigger, firing.due, None), &workflow, trigger);
                continue;
            };
            if let Some(position) = self.fire_each(tx, batch, &row, firing, segment, &zone).await? {
                let fires_at = when(firing.due);
                return Ok(Some(ScheduleRow { next_due: firing.due, fires_at, position: Some(position), ..row }));
            }
        }
        row.position = None;
        Ok(plan.next.map(|next_due| ScheduleRow { next_due, fires_at: when(next_due), ..row }))
    }

    /// Fires one due time for a page of a segment's contacts. Gives the last of them, when there may be more.
    async fn fire_each(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        row: &ScheduleRow,
        firing: &Firing,
        segment: &str,
        organisation_zone: &str,
    ) -> Result<Option<String>, StoreError> {
        let segments = Arc::clone(&self.shared.segments);
        let members = segments.members(tx, row.organisation, segment, row.position.as_deref(), limits::SCHEDULE_PAGE).await;
        let members = match members {
            Ok(members) => members,
            Err(error) if error.code == ErrorCode::NotFound => {
                tracing::error!(organisation = %row.organisation, workflow = row.workflow, segment, "a schedule's segment does not exist");
                arrive(batch, fired_event(row.organisation, &row.workflow, row.trigger, firing.due, None), &row.workflow, row.trigger);
                return Ok(None);
            }
            Err(error) => return Err(StoreError::Failed(format!("the segment {segment:?} cannot be read: {}", error.message))),
        };
        for member in members.iter().filter(|member| lives_there(firing, member, organisation_zone)) {
            let event = fired_event(row.organisation, &row.workflow, row.trigger, firing.due, Some(&member.contact));
            arrive(batch, event, &row.workflow, row.trigger);
        }
        Ok(members.last().map(|last| last.contact.clone()))
    }
}

fn arrive<T: onward_core::ports::Transaction>(batch: &mut Batch<T>, event: NewEvent, workflow: &str, trigger: usize) {
    let addressee = Addressee::Trigger { workflow: workflow.to_owned(), trigger };
    batch.arriving.push(Arriving { event, told: None, addressee: Some(addressee), request: tracing::Span::none() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }
    fn row(workflow: &str, trigger: usize, fires_at: i64) -> ScheduleRow {
        ScheduleRow {
            organisation: OrganisationId(Uuid::nil()),
            workflow: workflow.into(),
            trigger,
            shard: Shard(0),
            next_due: at(fires_at),
            fires_at: at(fires_at),
            rhythm: String::new(),
            position: None,
        }
    }

    #[test]
    fn what_fires_is_taken_in_order_and_comes_back_with_its_workflow() {
        let mut schedules = Schedules::default();
        assert!(schedules.are_unread());
        schedules.take_over([row("a", 0, 20), row("a", 1, 10), row("b", 0, 30)], ShardSet::ALL, at(5));
        assert_eq!(schedules.next_wake(), Some(at(10)));
        assert!(schedules.take_due(at(9), 9).is_empty());
        let taken: Vec<usize> = schedules.take_due(at(25), 9).into_iter().map(|key| key.2).collect();
        assert_eq!(taken, [1, 0]);
        assert_eq!(schedules.next_wake(), Some(at(30)));
        let nobody = OrganisationId(Uuid::nil());
        schedules.replace(nobody, "a", &[row("a", 0, 40), row("a", 1, 15)]);
        assert_eq!(schedules.next_wake(), Some(at(15)));
        schedules.replace(nobody, "a", &[]);
        assert_eq!(schedules.next_wake(), Some(at(30)));
        schedules.resumed(nobody, "b", at(50));
        assert_eq!((schedules.since(&(nobody, "a".into(), 0)), schedules.since(&(nobody, "b".into(), 0))), (at(5), at(50)));
        schedules.reset();
        assert!(schedules.are_unread() && schedules.next_wake().is_none());
    }

    #[test]
    fn a_due_time_has_one_name() {
        let organisation = OrganisationId(Uuid::from_u128(7));
        let id = |trigger, due, contact| fired_event(organisation, "nightly", trigger, at(due), contact).id;
        assert_eq!(id(0, 1_000, None).as_deref(), Some("ca8564ae0e38dd5f7e8aa774fdb11309"), "ids are stored for ninety days: they must never change");
        let all = [id(0, 1_000, None), id(1, 1_000, None), id(0, 2_000, None), id(0, 1_000, Some("a")), id(0, 1_000, Some("b"))];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
