//! Compiled versions: the current ones with their triggers, and every one that a run still needs.

mod versions;

use onward_core::{
    OrganisationId,
    definition::{Block, Catalogue, Match, Rollout, Severity, TriggerKind, Verb, WaitRule, Workflow, compile},
    ports::PublishedVersion,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
};
use versions::Versions;

/// A version that takes new starts.
#[derive(Clone, Debug)]
pub struct Current {
    /// Whose.
    pub organisation: OrganisationId,
    /// Its number.
    pub version: u32,
    /// Starts are taken in and held.
    pub paused: bool,
    /// The program.
    pub workflow: Arc<Workflow>,
    /// Which starts it takes.
    pub(crate) part: Part,
}

/// Which starts a version takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// Every one.
    All,
    /// Those that fall to it while it is on trial.
    Trial(Rollout),
    /// Those that do not fall to the version on trial.
    Rest { trial: u32, rollout: Rollout },
}

impl Current {
    /// A version that takes every start.
    pub(crate) fn whole(organisation: OrganisationId, version: u32, paused: bool, workflow: Arc<Workflow>) -> Self {
        Self { organisation, version, paused, workflow, part: Part::All }
    }
    /// Whether a start is its, by what decides on that ([`crate::rollout::lot`]).
    pub(crate) fn takes(&self, lot: &str) -> bool {
        match self.part {
            Part::All => true,
            Part::Trial(rollout) => rollout.takes(&self.workflow.name, self.version, lot),
            Part::Rest { trial, rollout } => !rollout.takes(&self.workflow.name, trial, lot),
        }
    }
}

/// The versions of a workflow that take starts.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) current: Arc<Current>,
    /// Takes a share of the starts; the current one takes the rest.
    pub(crate) trial: Option<Arc<Current>>,
}

impl Standing {
    /// One version takes every start.
    pub(crate) fn whole(current: Current) -> Self {
        Self { current: Arc::new(Current { part: Part::All, ..current }), trial: None }
    }
    /// A version is on trial beside the current one.
    pub(crate) fn on_trial(current: Current, trial: Current) -> Self {
        let Some(rollout) = trial.workflow.rollout else { return Self::whole(current) };
        let rest = Current { part: Part::Rest { trial: trial.version, rollout }, ..current };
        Self { current: Arc::new(rest), trial: Some(Arc::new(Current { part: Part::Trial(rollout), ..trial })) }
    }
    /// The same with starts held, or let go.
    pub(crate) fn paused(&self, paused: bool) -> Self {
        let set = |current: &Arc<Current>| Arc::new(Current { paused, ..Current::clone(current) });
        Self { current: set(&self.current), trial: self.trial.as_ref().map(set) }
    }
    /// Each of them, the one on trial first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Arc<Current>> {
        self.trial.iter().chain([&self.current])
    }
}

/// A published version that does not compile any more: reported, never fatal (SEMANTICS.md 21).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenVersion {
    /// Whose.
    pub organisation: OrganisationId,
    /// The workflow.
    pub workflow: String,
    /// Its version.
    pub version: u32,
    /// Why.
    pub reason: String,
}

/// The triggers for each type of event, by workflow name and place.
type Triggers = BTreeMap<String, Vec<(Arc<Current>, usize)>>;
/// The triggers that listen at each path, and their places.
type Webhooks = BTreeMap<(OrganisationId, String), Vec<(Arc<Current>, usize)>>;

/// The routing table: a snapshot that is swapped whole.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    workflows: BTreeMap<(OrganisationId, String), Standing>,
    triggers: BTreeMap<OrganisationId, Triggers>,
    /// Who listens at a path; the current version last.
    webhooks: Webhooks,
}

impl Snapshot {
    /// The triggers for events of this type, by workflow name and place.
    pub(crate) fn triggers(&self, organisation: OrganisationId, event: &str) -> &[(Arc<Current>, usize)] {
        self.triggers.get(&organisation).and_then(|types| types.get(event)).map_or(&[], Vec::as_slice)
    }
    /// The trigger that listens at a path; of the current version where that has one.
    pub(crate) fn webhook(&self, organisation: OrganisationId, path: &str) -> Option<&(Arc<Current>, usize)> {
        self.webhooks.get(&(organisation, path.to_owned()))?.last()
    }
    /// The triggers that an event is meant for, as far as they are still there; the version on trial first.
    pub(crate) fn addressed(&self, organisation: OrganisationId, addressee: &Addressee) -> Vec<(Arc<Current>, usize)> {
        match addressee {
            Addressee::Trigger { workflow, trigger } => {
                self.workflows.get(&(organisation, workflow.clone())).map_or_else(Vec::new, |standing| scheduled(standing, *trigger))
            }
            Addressee::Webhook { path } => self.webhooks.get(&(organisation, path.clone())).cloned().unwrap_or_default(),
        }
    }
    /// The version that takes new starts; while another one is on trial, all but its share.
    pub(crate) fn current(&self, organisation: OrganisationId, workflow: &str) -> Option<&Arc<Current>> {
        self.standing(organisation, workflow).map(|standing| &standing.current)
    }
    /// The version that is on trial and takes its share.
    pub(crate) fn on_trial(&self, organisation: OrganisationId, workflow: &str) -> Option<&Arc<Current>> {
        self.standing(organisation, workflow)?.trial.as_ref()
    }
    pub(crate) fn standing(&self, organisation: OrganisationId, workflow: &str) -> Option<&Standing> {
        self.workflows.get(&(organisation, workflow.to_owned()))
    }
    /// The versions that take new starts of a workflow, the one on trial first.
    pub(crate) fn versions(&self, organisation: OrganisationId, workflow: &str) -> impl Iterator<Item = &Arc<Current>> {
        self.standing(organisation, workflow).into_iter().flat_map(Standing::versions)
    }
    /// Every workflow's current version.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Current>> {
        self.workflows.values().map(|standing| &standing.current)
    }
    /// All versions that take new starts.
    pub(crate) fn every(&self) -> impl Iterator<Item = &Arc<Current>> {
        self.workflows.values().flat_map(Standing::versions)
    }

    fn index(workflows: BTreeMap<(OrganisationId, String), Standing>) -> Self {
        let mut triggers: BTreeMap<OrganisationId, Triggers> = BTreeMap::new();
        let mut webhooks = Webhooks::new();
        for current in workflows.values().flat_map(Standing::versions) {
            for (place, trigger) in current.workflow.triggers.iter().enumerate() {
                match &trigger.on {
                    TriggerKind::Event(event) => {
                        triggers.entry(current.organisation).or_default().entry(event.clone()).or_default().push((Arc::clone(current), place));
                    }
                    TriggerKind::Webhook(webhook) => {
                        let listening = webhooks.entry((current.organisation, webhook.path.clone())).or_default();
                        if listening.iter().all(|(other, _)| other.workflow.name == current.workflow.name && other.version != current.version) {
                            listening.push((Arc::clone(current), place));
                        }
                    }
                    TriggerKind::Schedule(_) | TriggerKind::Manual { .. } => {}
                }
            }
        }
        Self { workflows, triggers, webhooks }
    }
}

/// Who a schedule's event is for. Schedules are those of the current version; a version on trial takes its share of those that
/// it has, too.
fn scheduled(standing: &Standing, trigger: usize) -> Vec<(Arc<Current>, usize)> {
    let rhythm = |current: &Current, place: usize| match &current.workflow.triggers.get(place)?.on {
        TriggerKind::Schedule(schedule) => Some(schedule.rhythm()),
        _ => None,
    };
    let wanted = rhythm(&standing.current, trigger);
    let same = standing.trial.as_ref().and_then(|trial| {
        let place = (0..trial.workflow.triggers.len()).find(|place| wanted.is_some() && rhythm(trial, *place) == wanted)?;
        Some((Arc::clone(trial), place))
    });
    match same {
        Some(same) => vec![same, (Arc::clone(&standing.current), trigger)],
        None => vec![(Arc::new(Current { part: Part::All, ..Current::clone(&standing.current) }), trigger)],
    }
}

/// The trigger that an event is meant for, besides those that its type finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// This one: a schedule fired.
    Trigger { workflow: String, trigger: usize },
    /// The one that listens at this path.
    Webhook { path: String },
}

/// Compiled versions, shared by the loop and by those who ask.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    snapshot: RwLock<Arc<Snapshot>>,
    versions: Versions,
    broken: RwLock<Vec<BrokenVersion>>,
}

impl Definitions {
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }
    pub(crate) fn broken(&self) -> Vec<BrokenVersion> {
        self.broken.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Compiles every version that takes starts, and swaps the routing table.
    pub(crate) fn replace_all(&self, published: Vec<PublishedVersion>, on_trial: Vec<PublishedVersion>, catalogue: &dyn Catalogue) {
        let mut workflows: BTreeMap<(OrganisationId, String), Standing> = BTreeMap::new();
        let mut broken = Vec::new();
        for version in published.into_iter().chain(on_trial) {
            match self.compiled(&version, catalogue) {
                Ok(workflow) => {
                    let current = Current::whole(version.organisation, version.version, version.paused, workflow);
                    let standing = match workflows.remove(&(version.organisation, version.workflow.clone())) {
                        Some(standing) => Standing::on_trial(Current::clone(&standing.current), current),
                        None if version.current => Standing::whole(current),
                        None => continue,
                    };
                    workflows.insert((version.organisation, version.workflow), standing);
                }
                Err(reason) => {
                    tracing::error!(organisation = %version.organisation, workflow = version.workflow, version = version.version, reason, "a published version does not compile; it takes no starts");
                    broken.push(BrokenVersion { organisation: version.organisation, workflow: version.workflow, version: version.version, reason });
                }
            }
        }
        *self.broken.write().unwrap_or_else(PoisonError::into_inner) = broken;
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Snapshot::index(workflows));
    }

    /// Makes other versions of one workflow take its starts, or none.
    pub(crate) fn set_standing(&self, organisation: OrganisationId, workflow: &str, standing: Option<Standing>) {
        let mut workflows = self.snapshot().workflows.clone();
        let key = (organisation, workflow.to_owned());
        match standing {
            Some(standing) => {
                for version in standing.versions() {
                    self.versions.keep(organisation, workflow, version.version, Arc::clone(&version.workflow));
                }
                workflows.insert(key, standing);
            }
            None => drop(workflows.remove(&key)),
        }
        self.broken.write().unwrap_or_else(PoisonError::into_inner).retain(|broken| broken.organisation != organisation || broken.workflow != workflow);
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Snapshot::index(workflows));
    }

    /// A version that was compiled before.
    pub(crate) fn known(&self, organisation: OrganisationId, workflow: &str, version: u32) -> Option<Arc<Workflow>> {
        self.versions.get(organisation, workflow, version)
    }

    /// The program of a stored version. `Err` says why there is none.
    pub(crate) fn compiled(&self, version: &PublishedVersion, catalogue: &dyn Catalogue) -> Result<Arc<Workflow>, String> {
        if let Some(workflow) = self.known(version.organisation, &version.workflow, version.version) {
            return Ok(workflow);
        }
        #[cfg(test)]
        if let (Some(workflow), _) = crate::simulation::compiled::compiled_once(&version.source, catalogue) {
            self.versions.keep(version.organisation, &version.workflow, version.version, Arc::clone(&workflow));
            return Ok(workflow);
        }
        let compiled = catch_unwind(AssertUnwindSafe(|| compile(&version.source, catalogue))).map_err(|_| "the compiler panicked".to_owned())?;
        let reason = || {
            let problem = compiled.problems.iter().find(|problem| problem.severity == Severity::Error);
            problem.map_or_else(|| "it does not compile".to_owned(), |problem| format!("line {}: {}", problem.line, problem.message))
        };
        let workflow = Arc::new(compiled.workflow.ok_or_else(reason)?);
        self.versions.keep(version.organisation, &version.workflow, version.version, Arc::clone(&workflow));
        Ok(workflow)
    }
}

/// The event types and paths that a workflow's waits and exits compare: under these, events must be found from the
/// moment it is published, so that a wait that opens later sees the early ones (SEMANTICS.md 11).
pub(crate) fn shapes_of(workflow: &Workflow) -> BTreeSet<(String, Vec<String>)> {
    let mut shapes = BTreeSet::new();
    for exit in &workflow.exit_on {
        shapes.insert(shape_of(&exit.rule));
    }
    collect(&workflow.steps, &mut shapes);
    if let Some(script) = &workflow.script {
        shapes.extend(script.program.waits().iter().map(|wait| (wait.event.clone(), wait.paths.clone())));
    }
    shapes
}

fn collect(block: &Block, shapes: &mut BTreeSet<(String, Vec<String>)>) {
    for step in &block.steps {
        if let Verb::WaitFor { waits, .. } = &step.verb {
            shapes.extend(waits.iter().map(|(_, rule)| shape_of(rule)));
        }
        for inner in step.verb.blocks() {
            collect(inner, shapes);
        }
    }
}

fn shape_of(rule: &WaitRule) -> (String, Vec<String>) {
    let mut paths: Vec<String> = match &rule.matching {
        Match::Contact => vec!["contact_id".to_owned()],
        Match::Values(values) => values.iter().map(|(path, _)| path.clone()).collect(),
        Match::Any => Vec::new(),
    };
    paths.sort();
    (rule.event.clone(), paths)
}
