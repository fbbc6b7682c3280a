//! Who works on the database, for whoever operates the servers.

use crate::leases;
use onward_core::{
    Timestamp, Value,
    ports::{NodeRow, StoreError},
};
use onward_database::{Query, args};
use std::collections::BTreeMap;

/// Messages of inboxes that are counted; of more, that many.
const COUNTED: i64 = 100_000;
/// Milliseconds after which a node that was not heard of is taken for dead: its shards are another's by then.
const SILENT_MS: i64 = 10_000;

/// A node, what it owns, and how far behind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAtWork {
    /// What it said of itself last.
    pub node: NodeRow,
    /// It was heard of lately.
    pub lives: bool,
    /// How many shards it owns.
    pub shards: u64,
    /// Messages that wait for it.
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub waiting_since: Option<Timestamp>,
}

/// The nodes, and how many shards nobody owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodesAtWork {
    /// By id, which is by age.
    pub nodes: Vec<NodeAtWork>,
    /// Shards without an owner.
    pub unowned: u64,
}

impl NodeAtWork {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        let Self { node, lives, shards, waiting, waiting_since } = self;
        serde_json::json!({
            "id": node.id, "role": node.role.as_str(), "about": node.about, "started_at": node.started_at, "seen_at": node.seen_at, "lives": lives,
            "shards": shards, "waiting": waiting, "waiting_since": waiting_since,
        })
    }
}

/// Who works on the database.
pub async fn nodes_at_work<Q: Query>(db: &mut Q, now: Timestamp) -> Result<NodesAtWork, StoreError> {
    let owners: BTreeMap<_, _> = leases::owners(db).await?.into_iter().map(|owner| (owner.shard, owner.node)).collect();
    let rows = db
        .fetch_all(
            "SELECT shard, count(*) AS waiting, min(at) AS since FROM (SELECT shard, at FROM inbox ORDER BY id LIMIT $1) AS counted GROUP BY shard",
            args![COUNTED],
        )
        .await?;
    let mut inboxes = BTreeMap::new();
    for row in &rows {
        let shard: onward_core::Shard = row.get("shard")?;
        inboxes.insert(shard, (row.get::<u64>("waiting")?, row.get::<Timestamp>("since")?));
    }
    let nodes = leases::nodes(db).await?.into_iter().map(|node| {
        let own = || owners.iter().filter(|(_, owner)| **owner == Some(node.id)).map(|(shard, _)| shard);
        let waits = || own().filter_map(|shard| inboxes.get(shard));
        NodeAtWork {
            lives: now.millis_since(node.seen_at) <= SILENT_MS,
            shards: own().count() as u64,
            waiting: waits().map(|(waiting, _)| waiting).sum(),
            waiting_since: waits().map(|(_, since)| *since).min(),
            node,
        }
    });
    Ok(NodesAtWork { nodes: nodes.collect(), unowned: owners.values().filter(|owner| owner.is_none()).count() as u64 })
}
