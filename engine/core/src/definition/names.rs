//! What an expression may name in the place where it stands, and whether what it names can exist.

use super::problems::{Place, Problems};
use crate::expression::RECORD_NAMES;
use std::collections::{BTreeSet, HashMap};

/// Fields of `event` and `incoming`.
const EVENT_FIELDS: [&str; 7] = ["specversion", "id", "source", "type", "subject", "time", "data"];
/// Fields of `run`.
const RUN_FIELDS: [&str; 5] = ["id", "workflow", "version", "key", "started_at"];
/// Fields of `loop`.
const LOOP_FIELDS: [&str; 5] = ["index", "index0", "length", "first", "last"];
/// Fields of `error`.
const ERROR_FIELDS: [&str; 4] = ["code", "message", "step", "details"];
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
    /// `compensate` of a step: sees its output.
    Undoing(usize),
    /// `while` and `until` of a loop: see the steps of the pass before.
    Pass(usize),
    /// `match` of an `exit_on`.
    Exit,
    /// `if` of an `exit_on`: sees `incoming`.
    Exiting,
    /// A script that is the whole workflow.
    Program,
}

impl Standing {
    fn step(self) -> Option<usize> {
        match self {
            Self::Step(number) | Self::Arriving(number) | Self::Undoing(number) | Self::Pass(number) => Some(number),
            _ => None,
        }
    }

    /// Whether the step's own output is there.
    fn sees_itself(self) -> bool {
        matches!(self, Self::Arriving(_) | Self::Undoing(_))
    }

    /// The names it sees, but for the records, which every place sees.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Trigger => &["event", "now"],
            Self::Key => &["event", "input", "now"],
            Self::Start => &["event", "input", "run", "now"],
            Self::Program => &crate::ports::PROGRAM_NAMES,
            Self::Step(_) | Self::Undoing(_) | Self::Pass(_) | Self::Exit => &["event", "input", "vars", "steps", "run", "now"],
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

/// A part of a step that has a view of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Enclosure {
    /// The step's place in the file.
    pub(super) number: usize,
    /// Which part.
    pub(super) part: usize,
    /// What is special inside.
    pub(super) kind: EnclosureKind,
}

/// What is special inside a part of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EnclosureKind {
    /// A pass of a loop; the name of the item, for `for_each`.
    Loop(Option<String>),
    /// A branch of `parallel`.
    Branch,
    /// A clause of a `try`.
    Catch,
}

impl EnclosureKind {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Loop(item) => name == "loop" || item.as_deref() == Some(name),
            Self::Branch => false,
            Self::Catch => name == "error",
        }
    }
}

struct Use {
    path: Vec<String>,
    place: Place,
    standing: Standing,
    within: Vec<Enclosure>,
}

/// A variable that a `set` gives.
struct Given {
    name: String,
    place: Place,
    within: Vec<Enclosure>,
}

/// Names given and names used; they are matched when the whole file is read.
#[derive(Default)]
pub(super) struct Names {
    steps: HashMap<String, (KnownStep, Vec<Enclosure>)>,
    variables: BTreeSet<String>,
    given: Vec<Given>,
    uses: Vec<Use>,
    /// Where the compiler is.
    within: Vec<Enclosure>,
}

impl Names {
    /// A step's key, given by its author or derived.
    pub(super) fn add_step(&mut self, key: &str, step: KnownStep) {
        self.steps.insert(key.to_owned(), (step, self.within.clone()));
    }

    /// A variable that `vars` or a `set` gives.
    pub(super) fn add_variable(&mut self, name: &str, place: &Place) {
        self.variables.insert(name.to_owned());
        let again = self.given.iter().rev().take_while(|given| given.within == self.within).any(|given| given.name == name);
        if !again && self.within.iter().any(|enclosure| enclosure.kind == EnclosureKind::Branch) {
            self.given.push(Given { name: name.to_owned(), place: place.clone(), within: self.within.clone() });
        }
    }

    /// Goes into a part of a step.
    pub(super) fn enter(&mut self, enclosure: Enclosure) {
        self.within.push(enclosure);
    }

    /// Comes out of it.
    pub(super) fn leave(&mut self) {
        self.within.pop();
    }

    /// The names of items of the loops around this place.
    pub(super) fn locals(&self) -> Vec<String> {
        let item = |enclosure: &Enclosure| match &enclosure.kind {
            EnclosureKind::Loop(item) => item.clone(),
            EnclosureKind::Branch | EnclosureKind::Catch => None,
        };
        self.within.iter().filter_map(item).collect()
    }

    /// Whether a name of a loop or clause around this place hides it.
    pub(super) fn is_local(&self, name: &str) -> bool {
        self.within.iter().any(|enclosure| enclosure.kind.has(name))
    }

    /// Notes a path; what can be told at once is told at once.
    pub(super) fn note(&mut self, problems: &mut Problems, path: &[String], place: &Place, standing: Standing) {
        let Some(root) = path.first() else { return };
        let names = standing.names();
        if standing.step().is_some() && self.is_local(root) {
            let fields: &[&str] = match root.as_str() {
                "loop" => &LOOP_FIELDS,
                "error" => &ERROR_FIELDS,
                _ => return,
            };
            if let Some(field) = path.get(1)
                && !fields.contains(&field.as_str())
            {
                problems.wrong_name(place, "unknown_name", &format!("`{root}` has no field \"{field}\""), field, fields.iter().copied());
            }
            return;
        }
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
                self.uses.push(Use { path: path.to_vec(), place: place.clone(), standing, within: self.within.clone() });
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
        let within = self.within.clone();
        self.uses.push(Use { path: vec!["steps".into(), name.into()], place: place.clone(), standing, within });
    }

    /// Matches uses with names.
    pub(super) fn check(&self, problems: &mut Problems) {
        self.check_variables(problems);
        for used in &self.uses {
            let Some(name) = used.path.get(1) else { continue };
            if used.path[0] == "vars" {
                if !self.variables.contains(name) {
                    let message = format!("no variable \"{name}\" is given, neither in vars nor by a set step");
                    problems.wrong_name(&used.place, "unknown_variable", &message, name, self.variables.iter().map(String::as_str));
                }
                continue;
            }
            let Some((step, within)) = self.steps.get(name) else {
                let mut known: Vec<&str> = self.steps.keys().map(String::as_str).filter(|key| !key.contains(':')).collect();
                known.sort_unstable();
                problems.wrong_name(&used.place, "unknown_step", &format!("there is no step \"{name}\""), name, known);
                continue;
            };
            if !check_order(problems, used, name, step, within) {
                continue;
            }
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

/// Whether the step's output can exist where it is named; tells why not.
fn check_order(problems: &mut Problems, used: &Use, name: &str, step: &KnownStep, within: &[Enclosure]) -> bool {
    for (level, enclosure) in within.iter().enumerate() {
        if used.within.get(level) == Some(enclosure) {
            continue;
        }
        let side_by_side = used.within.get(level).is_some_and(|here| here.number == enclosure.number);
        let message = match enclosure.kind {
            EnclosureKind::Loop(_) => format!("step \"{name}\" is inside a loop: its output exists only there; use the loop's own output"),
            EnclosureKind::Branch if side_by_side => format!("step \"{name}\" is in a branch that runs side by side with this one, which never sees it"),
            EnclosureKind::Branch | EnclosureKind::Catch => continue,
        };
        problems.error(&used.place, "not_in_scope", message);
        return false;
    }
    let Some(here) = used.standing.step() else { return true };
    let inside = within.iter().any(|enclosure| enclosure.number == here);
    if step.number == here && !used.standing.sees_itself() {
        problems.error(&used.place, "step_comes_later", format!("step \"{name}\" names its own output, which does not exist yet"));
        return false;
    }
    if step.number > here && !(inside && matches!(used.standing, Standing::Pass(_))) {
        problems.error(&used.place, "step_comes_later", format!("step \"{name}\" comes later, so its output never exists here; move it up"));
        return false;
    }
    true
}

impl Names {
    /// Two branches side by side must not set one variable: which of them was last would be chance.
    fn check_variables(&self, problems: &mut Problems) {
        for (index, given) in self.given.iter().enumerate() {
            let other = self.given[..index].iter().find(|other| {
                other.name == given.name
                    && given
                        .within
                        .iter()
                        .zip(&other.within)
                        .find(|(here, there)| here != there)
                        .is_some_and(|(here, there)| here.number == there.number && here.kind == EnclosureKind::Branch)
            });
            if let Some(other) = other {
                let message =
                    format!("the variable \"{}\" is set by a branch that runs side by side, too (line {}); give them two names", given.name, other.place.line);
                problems.error(&given.place, "conflicting_set", message);
            }
        }
    }
}

/// Where a name exists that does not exist here.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "incoming" => "it is the arriving event, in the `if` of a wait_for, exit_on or goal",
        "item" | "loop" => "it exists inside the steps of a loop",
        "error" => "it exists inside `catch`; after on_error: continue, a failed step's error is steps.ID.error",
        "secrets" | "secret" | "env" => "secrets are no part of the scope: nodes take `connection: NAME`",
        "steps" => "no step has run yet",
        "vars" => "variables are not set yet",
        "input" => "a trigger makes the input; use event.data",
        "run" => "the run does not exist yet",
        _ => return None,
    })
}
