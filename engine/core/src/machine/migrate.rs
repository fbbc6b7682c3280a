//! Migration: a run at rest goes on, on another version (SEMANTICS.md 28).
//!
//! The state of the run is carried over by the keys of its steps: what waits, sleeps, has been done and is to be undone keeps its
//! path, or gets that of the step that stands for it in the new version. Whether the new version would have come to the same place
//! is another question ([`super::would_decide`]).

use super::{
    Action, EXIT_TARGET,
    journal::ScriptRun,
    leaf::{Leaf, Phase},
    state::{Listened, Opening, State, Undo},
    strand::{Attempt, Ended, Group, Member, Passes, Progress, Standing, Strand, View},
    turn::Turn,
};
use crate::{
    Value,
    definition::{Block, Step, Verb, Workflow, key_of_path},
    history::{Entry, Fact, StepPath},
    ports::RunStatus,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How a run came to another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// The new version would have made the same decisions.
    Kept,
    /// A person said where it goes on.
    Mapped,
    /// From the beginning.
    Restarted,
    /// Back to the version that it came from.
    Undone,
}

/// A run's move to another version.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The version.
    pub version: u32,
    /// How.
    pub how: Moved,
    /// Who wants it.
    pub by: String,
    /// The run as it stands there.
    pub state: State,
}

/// What a person says about steps that the new version does not have under their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Old step to new step.
    pub steps: BTreeMap<String, String>,
    /// Steps whose undoing is given up.
    pub not_undone: BTreeSet<String>,
}

impl Mapping {
    /// The path that stands for a step's in the new version.
    fn path(&self, path: &str) -> Option<StepPath> {
        let key = key_of_path(path);
        let named = self.steps.get(key)?;
        Some(format!("{named}{}", path.strip_prefix(key).unwrap_or_default()).into())
    }

    /// An entry, about the step that stands for its own in the new version.
    pub(super) fn renamed(&self, entry: &Entry) -> Entry {
        let step = entry.step.as_ref().map(|path| self.path(path).unwrap_or_else(|| Arc::clone(path)));
        Entry { step, ..entry.clone() }
    }
}

/// Why a run cannot be carried over as it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Obstacle {
    /// Something is in flight, or the run is ending.
    #[error("the run does not rest: {reason}")]
    Busy {
        /// What it does.
        reason: String,
    },
    /// The new version has no such step there.
    #[error("the new version has no step {step} {place}; map it to the step that stands for it")]
    Missing {
        /// The step.
        step: String,
        /// Where it would have to stand.
        place: String,
    },
    /// The step is something else there.
    #[error("step {step} cannot go on as {new}: {reason}")]
    Unlike {
        /// The step.
        step: String,
        /// Its key there.
        new: String,
        /// What is different.
        reason: String,
    },
    /// The new version does not say how a step is undone.
    #[error("step {step} is to be undone when the run fails, and the new version does not say how; map it, or give its undoing up")]
    Undo {
        /// The step.
        step: String,
    },
    /// The new version would have gone another way.
    #[error("at entry {seq} the new version decides otherwise ({reason}); map the steps that wait, if the run is to go on there all the same")]
    Decides {
        /// The entry of the history.
        seq: u64,
        /// The step.
        step: Option<String>,
        /// What is different.
        reason: String,
    },
}

impl Obstacle {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Missing { .. } => "missing_step",
            Self::Unlike { .. } => "unlike_step",
            Self::Undo { .. } => "undo",
            Self::Decides { .. } => "decides_otherwise",
        }
    }
}

impl State {
    /// Why the run cannot be moved now; `None`: it rests.
    pub fn unrest(&self) -> Option<Obstacle> {
        let busy = |reason: &str| Some(Obstacle::Busy { reason: reason.to_owned() });
        if self.status.is_final() {
            return busy("it has ended");
        }
        if self.ending.is_some() {
            return busy("it is ending");
        }
        if !self.detached.is_empty() || self.undecided.is_some() || !self.leaves.values().all(Leaf::rests) {
            return busy("a call is in flight");
        }
        if self.leaves.is_empty() || !matches!(self.status, RunStatus::Waiting | RunStatus::Paused) {
            return busy("it waits for nothing");
        }
        None
    }

    /// The steps that the run waits in, by key, and what each does.
    pub fn resting_steps(&self) -> Vec<(String, &'static str)> {
        let kind = |leaf: &Leaf| match leaf {
            Leaf::Sleep { .. } => "timer",
            Leaf::Wait { .. } => "event",
            Leaf::Child { .. } => "run",
            Leaf::Ask { .. } => "ask",
            Leaf::Node(progress) => match progress.phase {
                Phase::Held { .. } => "hold",
                _ => "retry",
            },
        };
        let mut steps: Vec<_> = self.leaves.iter().map(|(path, leaf)| (key_of_path(path).to_owned(), kind(leaf))).collect();
        steps.dedup();
        steps
    }

    /// The version that the run came from, and how many entries it had before, while it has decided nothing since its move: then
    /// the move can be taken back.
    pub fn undoable(entries: &[Entry]) -> Option<(u32, usize)> {
        let place = entries.iter().rposition(|entry| matches!(entry.fact, Fact::Migrated { .. }))?;
        let decides = |entry: &Entry| match entry.fact {
            Fact::Paused { .. } | Fact::Resumed { .. } => false,
            Fact::WaitOpened { .. } => entry.step.is_some(),
            _ => true,
        };
        match entries[place].fact {
            Fact::Migrated { from, how: Moved::Kept | Moved::Mapped, .. } if !entries[place + 1..].iter().any(decides) => Some((from, place)),
            _ => None,
        }
    }
}

/// The run as it stands on another version: the same place, or the one that the mapping names.
pub fn carry_over(old: &Workflow, new: &Workflow, version: u32, state: &State, mapping: &Mapping) -> Result<State, Vec<Obstacle>> {
    if let Some(unrest) = state.unrest() {
        return Err(vec![unrest]);
    }
    if old.script.is_some() || new.script.is_some() {
        return carry_script(old, new, version, state, mapping);
    }
    let mut translation = Carrier { new, mapping, obstacles: BTreeSet::new() };
    let root = translation.strand(&state.root, &old.steps, &new.steps, "at the top");
    let leaves = state.leaves.iter().filter_map(|(path, leaf)| Some((translation.leaf(path, leaf)?, leaf.clone()))).collect();
    let undo: Vec<Undo> = state.undo.iter().filter_map(|undo| translation.undo(old, undo)).collect();
    let listened: BTreeMap<Arc<str>, Listened> = state.listened.iter().map(|(key, listened)| (translation.name(key), listened.clone())).collect();
    if !translation.obstacles.is_empty() {
        return Err(translation.obstacles.into_iter().collect());
    }
    let mut carried = State { root: root.unwrap_or_default(), leaves, undo, listened, version, exits_open: BTreeMap::new(), ..state.clone() };
    carried.set_version_fact();
    Ok(carried)
}

/// A script finds its place again by its calls ([`super::would_decide`] tells whether it does); nothing of it can be mapped.
fn carry_script(old: &Workflow, new: &Workflow, version: u32, state: &State, mapping: &Mapping) -> Result<State, Vec<Obstacle>> {
    if old.script.is_none() || new.script.is_none() {
        let unlike = |(step, _)| Obstacle::Unlike { new: format!("a step of version {version}"), step, reason: "one of the two versions is a script".into() };
        return Err(state.resting_steps().into_iter().map(unlike).collect());
    }
    if let Some(step) = mapping.steps.keys().next() {
        let reason = "a script finds its calls by their names, and none can be mapped".to_owned();
        return Err(vec![Obstacle::Unlike { step: step.clone(), new: step.clone(), reason }]);
    }
    let mut carried = State { version, exits_open: BTreeMap::new(), ..state.clone() };
    carried.set_version_fact();
    Ok(carried)
}

/// The run as it stands when it begins again on another version: as at its start, with new idempotency keys. Refused while
/// something is to be undone: it would be done twice and undone once.
pub fn begin_again(version: u32, state: &State) -> Result<State, Vec<Obstacle>> {
    if let Some(unrest) = state.unrest() {
        return Err(vec![unrest]);
    }
    if let Some(undo) = state.undo.first() {
        return Err(vec![Obstacle::Busy { reason: format!("step {} is to be undone first; cancel the run instead", undo.step) }]);
    }
    let mut begun = State {
        version,
        root: Strand::new(Some(View { vars: Some(Arc::default()), ..View::default() })),
        script: ScriptRun::default(),
        leaves: BTreeMap::new(),
        listened: BTreeMap::new(),
        exits_open: BTreeMap::new(),
        bindings: BTreeMap::new(),
        reopens: state.reopens + 1,
        scope_bytes: super::state::weight(&state.input) + super::state::weight(&state.event),
        ..state.clone()
    };
    begun.set_version_fact();
    Ok(begun)
}

/// Whether this version's state stands where it can go on: what a state from a history is checked by.
pub(super) fn read(state: &Value, before: &State, version: u32) -> Result<State, String> {
    let mut read: State = serde_json::from_value(state.clone()).map_err(|error| format!("the state that it carries cannot be read: {error}"))?;
    if read.run_id != before.run_id || read.version != version {
        return Err("the state that it carries is of another run or version".into());
    }
    read.seq = before.seq;
    read.at = before.at;
    Ok(read)
}

struct Carrier<'a> {
    new: &'a Workflow,
    mapping: &'a Mapping,
    obstacles: BTreeSet<Obstacle>,
}

impl Carrier<'_> {
    /// The key that stands for a step in the new version, whether that has it or not.
    fn name(&self, key: &str) -> Arc<str> {
        let name = self.mapping.steps.get(key).map_or(key, String::as_str);
        self.new.places.get_key_value(name).map_or_else(|| Arc::from(name), |(known, _)| Arc::clone(known))
    }

    fn path(&self, path: &StepPath) -> StepPath {
        self.mapping.path(path).unwrap_or_else(|| Arc::clone(path))
    }

    fn unlike(&mut self, step: &Step, new: &str, reason: impl Into<String>) {
        self.obstacles.insert(Obstacle::Unlike { step: step.key.to_string(), new: new.to_owned(), reason: reason.into() });
    }

    fn view(&self, view: &View) -> View {
        View {
            outputs: Arc::new(view.outputs.iter().map(|(key, output)| (self.name(key), Arc::clone(output))).collect()),
            began: view.began.iter().map(|(key, at)| (self.name(key), *at)).collect(),
            ..view.clone()
        }
    }

    /// A line of steps in its list of the new version.
    fn strand(&mut self, strand: &Strand, old: &Block, new: &Block, place: &str) -> Option<Strand> {
        let view = strand.view.as_ref().map(|view| Box::new(self.view(view)));
        let Some(step) = old.steps.get(strand.index) else {
            return Some(Strand { index: new.steps.len(), standing: Standing::Free, view });
        };
        let name = self.name(&step.key);
        let Some(index) = new.steps.iter().position(|other| other.key == name) else {
            self.obstacles.insert(Obstacle::Missing { step: name.to_string(), place: place.to_owned() });
            return None;
        };
        let standing = match &strand.standing {
            Standing::Free => Standing::Free,
            Standing::Busy => Standing::Busy,
            Standing::Inside(group) => Standing::Inside(Box::new(self.group(group, step, &new.steps[index])?)),
        };
        Some(Strand { index, standing, view })
    }

    fn group(&mut self, group: &Group, old: &Step, new: &Step) -> Option<Group> {
        if std::mem::discriminant(&old.verb) != std::mem::discriminant(&new.verb) {
            self.unlike(old, &new.key, format!("it is `{}` and not `{}`", new.verb.word(), old.verb.word()));
            return None;
        }
        let place = format!("inside {}", new.key);
        let mut strands = BTreeMap::new();
        for (member, strand) in &group.strands {
            let inner = old.verb.part(member.part)?;
            let part = self.part(old, new, member.part, inner.steps.get(strand.index))?;
            let block = new.verb.part(part)?;
            strands.insert(Member { part, pass: member.pass }, self.strand(strand, inner, block, &place)?);
        }
        let progress = match &group.progress {
            Progress::Branch => Progress::Branch,
            Progress::Parallel(ended) => {
                let mut carried = Vec::new();
                for (part, ended) in ended {
                    let Some(part) = branch_name(old, *part).and_then(|name| new.verb.part_named(name)) else {
                        self.unlike(old, &new.key, "a branch of it that has ended is gone");
                        return None;
                    };
                    let ended = match ended {
                        Ended::Well(view) => Ended::Well(Box::new(self.view(view))),
                        Ended::Badly(error) => Ended::Badly(error.clone()),
                    };
                    carried.push((part, ended));
                }
                Progress::Parallel(carried)
            }
            Progress::Loop(passes) => {
                let last = passes.last.as_ref().map(|view| Box::new(self.view(view)));
                Progress::Loop(Box::new(Passes { last, ..Passes::clone(passes) }))
            }
            Progress::Try(attempt) => Progress::Try(Box::new(Attempt::clone(attempt))),
        };
        if let (Verb::Parallel { branches: was, .. }, Verb::Parallel { branches: now, .. }) = (&old.verb, &new.verb)
            && let Some((added, _)) = now.iter().find(|(name, _)| !was.iter().any(|(other, _)| other == name))
        {
            self.unlike(old, &new.key, format!("its branch {added} is new and would never run"));
            return None;
        }
        Some(Group { strands, progress })
    }

    /// Which list of the new step stands for a list of the old one: that in which the step at hand is.
    fn part(&mut self, old: &Step, new: &Step, part: usize, at: Option<&Step>) -> Option<usize> {
        let same = match &old.verb {
            Verb::Parallel { .. } | Verb::Split { .. } => branch_name(old, part).and_then(|name| new.verb.part_named(name)),
            Verb::Try { catch, .. } if part > catch.len() => new.verb.finally(),
            _ => new.verb.part(part).map(|_| part),
        };
        let Some(at) = at else { return same };
        let name = self.name(&at.key);
        let holds = |part: usize| new.verb.part(part).is_some_and(|block| block.steps.iter().any(|step| step.key == name));
        if same.is_some_and(holds) {
            return same;
        }
        // Branches that were put in another order; the parts of `try` are no branches.
        let found = (0..new.verb.blocks().len()).find(|part| holds(*part)).filter(|_| old.verb.is_branch());
        if found.is_none() {
            self.obstacles.insert(Obstacle::Missing { step: name.to_string(), place: format!("in the same part of {}", new.key) });
        }
        found
    }

    /// The path of what is in progress, when it can go on.
    fn leaf(&mut self, path: &StepPath, leaf: &Leaf) -> Option<StepPath> {
        let carried = self.path(path);
        let new = self.new;
        let Some(step) = new.step(&carried) else {
            self.obstacles.insert(Obstacle::Missing { step: key_of_path(&carried).to_owned(), place: "at all".to_owned() });
            return None;
        };
        let reason = match (leaf, &step.verb) {
            (Leaf::Sleep { .. }, Verb::Delay(_)) | (Leaf::Ask { .. }, Verb::Ask(_)) => None,
            (Leaf::Wait { waits, .. }, Verb::WaitFor { waits: rules, .. }) => {
                let known = |name: &String, event: &str| rules.iter().any(|(rule, wait)| rule == name && wait.event == event);
                let strange = waits.iter().find(|(name, wait)| !known(name, &wait.event));
                strange.map(|(name, wait)| format!("it does not wait for {} as {name}", wait.event))
            }
            (Leaf::Child { waits, .. }, Verb::Call { waits: now, .. }) if waits == now => None,
            (Leaf::Node(progress), Verb::Do { node, .. }) if **node == *progress.node => None,
            (Leaf::Node(progress), Verb::Do { node, .. }) => Some(format!("it runs {node} and not {}", progress.node)),
            (_, verb) => Some(format!("it is `{}`", verb.word())),
        };
        if let Some(reason) = reason {
            self.obstacles.insert(Obstacle::Unlike { step: key_of_path(path).to_owned(), new: step.key.to_string(), reason });
            return None;
        }
        Some(carried)
    }

    /// What is to be undone, when the new version says how; nothing, when it is given up.
    fn undo(&mut self, old: &Workflow, undo: &Undo) -> Option<Undo> {
        if self.mapping.not_undone.contains(key_of_path(&undo.step)) {
            return None;
        }
        let node = |workflow: &Workflow, path: &str| match workflow.step(path).map(|step| &step.verb) {
            Some(Verb::Do { compensate: Some(compensation), .. }) => Some(compensation.node.clone()),
            _ => None,
        };
        let carried = self.path(&undo.step);
        // Its input was made for the node of the version that did it.
        if node(self.new, &carried).is_none() || node(self.new, &carried) != node(old, &undo.step) {
            self.obstacles.insert(Obstacle::Undo { step: key_of_path(&undo.step).to_owned() });
            return None;
        }
        Some(Undo { step: carried, input: undo.input.clone() })
    }
}

fn branch_name(step: &Step, part: usize) -> Option<&str> {
    match &step.verb {
        Verb::Parallel { branches, .. } => branches.get(part).map(|(name, _)| name.as_str()),
        Verb::Split { variants, .. } => variants.get(part).map(|variant| variant.name.as_str()),
        _ => None,
    }
}

impl Turn<'_, '_> {
    /// Moves the run to the version that this turn is of.
    pub(super) fn migrate(&mut self, migration: Migration) {
        if self.state.unrest().is_some() {
            return;
        }
        let from = self.state.version;
        let Migration { version, how, by, state } = migration;
        let state = State { seq: self.state.seq, at: self.state.at, ..state };
        let Ok(carried) = serde_json::to_value(&state) else { return };
        // What listens and ticks for the old version ends; what the new one needs is set below.
        for (key, _) in self.state.timers() {
            self.act(Action::ClearTimer { key });
        }
        let waits: Vec<String> = self.state.leaves.iter().filter(|(_, leaf)| matches!(leaf, Leaf::Wait { .. })).map(|(path, _)| path.to_string()).collect();
        let exits = self.state.exits_open.keys().map(|index| format!("{EXIT_TARGET}{index}"));
        for target in waits.into_iter().chain(exits.collect::<Vec<_>>()) {
            self.act(Action::CloseWait { target });
        }
        if how == Moved::Restarted {
            for child in self.state.children() {
                self.act(Action::CancelChild { run_id: child.run_id });
            }
        }
        self.record(None, Fact::Migrated { from, version, how, by, state: carried });
        if how == Moved::Restarted {
            self.state.opening = Opening::Bindings;
        }
        if self.state.paused.is_none() {
            self.stand_again();
        }
    }
}
