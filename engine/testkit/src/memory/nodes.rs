//! Nodes, leases, and the wake-ups between nodes.

use super::{
    Shared,
    state::{LeaseRow, State},
};
use onward_core::{
    NodeId, Shard, Timestamp,
    ports::{Beat, BoxFuture, Lease, NodeRow, Notice, Notices, ShardOwner, ShardSet, Standing, Take, to_take},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Milliseconds after which a node that was not heard of is forgotten.
const FORGOTTEN_MS: i64 = 600_000;

pub(super) fn owners(leases: &BTreeMap<Shard, LeaseRow>) -> Vec<ShardOwner> {
    let nobodys = |shard| ShardOwner { shard, node: None, epoch: 0, expires_at: Timestamp::default() };
    let mut owners: Vec<ShardOwner> = (0..Shard::COUNT).map(Shard).map(nobodys).collect();
    for (shard, row) in leases {
        owners[usize::from(shard.0)] = ShardOwner { shard: *shard, node: row.node, epoch: row.epoch, expires_at: row.expires_at };
    }
    owners
}

/// The first of these leases of which the epoch is another one by now.
pub(super) fn first_lost(leases: &BTreeMap<Shard, LeaseRow>, relied_on: &[Lease]) -> Option<Lease> {
    let mut epochs = [None; Shard::COUNT as usize];
    for (shard, row) in leases {
        epochs[usize::from(shard.0)] = Some(row.epoch);
    }
    relied_on.iter().find(|lease| epochs[usize::from(lease.shard.0)] != Some(lease.epoch)).copied()
}

pub(super) fn beat(state: &mut State, beat: &Beat<'_>) -> Standing {
    let (node, now) = (beat.node, beat.now);
    let expires_at = now.plus_millis(beat.ttl_ms);
    let started_at = state.nodes.get(&node).map_or(now, |known| known.started_at);
    let takes = beat.take != Take::Nothing;
    let (about, process) = (beat.about.to_owned(), beat.processes.own().to_owned());
    state.nodes.put(node, NodeRow { id: node, role: beat.role, takes, about, process, started_at, seen_at: now });
    let ended: Vec<NodeId> = state.nodes.working().values().filter(|other| beat.processes.has_ended(&other.process)).map(|other| other.id).collect();
    for dead in ended {
        leave(state, dead, now);
    }
    let forgotten: Vec<NodeId> =
        state.nodes.working().values().filter(|node| node.seen_at <= now.plus_millis(-FORGOTTEN_MS.max(beat.ttl_ms))).map(|node| node.id).collect();
    for node in forgotten {
        state.nodes.remove(&node);
    }
    let mut owners = owners(state.leases.working());
    let given: ShardSet = beat.give.iter().copied().collect();
    for owner in owners.iter_mut().filter(|owner| owner.node == Some(node)) {
        if given.contains(owner.shard) {
            (owner.node, owner.expires_at) = (None, now);
        } else {
            owner.expires_at = expires_at;
        }
        keep(state, owner);
    }
    let living = state.nodes.working().values().filter(|node| node.takes && node.seen_at > now.plus_millis(-beat.ttl_ms)).count();
    let (wanted, share) = to_take(beat, now, living, &owners);
    let wanted: ShardSet = wanted.into_iter().collect();
    let mut unserved_since = BTreeMap::new();
    for owner in owners.iter_mut().filter(|owner| wanted.contains(owner.shard)) {
        unserved_since.insert(owner.shard, owner.expires_at);
        *owner = ShardOwner { shard: owner.shard, node: Some(node), epoch: owner.epoch + 1, expires_at };
        keep(state, owner);
    }
    let others = owners.iter().filter(|owner| owner.node.is_some_and(|owner| owner != node));
    Standing {
        now,
        company: state.nodes.working().values().any(|other| other.id != node && other.seen_at > now.plus_millis(-beat.ttl_ms)),
        next_expiry: others.map(|owner| owner.expires_at).min(),
        leases: owners.iter().filter(|owner| owner.node == Some(node)).map(|owner| Lease { shard: owner.shard, epoch: owner.epoch }).collect(),
        unserved_since,
        share,
    }
}

fn keep(state: &mut State, owner: &ShardOwner) {
    state.leases.put(owner.shard, LeaseRow { node: owner.node, epoch: owner.epoch, expires_at: owner.expires_at });
}

pub(super) fn leave(state: &mut State, node: NodeId, now: Timestamp) {
    for owner in owners(state.leases.working()).into_iter().filter(|owner| owner.node == Some(node)) {
        state.leases.put(owner.shard, LeaseRow { node: None, epoch: owner.epoch, expires_at: owner.expires_at.min(now) });
    }
    state.nodes.remove(&node);
}

pub(super) fn listen(shared: &Arc<Shared>) -> Box<dyn Notices> {
    let (sender, receiver) = unbounded_channel();
    shared.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    Box::new(Listener(receiver))
}

struct Listener(UnboundedReceiver<Notice>);

impl Notices for Listener {
    fn next(&mut self) -> BoxFuture<'_, Notice> {
        Box::pin(async {
            match self.0.recv().await {
                Some(notice) => notice,
                // The store is gone.
                None => std::future::pending().await,
            }
        })
    }
}
