//! The tables, as the migrations declare them.

use super::table::{Journaled, Table};
use onward_core::{
    Event, EventId, NodeId, OrganisationId, RunId, Shard, Timestamp, Value,
    machine::LimitKey,
    ports::{Checkpoint, HeldStart, InboxRow, NodeRow, OpenWait, Pause, PauseScope, PublishedVersion, RolloutState, RoutingNote, RunRow, ScheduleRow, Timer},
};
use std::sync::Arc;

/// Who owns a shard.
#[derive(Clone, Debug)]
pub(super) struct LeaseRow {
    pub(super) node: Option<NodeId>,
    pub(super) epoch: i64,
    pub(super) expires_at: Timestamp,
}

/// One transition as stored: text, so that what cannot be read back is found here too.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) at: Timestamp,
    pub(super) text: Arc<str>,
}

/// Organisation, workflow and a third part.
pub(super) type Keyed<T> = (OrganisationId, String, T);
/// A wait: run, target, name.
pub(super) type WaitKey = (RunId, String, String);

macro_rules! state {
    ($($(#[$doc:meta])* $name:ident: Table<$key:ty, $value:ty>,)+) => {
        #[derive(Debug, Default)]
        pub(super) struct State {
            $($(#[$doc])* pub(super) $name: Table<$key, $value>,)+
        }
        impl State {
            /// A point to return to, table by table.
            pub(super) fn mark(&self) -> Vec<usize> {
                vec![$(self.$name.mark()),+]
            }
            /// Undoes what came after the mark.
            pub(super) fn undo_to(&mut self, mark: &[usize]) {
                let mut mark = mark.iter().copied();
                $(self.$name.undo_to(mark.next().unwrap_or(0));)+
            }
            /// Makes everything durable.
            pub(super) fn commit(&mut self) {
                $(self.$name.commit();)+
            }
        }
    };
}

state! {
    nodes: Table<NodeId, NodeRow>,
    leases: Table<Shard, LeaseRow>,
    /// Answers to requests of other nodes, and when they were given.
    replies: Table<uuid::Uuid, (Timestamp, Value)>,
    versions: Table<Keyed<u32>, Arc<PublishedVersion>>,
    /// By organisation and workflow: the current version.
    current: Table<(OrganisationId, String), u32>,
    events: Table<(OrganisationId, EventId), Arc<Event>>,
    /// Identity of an event, and when it was taken in.
    event_keys: Table<(OrganisationId, [u8; 16]), (EventId, Timestamp)>,
    correlations: Table<(OrganisationId, [u8; 16], Timestamp, EventId), ()>,
    notes: Table<(OrganisationId, EventId, usize), RoutingNote>,
    shapes: Table<Keyed<Vec<String>>, ()>,
    waits: Table<WaitKey, Arc<OpenWait>>,
    wait_index: Table<(OrganisationId, [u8; 16], WaitKey), ()>,
    runs: Table<RunId, Arc<RunRow>>,
    history: Table<(RunId, u64), Chunk>,
    live: Table<(OrganisationId, String, String, RunId), ()>,
    last_ended: Table<Keyed<String>, Timestamp>,
    variants: Table<(OrganisationId, String, String, String), String>,
    timers: Table<(RunId, String), Timer>,
    schedules: Table<Keyed<usize>, ScheduleRow>,
    inbox: Table<i64, InboxRow>,
    /// Cause and target of a row.
    inbox_keys: Table<(OrganisationId, String, String), i64>,
    /// The way back, for deletion.
    inbox_causes: Table<i64, (OrganisationId, String, String)>,
    held: Table<i64, Arc<HeldStart>>,
    /// The order in which held starts leave their queues: kind, name and key of the queue, then place and number.
    held_order: Table<(OrganisationId, super::held::Place), ()>,
    /// By workflow and key, in order of intake.
    held_keys: Table<Keyed<(String, i64)>, ()>,
    held_runs: Table<RunId, i64>,
    /// Ends of bursts.
    held_bursts: Table<(Timestamp, i64), ()>,
    permits: Table<(OrganisationId, LimitKey, RunId), ()>,
    permits_of_run: Table<(RunId, OrganisationId, LimitKey), ()>,
    pauses: Table<PauseScope, Pause>,
    checkpoints: Table<RunId, Checkpoint>,
    rollouts: Table<(OrganisationId, String), RolloutState>,
    rates: Table<(OrganisationId, LimitKey), i64>,
    /// The last number that a sequence gave; like a database's, it may skip.
    sequences: Table<&'static str, i64>,
}

impl State {
    /// The next number of a sequence.
    pub(super) fn next(&mut self, sequence: &'static str) -> i64 {
        let number = self.sequences.get(&sequence).copied().unwrap_or(0) + 1;
        self.sequences.put(sequence, number);
        number
    }
}
