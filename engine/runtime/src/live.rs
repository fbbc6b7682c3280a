//! Runs in memory. Truth is the history; what is here can be dropped at any moment and loaded again.

use crate::checkpoints::Kept;
use onward_core::{
    OrganisationId, RunId, Shard,
    definition::Workflow,
    machine::State,
    ports::{RunStatus, ShardSet},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// A run in memory.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) organisation: OrganisationId,
    pub(crate) shard: Shard,
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) state: State,
    /// About how many bytes its history has.
    pub(crate) history_bytes: usize,
    /// What it records lies apart from its entries (SEMANTICS.md 17): it is about a person, or has seen what is personal.
    /// Once so, always so: whatever comes later may be made of it.
    pub(crate) personal: bool,
    /// It may hold a permit, to be given back at its end. What is not known is possible.
    pub(crate) may_hold_permit: bool,
    /// What was last written down of it.
    pub(crate) kept: Kept,
    /// When it came to rest, counted in rests; 0 while it is busy.
    rest: u64,
}

impl Live {
    pub(crate) fn new(organisation: OrganisationId, shard: Shard, workflow: Arc<Workflow>, state: State, history_bytes: usize) -> Self {
        Self { organisation, shard, workflow, state, history_bytes, personal: false, may_hold_permit: true, kept: Kept::default(), rest: 0 }
    }

    pub(crate) fn that_may_hold_permit(self, may_hold_permit: bool) -> Self {
        Self { may_hold_permit, ..self }
    }
}

/// The runs in memory. Runs at work stay; of those at rest the latest few, so that sleeping runs cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Each in a place of its own: the tree moves what it holds when something comes or goes.
    by_id: BTreeMap<RunId, Box<Live>>,
    resting: VecDeque<(RunId, u64)>,
    rests: u64,
}

impl Runs {
    pub(crate) fn get(&self, id: RunId) -> Option<&Live> {
        self.by_id.get(&id).map(Box::as_ref)
    }
    pub(crate) fn get_mut(&mut self, id: RunId) -> Option<&mut Live> {
        self.by_id.get_mut(&id).map(Box::as_mut)
    }
    pub(crate) fn contains(&self, id: RunId) -> bool {
        self.by_id.contains_key(&id)
    }
    pub(crate) fn insert(&mut self, live: Live) {
        self.by_id.insert(live.state.run_id, Box::new(live));
    }
    pub(crate) fn evict(&mut self, id: RunId) {
        self.by_id.remove(&id);
    }
    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
        self.resting.clear();
    }
    /// Drops the runs of these shards, and says which they were.
    pub(crate) fn drop_shards(&mut self, shards: &ShardSet) -> BTreeSet<RunId> {
        let gone: BTreeSet<RunId> = self.by_id.values().filter(|live| shards.contains(live.shard)).map(|live| live.state.run_id).collect();
        self.by_id.retain(|_, live| !shards.contains(live.shard));
        gone
    }
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Decides whether a run that was just worked on stays, after its commit was confirmed.
    pub(crate) fn settle(&mut self, id: RunId, keep: usize) {
        let Some(live) = self.by_id.get_mut(&id) else { return };
        if live.state.status.is_final() {
            self.by_id.remove(&id);
            return;
        }
        if live.state.status == RunStatus::Running {
            live.rest = 0;
            return;
        }
        self.rests += 1;
        live.rest = self.rests;
        self.resting.push_back((id, self.rests));
        while self.resting.len() > keep {
            let Some((oldest, rest)) = self.resting.pop_front() else { break };
            if self.by_id.get(&oldest).is_some_and(|live| live.rest == rest) {
                self.by_id.remove(&oldest);
            }
        }
    }
}
