//! Compiled versions: the current ones with their triggers, and every one that a run still needs.

mod versions;

use onward_core::{
    OrganisationId,
    definition::{Block, Catalogue, Match, Severity, TriggerKind, Verb, WaitRule, Workflow, compile},
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

/// The routing table: a snapshot that is swapped whole.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    workflows: BTreeMap<(OrganisationId, String), Arc<Current>>,
    triggers: BTreeMap<OrganisationId, Triggers>,
    /// Who listens at a path.
    webhooks: BTreeMap<(OrganisationId, String), (Arc<Current>, usize)>,
}

impl Snapshot {
    /// The triggers for events of this type, by workflow name and place.
    pub(crate) fn triggers(&self, organisation: OrganisationId, event: &str) -> &[(Arc<Current>, usize)] {
        self.triggers.get(&organisation).and_then(|types| types.get(event)).map_or(&[], Vec::as_slice)
    }
    /// The trigger that listens at a path.
    pub(crate) fn webhook(&self, organisation: OrganisationId, path: &str) -> Option<&(Arc<Current>, usize)> {
        self.webhooks.get(&(organisation, path.to_owned()))
    }
    /// The trigger that an event is meant for, if it is still there.
    pub(crate) fn addressed(&self, organisation: OrganisationId, addressee: &Addressee) -> Option<(&Arc<Current>, usize)> {
        match addressee {
            Addressee::Trigger { workflow, trigger } => self.current(organisation, workflow).map(|current| (current, *trigger)),
            Addressee::Webhook { path } => self.webhook(organisation, path).map(|(current, trigger)| (current, *trigger)),
        }
    }
    /// The version that takes new starts.
    pub(crate) fn current(&self, organisation: OrganisationId, workflow: &str) -> Option<&Arc<Current>> {
        self.workflows.get(&(organisation, workflow.to_owned()))
    }
    /// All versions that take new starts.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Current>> {
        self.workflows.values()
    }

    fn index(workflows: BTreeMap<(OrganisationId, String), Arc<Current>>) -> Self {
        let mut triggers: BTreeMap<OrganisationId, Triggers> = BTreeMap::new();
        let mut webhooks = BTreeMap::new();
        for current in workflows.values() {
            for (place, trigger) in current.workflow.triggers.iter().enumerate() {
                match &trigger.on {
                    TriggerKind::Event(event) => {
                        triggers.entry(current.organisation).or_default().entry(event.clone()).or_default().push((Arc::clone(current), place));
                    }
                    TriggerKind::Webhook(webhook) => {
                        webhooks.entry((current.organisation, webhook.path.clone())).or_insert_with(|| (Arc::clone(current), place));
                    }
                    TriggerKind::Schedule(_) | TriggerKind::Manual { .. } => {}
                }
            }
        }
        Self { workflows, triggers, webhooks }
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

    /// Compiles every current version and swaps the routing table.
    pub(crate) fn replace_all(&self, published: Vec<PublishedVersion>, catalogue: &dyn Catalogue) {
        let mut workflows = BTreeMap::new();
        let mut broken = Vec::new();
        for version in published {
            match self.compiled(&version, catalogue) {
                Ok(workflow) => {
                    let key = (version.organisation, version.workflow);
                    workflows.insert(key, Arc::new(Current { organisation: version.organisation, version: version.version, paused: version.paused, workflow }));
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

    /// Makes another version of one workflow current, or none.
    pub(crate) fn set_current(&self, organisation: OrganisationId, workflow: &str, current: Option<Current>) {
        let mut workflows = self.snapshot().workflows.clone();
        let key = (organisation, workflow.to_owned());
        match current {
            Some(current) => {
                self.versions.keep(organisation, workflow, current.version, Arc::clone(&current.workflow));
                workflows.insert(key, Arc::new(current));
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
