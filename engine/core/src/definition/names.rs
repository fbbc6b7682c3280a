//! What an expression may name in the place where it stands, and whether what it names can exist.

use super::problems::{Place, Problems};
use crate::expression::RECORD_NAMES;
use std::collections::{BTreeSet, HashMap};

/// Fields of `event` and `incoming`.
const EVENT_FIELDS: [&str; 7] = ["specversion", "id", "source", "type", "subject", "time", "data"];
/// Fields of `run`.
const RUN_FIELDS: [&str; 5] = ["id", "workflow", "version", "key", "started_at"];
/// Field that a step has after `on_error: continue`.
const ERROR_FIELD: &str = "error";

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// `if` and `with` of a trigger.
    Trigger,
    /// `key`.
    Key,
    /// `vars` and `contact`, `company` … at the top.
    Start,
    /// A step, by its place in the file.
    Step(usize),
    /// `if` of a wait or goal in a step: sees `incoming`.
    Arriving(usize),
    /// `match` of an `exit_on`.
    Exit,
    /// `if` of an `exit_on`: sees `incoming`.
    Exiting,
}

impl Standing {
    fn step(self) -> Option<usize> {
        match self {
            Self::Step(number) | Self::Arriving(number) => Some(number),
            _ => None,
        }
    }

    /// The names it sees, but for the records, which every place sees.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Trigger => &["event", "now"],
            Self::Key => &["event", "input", "now"],
            Self::Start => &["event", "input", "run", "now"],
            Self::Step(_) | Self::Exit => &["event", "input", "vars", "steps", "run", "now"],
            Self::Arriving(_) | Self::Exiting => &["event", "input", "vars", "steps", "run", "now", "incoming"],
        }
    }
}

/// A step as others see it.
#[derive(Debug)]
pub(super) struct KnownStep {
    /// Its place in the file, from 0.
    pub(super) number: usize,
    /// What its output has, when that is fixed.
    pub(super) fields: Option<Vec<String>>,
}

struct Use {
    path: Vec<String>,
    place: Place,
    standing: Standing,
}

/// Names given and names used; they are matched when the whole file is read.
#[derive(Default)]
pub(super) struct Names {
    steps: HashMap<String, KnownStep>,
    variables: BTreeSet<String>,
    uses: Vec<Use>,
}

impl Names {
    /// A step's key, given by its author or derived.
    pub(super) fn add_step(&mut self, key: &str, step: KnownStep) {
        self.steps.insert(key.to_owned(), step);
    }

    /// A variable that `vars` or a `set` gives.
    pub(super) fn add_variable(&mut self, name: &str) {
        self.variables.insert(name.to_owned());
    }

    /// Notes a path; what can be told at once is told at once.
    pub(super) fn note(&mut self, problems: &mut Problems, path: &[String], place: &Place, standing: Standing) {
        let Some(root) = path.first() else { return };
        let names = standing.names();
        if !names.contains(&root.as_str()) && !RECORD_NAMES.contains(&root.as_str()) {
            if let Some(remedy) = elsewhere(root) {
                problems.error(place, "not_in_scope", format!("`{root}` does not exist here; {remedy}"));
            } else {
                let known = names.iter().copied().chain(RECORD_NAMES);
                problems.wrong_name(place, "unknown_name", &format!("there is no `{root}` here"), root, known);
            }
            return;
        }
        let fields: &[&str] = match root.as_str() {
            "event" | "incoming" => &EVENT_FIELDS,
            "run" => &RUN_FIELDS,
            "vars" | "steps" if path.len() > 1 => {
                self.uses.push(Use { path: path.to_vec(), place: place.clone(), standing });
                return;
            }
            _ => return,
        };
        if let Some(field) = path.get(1)
            && !fields.contains(&field.as_str())
        {
            let hint = if root == "run" { "" } else { " (facts of the event are below data)" };
            problems.wrong_name(place, "unknown_name", &format!("`{root}` has no field \"{field}\"{hint}"), field, fields.iter().copied());
        }
    }

    /// Checks a step that is named without an expression (`since: STEP`); gives whether it exists.
    pub(super) fn note_step(&mut self, name: &str, place: &Place, standing: Standing) {
        self.uses.push(Use { path: vec!["steps".into(), name.into()], place: place.clone(), standing });
    }

    /// Matches uses with names.
    pub(super) fn check(&self, problems: &mut Problems) {
        for used in &self.uses {
            let Some(name) = used.path.get(1) else { continue };
            if used.path[0] == "vars" {
                if !self.variables.contains(name) {
                    let message = format!("no variable \"{name}\" is given, neither in vars nor by a set step");
                    problems.wrong_name(&used.place, "unknown_variable", &message, name, self.variables.iter().map(String::as_str));
                }
                continue;
            }
            let Some(step) = self.steps.get(name) else {
                let mut known: Vec<&str> = self.steps.keys().map(String::as_str).filter(|key| !key.contains(':')).collect();
                known.sort_unstable();
                problems.wrong_name(&used.place, "unknown_step", &format!("there is no step \"{name}\""), name, known);
                continue;
            };
            check_order(problems, used, name, step);
            if let (Some(fields), Some(field)) = (&step.fields, used.path.get(2))
                && field != ERROR_FIELD
                && !fields.contains(field)
            {
                let message = format!("the output of step \"{name}\" has no field \"{field}\"");
                problems.wrong_name(&used.place, "unknown_name", &message, field, fields.iter().map(String::as_str));
            }
        }
    }
}

fn check_order(problems: &mut Problems, used: &Use, name: &str, step: &KnownStep) {
    let Some(here) = used.standing.step() else { return };
    if step.number == here && !matches!(used.standing, Standing::Arriving(_)) {
        problems.error(&used.place, "step_comes_later", format!("step \"{name}\" names its own output, which does not exist yet"));
    } else if step.number > here {
        problems.error(&used.place, "step_comes_later", format!("step \"{name}\" comes later, so its output never exists here; move it up"));
    }
}

/// Where a name exists that does not exist here.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "incoming" => "it is the arriving event, in the `if` of a wait_for, exit_on or goal",
        "item" | "loop" => "it exists inside for_each, which this version does not have yet",
        "error" => "a failed step's error is steps.ID.error, after on_error: continue",
        "secrets" | "secret" | "env" => "secrets are no part of the scope: nodes take `connection: NAME`",
        "steps" => "no step has run yet",
        "vars" => "variables are not set yet",
        "input" => "a trigger makes the input; use event.data",
        "run" => "the run does not exist yet",
        _ => return None,
    })
}
