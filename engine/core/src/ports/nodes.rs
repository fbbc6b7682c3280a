//! Nodes that share one store: who lives, who owns which shards, and how they wake each other.

use super::{BoxFuture, Processes};
use crate::{NodeId, Shard, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A shard and the epoch under which this node owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lease {
    /// Which.
    pub shard: Shard,
    /// Raised by one at each take-over: the fencing number.
    pub epoch: i64,
}

/// What a node does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// Everything.
    #[default]
    All,
    /// It takes requests and events in and owns no shard: what it takes in reaches the owners through their inbox.
    Api,
    /// It owns shards; requests are for others to take.
    Worker,
}

impl NodeRole {
    /// As in the database and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }
    /// Reads what [`NodeRole::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::All, Self::Api, Self::Worker].into_iter().find(|role| role.as_str() == text)
    }
    /// Whether it takes its share of the shards.
    pub fn owns_shards(self) -> bool {
        self != Self::Api
    }
}

/// A process that works on the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeRow {
    /// Its id: another one after each start.
    pub id: NodeId,
    /// What it does.
    pub role: NodeRole,
    /// It takes shards; not, when it is one that owns none, or is stopping.
    pub takes: bool,
    /// What it says of itself, for people: where it listens, its version.
    pub about: String,
    /// What its machine calls its process ([`Processes::own`]).
    pub process: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}

/// Who owns a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShardOwner {
    /// Which.
    pub shard: Shard,
    /// Its owner; `None`: it is free.
    pub node: Option<NodeId>,
    /// The fencing number.
    pub epoch: i64,
    /// Until when, by the database's clock; of a free shard, since when it is free.
    pub expires_at: Timestamp,
}

/// What a node takes with a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Nothing.
    Nothing,
    /// Free and expired shards, up to its fair share.
    Share,
    /// Every shard, expired or not: whoever had them is known to be dead.
    Everything,
}

/// A sign of life: it prolongs what the node owns, gives some of it back, and takes what is free, or was a node's whose process
/// has surely ended.
#[derive(Clone, Copy, Debug)]
pub struct Beat<'a> {
    /// Whose.
    pub node: NodeId,
    /// What it does.
    pub role: NodeRole,
    /// What it says of itself.
    pub about: &'a str,
    /// What is known of its process and of others'.
    pub processes: &'a dyn Processes,
    /// Its clock, for a database without one.
    pub now: Timestamp,
    /// For how long leases are taken and prolonged.
    pub ttl_ms: i64,
    /// Shards that it gives back.
    pub give: &'a [Shard],
    /// What it takes.
    pub take: Take,
}

/// Where a node stands after a beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The database's clock.
    pub now: Timestamp,
    /// What it owns, by shard.
    pub leases: Vec<Lease>,
    /// Of the shards that it took with this beat: since when nobody served them.
    pub unserved_since: BTreeMap<Shard, Timestamp>,
    /// Its fair share: the shards among the living nodes that take some, rounded up.
    pub share: usize,
    /// Whether any other node lives, whatever it does.
    pub company: bool,
    /// When the first lease of another node runs out, unless that one prolongs it.
    pub next_expiry: Option<Timestamp>,
}

/// Which of these shards a node may take, and how many make its fair share: what every store does in a beat.
pub fn to_take(beat: &Beat<'_>, now: Timestamp, living: usize, owners: &[ShardOwner]) -> (Vec<Shard>, usize) {
    let share = match beat.take {
        Take::Nothing => 0,
        Take::Share => owners.len().div_ceil(living.max(1)),
        Take::Everything => owners.len(),
    };
    let owned = owners.iter().filter(|owner| owner.node == Some(beat.node)).count();
    let free = |owner: &&ShardOwner| owner.node.is_none() || (owner.node != Some(beat.node) && (beat.take == Take::Everything || owner.expires_at <= now));
    let taken = owners.iter().filter(free).map(|owner| owner.shard).take(share.saturating_sub(owned)).collect();
    (taken, share)
}

/// A set of shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardSet([u64; 4]);

impl ShardSet {
    /// None.
    pub const EMPTY: Self = Self([0; 4]);
    /// All.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// Adds a shard.
    pub fn insert(&mut self, shard: Shard) {
        if let Some(word) = self.0.get_mut(usize::from(shard.0 / 64)) {
            *word |= 1 << (shard.0 % 64);
        }
    }
    /// Takes a shard out.
    pub fn remove(&mut self, shard: Shard) {
        if let Some(word) = self.0.get_mut(usize::from(shard.0 / 64)) {
            *word &= !(1 << (shard.0 % 64));
        }
    }
    /// Whether the shard is in it.
    pub fn contains(&self, shard: Shard) -> bool {
        self.0.get(usize::from(shard.0 / 64)).is_some_and(|word| word & (1 << (shard.0 % 64)) != 0)
    }
    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(std::array::from_fn(|place| self.0[place] | other.0[place]))
    }
    /// Whether they share a shard.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(left, right)| left & right != 0)
    }
    /// Whether there is none in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Shard> {
        let set = *self;
        (0..Shard::COUNT).map(Shard).filter(move |shard| set.contains(*shard))
    }
    /// 64 hex digits, for a notification's payload.
    pub fn to_hex(self) -> String {
        let [first, second, third, fourth] = self.0;
        format!("{first:016x}{second:016x}{third:016x}{fourth:016x}")
    }
    /// Reads what [`ShardSet::to_hex`] wrote.
    pub fn parse_hex(text: &str) -> Option<Self> {
        let part = |place: usize| u64::from_str_radix(text.get(place * 16..(place + 1) * 16)?, 16).ok();
        (text.len() == 64).then_some(())?;
        Some(Self([part(0)?, part(1)?, part(2)?, part(3)?]))
    }
}

impl FromIterator<Shard> for ShardSet {
    fn from_iter<I: IntoIterator<Item = Shard>>(shards: I) -> Self {
        let mut set = Self::EMPTY;
        shards.into_iter().for_each(|shard| set.insert(shard));
        set
    }
}

/// What a node is woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Rows wait in the inbox of these shards.
    Inbox,
    /// These shards are free, or nodes came or went.
    Leases,
    /// Definitions, pauses, versions on trial or shapes of waits changed: the generation moved.
    Definitions,
    /// Requests of other nodes were answered.
    Replies,
}

/// A wake-up, sent with a transaction's commit. It may be lost, late, or come twice: what it speaks of is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What for.
    pub kind: NoticeKind,
    /// For whom: the owners of these.
    pub shards: ShardSet,
}

/// The wake-ups that other nodes send.
pub trait Notices: Send {
    /// The next one; pending for ever where there is only one node.
    fn next(&mut self) -> BoxFuture<'_, Notice>;
}

/// Nobody else is there.
#[derive(Clone, Copy, Debug)]
pub struct NoNotices;

impl Notices for NoNotices {
    fn next(&mut self) -> BoxFuture<'_, Notice> {
        Box::pin(std::future::pending())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::UnknownProcesses, *};
    use uuid::Uuid;

    #[test]
    fn a_set_of_shards_survives_its_text() {
        let set: ShardSet = [Shard(0), Shard(63), Shard(64), Shard(255)].into_iter().collect();
        assert_eq!(set.iter().map(|shard| shard.0).collect::<Vec<_>>(), [0, 63, 64, 255]);
        assert_eq!(ShardSet::parse_hex(&set.to_hex()), Some(set));
        assert_eq!(ShardSet::parse_hex("00"), None);
        assert_eq!(ShardSet::ALL.len(), 256);
        let mut less = set;
        less.remove(Shard(63));
        assert!(less.len() == 3 && less.meets(&set) && !ShardSet::EMPTY.meets(&set) && less.union(set) == set);
    }

    #[test]
    fn a_node_takes_its_share_of_what_is_free() {
        let (me, other) = (NodeId(Uuid::from_u128(1)), NodeId(Uuid::from_u128(2)));
        let owner = |shard, node, expires_at| ShardOwner { shard: Shard(shard), node, epoch: 1, expires_at: Timestamp::from_millis(expires_at) };
        let owners = [owner(0, Some(me), 9), owner(1, None, 0), owner(2, Some(other), 9), owner(3, Some(other), 5), owner(4, None, 0)];
        let beat =
            |take| Beat { node: me, role: NodeRole::All, about: "", processes: &UnknownProcesses, now: Timestamp::from_millis(5), ttl_ms: 4, give: &[], take };
        let taken = |take, living| to_take(&beat(take), Timestamp::from_millis(5), living, &owners);
        assert_eq!(taken(Take::Share, 2), (vec![Shard(1), Shard(3)], 3), "three are the half of five");
        assert_eq!(taken(Take::Share, 1), (vec![Shard(1), Shard(3), Shard(4)], 5));
        assert_eq!(taken(Take::Everything, 2).0, [Shard(1), Shard(2), Shard(3), Shard(4)]);
        assert_eq!(taken(Take::Nothing, 1), (vec![], 0));
    }
}
