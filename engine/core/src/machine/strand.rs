//! Strands: where a run stands in the tree of steps. A run has one strand; a group (`parallel`, a loop, `try`) has one for
//! each of its parts that runs.

use super::state::weight;
use crate::{
    Object, StepError, Timestamp, Value,
    definition::{Block, Place, Workflow, key_of_path},
    history::StepPath,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

/// One line of steps in progress.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Strand {
    /// The step that is next, or in progress, in its list.
    pub(super) index: usize,
    pub(super) standing: Standing,
    /// What only it sees; `None`: it sees what the strand around it sees.
    pub(super) view: Option<Box<View>>,
}

/// What a strand's step is at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum Standing {
    /// It has not begun.
    #[default]
    Free,
    /// It is in progress: its leaf tells how far.
    Busy,
    /// It has steps inside.
    Inside(Box<Group>),
}

/// A step with steps inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    #[serde(with = "listed")]
    pub(super) strands: BTreeMap<Member, Strand>,
    pub(super) progress: Progress,
}

/// A strand of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Member {
    /// Which list of the step's steps.
    pub(super) part: usize,
    /// Which time, from 1, in a loop; 0 elsewhere.
    pub(super) pass: u64,
}

/// How far a group is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Progress {
    /// `if`, `choose`, `split`: its strand is part of the list around it.
    Branch,
    /// `parallel`: the branches that have ended, in order of time.
    Parallel(Vec<(usize, Ended)>),
    /// `for_each`, `repeat`.
    Loop(Box<Passes>),
    /// `try`.
    Try(Box<Attempt>),
}

/// How a branch ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Ended {
    Well(Box<View>),
    Badly(StepError),
}

/// How far a loop is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Passes {
    /// The list of a `for_each`.
    pub(super) items: Option<Arc<Vec<Arc<Value>>>>,
    /// How many passes a `repeat` was told to make.
    pub(super) times: Option<u64>,
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) failed: u64,
    /// By pass, of a list that is short enough.
    pub(super) outputs: BTreeMap<u64, Arc<Value>>,
    pub(super) error: Option<StepError>,
    /// What the last pass of a `repeat` saw: its conditions see it, too.
    pub(super) last: Option<Box<View>>,
}

/// How far a `try` is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) stage: Stage,
    /// What it fails with, unless it is caught.
    pub(super) error: Option<StepError>,
    /// What was caught.
    pub(super) caught: Option<StepError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Trying,
    /// Its steps have failed; whether that is caught is to be decided.
    Failed,
    Catching,
    /// Its steps, or the clause that caught their failure, are over.
    Ended,
    Finally,
    Over,
}

/// What a strand sees.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct View {
    pub(super) outputs: Arc<BTreeMap<Arc<str>, Arc<Value>>>,
    /// `None`: the variables of the strand around.
    pub(super) vars: Option<Arc<Object>>,
    /// The variables that it set.
    pub(super) set: BTreeSet<String>,
    /// When its steps began, by key.
    pub(super) began: BTreeMap<Arc<str>, Timestamp>,
    /// `item`, `loop`.
    pub(super) locals: Vec<(Arc<str>, Arc<Value>)>,
    /// Bytes of its outputs and variables, roughly.
    pub(super) bytes: usize,
}

/// The way from the run's strand to another: the step's place in its list, and which strand of it.
pub(super) type Trail = Vec<(usize, Member)>;

impl Strand {
    pub(super) fn new(view: Option<View>) -> Self {
        Self { index: 0, standing: Standing::Free, view: view.map(Box::new) }
    }

    pub(super) fn group(&self) -> Option<&Group> {
        match &self.standing {
            Standing::Inside(group) => Some(group),
            _ => None,
        }
    }

    pub(super) fn group_mut(&mut self) -> Option<&mut Group> {
        match &mut self.standing {
            Standing::Inside(group) => Some(group),
            _ => None,
        }
    }

    /// The strand at the end of the trail.
    pub(super) fn at(&self, trail: &[(usize, Member)]) -> Option<&Self> {
        trail.iter().try_fold(self, |strand, (index, member)| {
            let group = strand.group().filter(|_| strand.index == *index)?;
            group.strands.get(member)
        })
    }

    pub(super) fn at_mut(&mut self, trail: &[(usize, Member)]) -> Option<&mut Self> {
        trail.iter().try_fold(self, |strand, (index, member)| {
            if strand.index != *index {
                return None;
            }
            strand.group_mut()?.strands.get_mut(member)
        })
    }

    /// How deep along the trail the innermost strand lies whose view passes the test.
    fn depth_of_view(&self, trail: &[(usize, Member)], fits: impl Fn(&View) -> bool) -> usize {
        let mut found = 0;
        let mut strand = self;
        for (depth, (_, member)) in trail.iter().enumerate() {
            let Some(inner) = strand.group().and_then(|group| group.strands.get(member)) else { break };
            strand = inner;
            if strand.view.as_ref().is_some_and(|view| fits(view)) {
                found = depth + 1;
            }
        }
        found
    }

    /// What the strand at the end of the trail sees.
    pub(super) fn view(&self, trail: &[(usize, Member)]) -> Option<&View> {
        let depth = self.depth_of_view(trail, |_| true);
        self.at(trail.get(..depth)?)?.view.as_deref()
    }

    pub(super) fn view_mut(&mut self, trail: &[(usize, Member)]) -> Option<&mut View> {
        let depth = self.depth_of_view(trail, |_| true);
        self.at_mut(trail.get(..depth)?)?.view.as_deref_mut()
    }

    /// The view that holds the variables which the strand at the end of the trail sees.
    pub(super) fn variables_mut(&mut self, trail: &[(usize, Member)]) -> Option<&mut View> {
        let depth = self.depth_of_view(trail, |view| view.vars.is_some());
        self.at_mut(trail.get(..depth)?)?.view.as_deref_mut()
    }

    pub(super) fn variables(&self, trail: &[(usize, Member)]) -> Option<&Arc<Object>> {
        let depth = self.depth_of_view(trail, |view| view.vars.is_some());
        self.at(trail.get(..depth)?)?.view.as_deref()?.vars.as_ref()
    }

    /// Every name that only some strands along the trail have, outermost first.
    pub(super) fn locals(&self, trail: &[(usize, Member)]) -> Vec<(Arc<str>, Arc<Value>)> {
        let mut found = Vec::new();
        let mut strand = self;
        for (_, member) in trail {
            let Some(inner) = strand.group().and_then(|group| group.strands.get(member)) else { break };
            strand = inner;
            if let Some(view) = &strand.view {
                found.extend(view.locals.iter().cloned());
            }
        }
        found
    }

    /// The error that the innermost `catch` around the end of the trail handles.
    pub(super) fn caught(&self, trail: &[(usize, Member)]) -> Option<&StepError> {
        let mut found = None;
        let mut strand = self;
        for (_, member) in trail {
            let Some(group) = strand.group() else { break };
            if let Progress::Try(attempt) = &group.progress
                && member.part > 0
            {
                found = attempt.caught.as_ref().or(found);
            }
            let Some(inner) = group.strands.get(member) else { break };
            strand = inner;
        }
        found
    }
}

impl Group {
    pub(super) fn of(progress: Progress) -> Self {
        Self { strands: BTreeMap::new(), progress }
    }
}

impl View {
    pub(super) fn put(&mut self, key: &Arc<str>, output: Arc<Value>) {
        self.bytes += weight(&output);
        Arc::make_mut(&mut self.outputs).insert(Arc::clone(key), output);
    }
}

impl Passes {
    /// The length of the list.
    pub(super) fn length(&self) -> Option<u64> {
        self.items.as_ref().map(|items| items.len() as u64)
    }

    /// `item` and `loop` of a pass.
    pub(super) fn locals(&self, pass: u64, item_name: Option<&Arc<str>>) -> Vec<(Arc<str>, Arc<Value>)> {
        let length = self.length().or(self.times);
        let of = serde_json::json!({
            "index": pass, "index0": pass - 1, "length": length, "first": pass == 1, "last": length.map(|length| pass == length),
        });
        let mut locals = vec![("loop".into(), Arc::new(of))];
        if let (Some(name), Some(item)) = (item_name, self.items.as_ref().and_then(|items| items.get(usize::try_from(pass).ok()?.checked_sub(1)?))) {
            locals.push((Arc::clone(name), Arc::clone(item)));
        }
        locals
    }
}

/// The step that a path names: its key as the definition holds it, and its place. Fails for one that the definition does not
/// have.
pub(super) fn place_of<'w>(workflow: &'w Workflow, path: &str) -> Result<(&'w Arc<str>, &'w Place), String> {
    workflow.places.get_key_value(key_of_path(path)).ok_or_else(|| format!("this version has no step {path}"))
}

/// The trail to the strand in which the step of a path stands. Fails for a path that the definition does not have.
pub(super) fn trail_of(workflow: &Workflow, path: &str) -> Result<Trail, String> {
    trail_to(place_of(workflow, path)?.1, path)
}

/// The trail to the strand in which the step at this place stands, in the passes that its path tells of.
pub(super) fn trail_to(place: &Place, path: &str) -> Result<Trail, String> {
    if place.hops.is_empty() && !path.contains('#') {
        return Ok(Trail::new());
    }
    let mut passes = path.split_once('#').map_or("", |(_, passes)| passes).split('.').filter(|pass| !pass.is_empty());
    let mut trail = Trail::with_capacity(place.hops.len());
    for hop in &place.hops {
        let pass = if hop.is_loop {
            passes.next().and_then(|pass| pass.parse().ok()).filter(|pass| *pass > 0).ok_or_else(|| format!("{path} does not say which time of its loop"))?
        } else {
            0
        };
        trail.push((hop.index, Member { part: hop.part, pass }));
    }
    if passes.next().is_some() {
        return Err(format!("{path} names more loops than the step is in"));
    }
    Ok(trail)
}

/// The path of the step with this key in the strand at the end of the trail.
pub(super) fn path_in(key: &Arc<str>, trail: &[(usize, Member)]) -> StepPath {
    let mut passes = trail.iter().map(|(_, member)| member.pass).filter(|pass| *pass > 0);
    let Some(first) = passes.next() else { return Arc::clone(key) };
    let mut path = format!("{key}#{first}");
    for pass in passes {
        let _ = write!(path, ".{pass}");
    }
    path.into()
}

/// The list of steps of the strand at the end of the trail.
pub(super) fn block_of<'w>(workflow: &'w Workflow, trail: &[(usize, Member)]) -> Option<&'w Block> {
    trail.iter().try_fold(&workflow.steps, |block, (index, member)| block.steps.get(*index)?.verb.part(member.part))
}

/// Whether the trail goes through a `finally` behind its first `from` turns.
pub(super) fn is_in_finally(workflow: &Workflow, trail: &[(usize, Member)], from: usize) -> bool {
    let mut block = &workflow.steps;
    for (depth, (index, member)) in trail.iter().enumerate() {
        let Some(step) = block.steps.get(*index) else { return false };
        if depth >= from && step.verb.finally() == Some(member.part) {
            return true;
        }
        let Some(inner) = step.verb.part(member.part) else { return false };
        block = inner;
    }
    false
}

/// Maps with keys that are no text, as lists of pairs.
mod listed {
    use super::{BTreeMap, Member, Strand};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Member, Strand>, serializer: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(serializer)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Member, Strand>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}
