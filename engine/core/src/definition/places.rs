//! Where each step stands in the tree of steps: the way from the top to it, so that nothing is searched at run time.

use super::{Block, Step, Workflow};
use std::{collections::HashMap, sync::Arc};

/// The places of all steps, by key. Looked at several times for each decision, and the keys are the admin's own: the default hasher's
/// defence against chosen keys is not worth its time here.
pub type Places = HashMap<Arc<str>, Place, foldhash::fast::RandomState>;

/// The way to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From the top: the steps around it, and which of their parts it is in.
    pub hops: Box<[Hop]>,
    /// Its place in the innermost list.
    pub index: usize,
}

/// Into a part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The step's place in its list.
    pub index: usize,
    /// Which of its lists ([`super::Verb::part`]).
    pub part: usize,
    /// The steps may run several times: the path tells which time.
    pub is_loop: bool,
    /// One of its parts is taken and nothing else.
    pub is_branch: bool,
}

/// The key of the step that a path names: what stands before the iterations (`nudge#3` → `nudge`).
pub fn key_of_path(path: &str) -> &str {
    // Paths are short: a plain look at each byte is quicker than a searcher.
    path.bytes().position(|byte| byte == b'#').and_then(|end| path.get(..end)).unwrap_or(path)
}

/// The places of all steps.
pub(super) fn places(steps: &Block) -> Places {
    let mut found = Places::default();
    gather(steps, &mut Vec::new(), &mut found);
    found
}

fn gather(block: &Block, hops: &mut Vec<Hop>, found: &mut Places) {
    for (index, step) in block.steps.iter().enumerate() {
        found.insert(Arc::clone(&step.key), Place { hops: hops.as_slice().into(), index });
        for (part, inner) in step.verb.blocks().into_iter().enumerate() {
            hops.push(Hop { index, part, is_loop: step.verb.is_loop(), is_branch: step.verb.is_branch() });
            gather(inner, hops, found);
            hops.pop();
        }
    }
}

impl Workflow {
    /// The step of a path, wherever it stands.
    pub fn step(&self, path: &str) -> Option<&Step> {
        let place = self.places.get(key_of_path(path))?;
        self.block_at(&place.hops)?.steps.get(place.index)
    }

    /// The list of steps behind these hops.
    pub fn block_at(&self, hops: &[Hop]) -> Option<&Block> {
        hops.iter().try_fold(&self.steps, |block, hop| block.steps.get(hop.index)?.verb.part(hop.part))
    }

    /// The step around the one at the end of these hops.
    pub fn around(&self, hops: &[Hop]) -> Option<&Step> {
        let (last, before) = hops.split_last()?;
        self.block_at(before)?.steps.get(last.index)
    }
}
