//! Who owns which shard, as the store granted it: watched from beside the nodes, which must never break it.

use onward_core::{
    NodeId, Shard,
    ports::{Lease, ShardSet},
};
use std::collections::BTreeMap;

/// What was granted last, and what broke the rules.
#[derive(Debug, Default)]
pub(crate) struct Ownership {
    /// By shard: the last epoch, who has or had it, and whether it still does.
    granted: BTreeMap<Shard, Granted>,
    /// Shards to whose runs the open transaction appended.
    pub(crate) written: ShardSet,
    pub(crate) broken: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Granted {
    epoch: i64,
    node: NodeId,
    stands: bool,
}

impl Ownership {
    /// These are all the leases of a node.
    pub(crate) fn stands(&mut self, node: NodeId, leases: &[Lease]) {
        for granted in self.granted.values_mut().filter(|granted| granted.node == node) {
            granted.stands = false;
        }
        for lease in leases {
            if let Some(before) = self.granted.get(&lease.shard).copied()
                && (before.epoch > lease.epoch || before.epoch == lease.epoch && before.node != node)
            {
                let Lease { shard, epoch } = lease;
                self.note(format!("no two nodes own under one epoch (promise 6): {node} got shard {shard:?} under {epoch}, and before it {before:?}"));
            }
            self.granted.insert(lease.shard, Granted { epoch: lease.epoch, node, stands: true });
        }
    }

    /// A node's transaction was committed.
    pub(crate) fn committed(&mut self, node: NodeId) {
        let lost = self.written.iter().find(|shard| self.granted.get(shard).is_some_and(|granted| granted.node != node || !granted.stands));
        if let Some(shard) = lost {
            let owner = self.granted[&shard];
            self.note(format!("a node that lost its lease can write nothing (promise 6): {node} appended to runs of shard {shard:?}, which is {owner:?}"));
        }
    }

    fn note(&mut self, broken: String) {
        self.broken.get_or_insert(broken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn one_epoch_has_one_owner_and_only_owners_write() {
        let (a, b) = (NodeId(Uuid::from_u128(1)), NodeId(Uuid::from_u128(2)));
        let lease = |epoch| Lease { shard: Shard(7), epoch };
        let mut ownership = Ownership::default();
        ownership.stands(a, &[lease(1)]);
        ownership.written.insert(Shard(7));
        ownership.committed(a);
        ownership.stands(b, &[lease(2)]);
        ownership.committed(b);
        assert_eq!(ownership.broken, None);
        ownership.committed(a);
        assert!(ownership.broken.take().is_some_and(|broken| broken.contains("lost its lease")));
        ownership.stands(a, &[lease(2)]);
        assert!(ownership.broken.take().is_some_and(|broken| broken.contains("one epoch")));
    }
}
