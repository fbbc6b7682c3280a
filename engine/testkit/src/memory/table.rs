//! A table with one open transaction: what is committed, and what the transaction sees.

use std::collections::BTreeMap;

/// Two copies of the same rows, kept alike: readers beside the transaction see `committed`, the transaction sees `working`.
/// The log says what differs, so that undoing and committing cost what was changed and not the table's size.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    committed: BTreeMap<K, V>,
    working: BTreeMap<K, V>,
    /// Each change of `working` with what stood there before.
    log: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { committed: BTreeMap::new(), working: BTreeMap::new(), log: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// What is committed.
    pub(super) fn committed(&self) -> &BTreeMap<K, V> {
        &self.committed
    }
    /// What the open transaction sees.
    pub(super) fn working(&self) -> &BTreeMap<K, V> {
        &self.working
    }
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.working.get(key)
    }
    pub(super) fn put(&mut self, key: K, value: V) {
        let before = self.working.insert(key.clone(), value);
        self.log.push((key, before));
    }
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let before = self.working.remove(key)?;
        self.log.push((key.clone(), Some(before.clone())));
        Some(before)
    }
}

/// What every table can do at a transaction's turns.
pub(super) trait Journaled {
    /// A point to return to.
    fn mark(&self) -> usize;
    /// Undoes what came after the mark.
    fn undo_to(&mut self, mark: usize);
    /// Makes `committed` equal to `working`.
    fn commit(&mut self);
}

impl<K: Ord + Clone, V: Clone> Journaled for Table<K, V> {
    fn mark(&self) -> usize {
        self.log.len()
    }
    fn undo_to(&mut self, mark: usize) {
        for (key, before) in self.log.drain(mark.min(self.log.len())..).rev() {
            match before {
                Some(value) => self.working.insert(key, value),
                None => self.working.remove(&key),
            };
        }
    }
    fn commit(&mut self) {
        for (key, _) in self.log.drain(..) {
            match self.working.get(&key) {
                Some(value) => self.committed.insert(key, value.clone()),
                None => self.committed.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_is_exact_and_commit_copies_only_what_changed() {
        let mut table = Table::default();
        table.put(1, "a");
        table.put(2, "b");
        table.commit();
        table.put(1, "A");
        let mark = table.mark();
        table.put(1, "AA");
        table.remove(&2);
        table.put(3, "c");
        table.undo_to(mark);
        assert_eq!(table.working(), &BTreeMap::from([(1, "A"), (2, "b")]));
        assert_eq!(table.committed(), &BTreeMap::from([(1, "a"), (2, "b")]));
        table.commit();
        assert_eq!(table.committed(), table.working());
        table.remove(&1);
        table.undo_to(0);
        assert_eq!(table.committed(), table.working());
    }
}
