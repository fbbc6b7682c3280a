//! What stands for all leases of a node at once: a number that rises whenever one of its shards changes hands. It is a trigger of
//! the leases that raises it (migration 22), so that nobody can take a shard without it.

use onward_core::{
    NodeId,
    ports::{Lease, Standing},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What the nodes of this process own, as the store last told each. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fences(Arc<Mutex<BTreeMap<NodeId, Fenced>>>);

/// A node's leases, and the number under which all of them stand.
#[derive(Debug)]
struct Fenced {
    number: i64,
    /// In order.
    leases: Vec<Lease>,
}

impl Fences {
    /// What a sign of life gave.
    pub(crate) fn learn(&self, node: NodeId, number: i64, standing: &Standing) {
        let mut leases = standing.leases.clone();
        leases.sort_unstable();
        self.all().insert(node, Fenced { number, leases });
    }
    /// The node is gone.
    pub(crate) fn forget(&self, node: NodeId) {
        self.all().remove(&node);
    }
    /// Whose leases these are, and the number that must stand for them; `None` where no node of this process is known to own all.
    pub(crate) fn of(&self, leases: &[Lease]) -> Option<(NodeId, i64)> {
        let owns = |fenced: &Fenced| fenced.leases == leases || leases.iter().all(|lease| fenced.leases.binary_search(lease).is_ok());
        self.all().iter().find(|(_, fenced)| owns(fenced)).map(|(node, fenced)| (*node, fenced.number))
    }
    fn all(&self) -> MutexGuard<'_, BTreeMap<NodeId, Fenced>> {
        // Each change is one insertion or removal: a poisoned lock still holds whole entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
