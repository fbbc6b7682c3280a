//! Telling those who watch what a confirmed commit changed.

use crate::{batch::Batch, engine::Engine};
use onward_core::ports::{Change, Store};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::broadcast;

/// Those who watch.
#[derive(Debug)]
pub(crate) struct Watchers {
    /// What any node changes.
    all: broadcast::Sender<Change>,
    /// What this node changes, for whoever hands it on to other nodes.
    own: broadcast::Sender<Change>,
    /// Other nodes live.
    company: AtomicBool,
}

impl Watchers {
    /// A watcher that is further behind than this is told that it missed some.
    pub(crate) fn new(behind: usize) -> Self {
        Self { all: broadcast::channel(behind.max(1)).0, own: broadcast::channel(behind.max(1)).0, company: AtomicBool::new(false) }
    }
    pub(crate) fn watch(&self) -> broadcast::Receiver<Change> {
        self.all.subscribe()
    }
    pub(crate) fn watch_own(&self) -> broadcast::Receiver<Change> {
        self.own.subscribe()
    }
    pub(crate) fn set_company(&self, company: bool) {
        self.company.store(company, Ordering::Relaxed);
    }
    fn are_any(&self) -> bool {
        self.all.receiver_count() > 0 || self.hands_on()
    }
    fn hands_on(&self) -> bool {
        self.company.load(Ordering::Relaxed) && self.own.receiver_count() > 0
    }
    /// Tells the watchers of this node. Nobody listening is no error.
    pub(crate) fn tell(&self, change: Change) {
        drop(self.all.send(change));
    }
    /// The same, and those of other nodes.
    pub(crate) fn tell_everywhere(&self, change: Change) {
        if self.hands_on() {
            drop(self.own.send(change.clone()));
        }
        self.tell(change);
    }
}

impl<S: Store> Engine<S> {
    /// What is to be announced of a transaction once it is committed: runs whose status changed, and what bodies and nodes announced.
    /// `None`: nobody watches. It is put together before the commit, since memory may be further by its end.
    pub(crate) fn announcements(&self, batch: &mut Batch<S::Tx>) -> Option<Vec<Change>> {
        if !self.shared.watchers.are_any() {
            return None;
        }
        let mut changes = Vec::new();
        for (run_id, before) in batch.written() {
            let Some(live) = self.runs.get(run_id) else { continue };
            let status = live.state.status;
            if before == Some(status) {
                continue;
            }
            let step = live.state.waiting_on().get("step").cloned().unwrap_or_default();
            let data = serde_json::json!({ "workflow": live.workflow.name, "status": status, "step": step });
            changes.push(Change { organisation: live.organisation, topic: "run".into(), id: run_id.to_string(), data });
        }
        changes.append(&mut batch.changes);
        Some(changes)
    }

    /// What is announced after the commit. Who began to watch during it missed what was not put together.
    pub(crate) fn to_be_announced(&self, announced: Option<Vec<Change>>) -> Vec<Change> {
        match announced {
            Some(changes) => changes,
            None if self.shared.watchers.are_any() => vec![Change::resync()],
            None => Vec::new(),
        }
    }
}
