//! Compiled versions that are kept, so that none is compiled twice while it is needed.

use onward_core::{OrganisationId, definition::Workflow};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes of source whose programs are kept although nobody holds them: runs come back to their versions from sleep. A
/// program takes some ten times its source.
const KEPT_SOURCE_BYTES: usize = 8 << 20;

type Key = (OrganisationId, String, u32);

/// The programs, by version; the longest unused go first. What the routing table or a run in memory holds stays.
#[derive(Debug)]
pub(super) struct Versions {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    programs: BTreeMap<Key, Program>,
    /// Bytes of source of all of them.
    bytes: usize,
    /// Counts every use.
    uses: u64,
}

#[derive(Debug)]
struct Program {
    workflow: Arc<Workflow>,
    last_use: u64,
}

impl Default for Versions {
    fn default() -> Self {
        Self { limit: KEPT_SOURCE_BYTES, kept: Mutex::default() }
    }
}

impl Versions {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A program that was kept.
    pub(super) fn get(&self, organisation: OrganisationId, name: &str, version: u32) -> Option<Arc<Workflow>> {
        let mut kept = self.kept();
        kept.uses += 1;
        let now = kept.uses;
        let program = kept.programs.get_mut(&(organisation, name.to_owned(), version))?;
        program.last_use = now;
        Some(Arc::clone(&program.workflow))
    }

    /// Keeps a program, and lets go of what was not used for longest where there are too many.
    pub(super) fn keep(&self, organisation: OrganisationId, name: &str, version: u32, workflow: Arc<Workflow>) {
        let mut kept = self.kept();
        kept.uses += 1;
        kept.bytes += workflow.source.len();
        let program = Program { workflow, last_use: kept.uses };
        if let Some(before) = kept.programs.insert((organisation, name.to_owned(), version), program) {
            kept.bytes -= before.workflow.source.len();
        }
        if kept.bytes > self.limit {
            kept.let_go(self.limit);
        }
    }
}

impl Kept {
    /// Lets a quarter more go than it must, so that the next ones need not look again.
    fn let_go(&mut self, limit: usize) {
        let free = |program: &Program| Arc::strong_count(&program.workflow) == 1;
        let mut idle: Vec<(u64, Key)> =
            self.programs.iter().filter(|(_, program)| free(program)).map(|(key, program)| (program.last_use, key.clone())).collect();
        idle.sort_unstable();
        for (_, key) in idle {
            if self.bytes <= limit / 4 * 3 {
                break;
            }
            if let Some(program) = self.programs.remove(&key) {
                self.bytes -= program.workflow.source.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Registry, debug_nodes};
    use onward_core::definition::compile;
    use onward_testkit::MemoryTx;

    fn program() -> Arc<Workflow> {
        let nodes: Registry<MemoryTx> = Registry::new(debug_nodes(), []).unwrap();
        Arc::new(compile("name: w\non: [{ event: a.b }]\nsteps: [{ stop: {} }]\n", &nodes).workflow.unwrap())
    }

    #[test]
    fn the_longest_unused_go_and_what_is_held_stays() {
        let organisation = OrganisationId(uuid::Uuid::nil());
        let (held, another) = (program(), program);
        let bytes = held.source.len();
        let versions = Versions { limit: 8 * bytes, ..Versions::default() };
        versions.keep(organisation, "w", 1, Arc::clone(&held));
        for version in 2..=8 {
            versions.keep(organisation, "w", version, another());
        }
        assert!(versions.get(organisation, "w", 2).is_some(), "used just now");
        versions.keep(organisation, "w", 9, another());
        let left: Vec<u32> = (1..=9).filter(|version| versions.get(organisation, "w", *version).is_some()).collect();
        assert_eq!(left, [1, 2, 6, 7, 8, 9]);
        assert_eq!(versions.kept().bytes, 6 * bytes);
    }

    #[test]
    fn the_same_version_counts_once() {
        let organisation = OrganisationId(uuid::Uuid::nil());
        let versions = Versions::default();
        for _ in 0..3 {
            versions.keep(organisation, "w", 1, program());
        }
        assert_eq!(versions.kept().bytes, program().source.len());
    }
}
