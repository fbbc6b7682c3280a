//! Test cases: played, and judged by what they expect.

use super::{
    Call, Coverage, Emitted, Previews, Recorder, Refused, Stage, World,
    harden::Trial,
    judge,
    scripted::{Scripted, drafted},
    starts::webhook_event,
    world::Played,
};
use onward_core::{
    Timestamp,
    definition::{
        Problem, Severity,
        testing::{Begin, Case, Delivery, EventDraft, LaterKind, Opening, Setting, TestFile},
    },
    history::Entry,
    machine::{Happening, State, check_answer},
    ports::RunStatus,
};
use serde::Serialize;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// A case, ready to be played.
pub struct CaseSetup<'s> {
    pub(super) stage: Stage,
    pub(super) setting: Setting,
    pub(super) case: &'s Case,
    pub(super) previews: &'s dyn Previews,
}

impl<'s> CaseSetup<'s> {
    /// A case of a file; the stage's first workflow is the one that is tested. The case's zone and start are put into the stage.
    pub fn new(mut stage: Stage, file: &TestFile, case: &'s Case, previews: &'s dyn Previews) -> Self {
        let setting = file.setting.with(&case.setting);
        if let Some(timezone) = &setting.timezone {
            stage.timezone.clone_from(timezone);
        }
        if let Some(now) = setting.now {
            stage.starts_at = now;
        }
        Self { stage, setting, case, previews }
    }
}

/// What came of a case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Nothing is wrong.
    pub passed: bool,
    /// What is wrong, each with its place in the test file.
    pub problems: Vec<Problem>,
    /// The case's line in the test file.
    pub line: u32,
    /// What it went through.
    #[serde(skip)]
    pub coverage: Coverage,
}

impl CaseReport {
    pub(super) fn problem(&self, code: &str, message: &str) -> Problem {
        Problem {
            severity: Severity::Error,
            code: code.to_owned(),
            message: message.to_owned(),
            line: self.line,
            column: 1,
            pointer: String::new(),
            suggestion: None,
        }
    }
}

/// A case that was played.
#[derive(Debug)]
pub(super) struct PlayedCase {
    /// By run, in order of start.
    pub(super) states: Vec<State>,
    /// Which workflow of the stage each run is of.
    pub(super) workflows: Vec<usize>,
    pub(super) histories: Vec<Vec<Entry>>,
    pub(super) ends: Vec<(RunStatus, Option<String>)>,
    pub(super) calls: Vec<Call>,
    pub(super) emitted: Vec<Emitted>,
    pub(super) refused: Vec<Refused>,
    pub(super) held: usize,
    /// What went wrong with the machine itself.
    pub(super) faults: Vec<String>,
    /// What the case asked for that could not be done, and where.
    pub(super) undone: Vec<(u32, String)>,
    pub(super) given_up: bool,
    pub(super) now: Timestamp,
}

/// Plays a case and judges it.
pub fn test_case(setup: &CaseSetup<'_>) -> CaseReport {
    let case = setup.case;
    let mut report = CaseReport { name: case.name.clone(), passed: false, problems: Vec::new(), line: case.position.line, coverage: Coverage::default() };
    match catch_unwind(AssertUnwindSafe(|| played(setup, Trial::default()))) {
        Ok(played) => {
            report.problems = judge::judge(&setup.stage.timezone, case, &played);
            for fault in &played.faults {
                report.problems.push(report.problem("internal", &format!("{fault}; report this as a bug")));
            }
            let runs = played.workflows.iter().zip(&played.states).zip(&played.histories);
            if let Some(workflow) = setup.stage.workflows.first() {
                for ((_, state), history) in runs.filter(|((workflow, _), _)| **workflow == 0) {
                    report.coverage.add(workflow, state.run_id, history);
                }
            }
        }
        Err(_) => report.problems.push(report.problem("internal", "playing the case panicked; report this as a bug")),
    }
    report.passed = report.problems.is_empty();
    report
}

/// Plays a case.
pub(super) fn played(setup: &CaseSetup<'_>, trial: Trial) -> PlayedCase {
    let (stage, case) = (&setup.stage, setup.case);
    let mut world = World::new(stage, Scripted::new(&setup.setting, setup.previews), Recorder::default());
    world.trial = trial;
    let mut undone = Vec::new();
    let mut moment = stage.starts_at;
    let began = match &case.begin {
        Opening::Begin(Begin::Event(event)) => {
            world.take_in(drafted(event));
            Ok(())
        }
        Opening::Begin(Begin::Input(input)) => {
            world.start_by_hand(input);
            Ok(())
        }
        Opening::Webhook(delivery) => deliver(&mut world, delivery),
        Opening::Schedule { fires } => world.fire_schedules(usize::try_from(*fires).unwrap_or(usize::MAX), None).map(|first| moment = first),
    };
    if let Err(reason) = began {
        undone.push((case.position.line, reason));
    }
    let horizon = case.watched_for.as_ref().map(|span| span.add_to(moment, &stage.timezone));
    for later in &case.then {
        if let Some(after) = &later.after {
            moment = after.add_to(moment, &stage.timezone);
        }
        if horizon.is_some_and(|horizon| horizon < moment) {
            undone.push((later.position.line, format!("it comes at {moment}, after the case's end at {}", horizon.unwrap_or(moment))));
            continue;
        }
        world.play_until(moment);
        if let Err(reason) = come(&mut world, &later.kind) {
            undone.push((later.position.line, reason));
        }
    }
    world.play_out(horizon);
    let given_up = world.is_given_up();
    let (held, now) = (world.held(), world.now());
    let mut played = PlayedCase {
        states: Vec::new(),
        workflows: Vec::new(),
        histories: Vec::new(),
        ends: Vec::new(),
        calls: world.watch.calls,
        emitted: world.watch.emitted,
        refused: world.watch.refused,
        held,
        faults: world.faults,
        undone,
        given_up,
        now,
    };
    for run in world.runs {
        played.ends.push((run.state.status, run.state.error.as_ref().map(|error| error.code.as_str().to_owned()).or_else(|| run.state.exit.clone())));
        played.workflows.push(run.workflow);
        played.histories.push(run.history);
        played.states.push(run.state);
    }
    played
}

/// Lets somebody post to a webhook of the workflow that is tested.
fn deliver(world: &mut World<'_, Scripted<'_>, Recorder>, delivery: &Delivery) -> Result<(), String> {
    let workflow = world.stage.workflows.first().ok_or("there is no workflow")?;
    let kind = webhook_event(workflow, delivery.path.as_ref().map(|path| path.value.as_str()))?;
    world.take_in(drafted(&EventDraft { kind, id: delivery.id.clone(), data: delivery.body.clone(), ..EventDraft::default() }));
    Ok(())
}

/// Lets something come from outside.
fn come(world: &mut World<'_, Scripted<'_>, Recorder>, kind: &LaterKind) -> Result<(), String> {
    let living = world.runs.iter().position(|run| !run.state.status.is_final()).ok_or("no run lives any more");
    let by = || "test".to_owned();
    match kind {
        LaterKind::Event(event) => world.take_in(drafted(event)),
        LaterKind::Webhook(delivery) => deliver(world, delivery)?,
        LaterKind::Records(fields) => world.outside.change_records(fields),
        LaterKind::Cancel(reason) => world.happen(living?, Happening::Cancel { by: by(), reason: reason.clone(), force: false }),
        LaterKind::Pause => world.happen(living?, Happening::Pause { by: by(), reason: None }),
        LaterKind::Resume => world.happen(living?, Happening::Resume { by: by() }),
        LaterKind::Answer { step, answer, by } => {
            let asked = |run: &Played| {
                let mut questions =
                    run.state.questions().into_iter().filter(|(path, _)| step.as_ref().is_none_or(|step| super::judge::key_of(path) == step.value));
                questions.next().map(|(path, question)| (Arc::clone(path), question.clone()))
            };
            let found = world.runs.iter().enumerate().find_map(|(run, played)| Some((run, asked(played)?)));
            let (run, (path, question)) = found.ok_or_else(|| match step {
                Some(step) => format!("step {} does not ask at that moment", step.value),
                None => "no step asks at that moment".to_owned(),
            })?;
            check_answer(&question, answer)?;
            world.happen(run, Happening::Answered { step: path, answer: answer.clone(), by: by.clone() });
        }
    }
    Ok(())
}
