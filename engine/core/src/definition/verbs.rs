//! What steps do: the verbs and what belongs to each.

use super::{Block, Delay, RetryPolicy, Since, Span, WaitRule};
use crate::{
    ErrorCode, Value,
    expression::{Condition, Template},
    ports::{Effect, ScriptStep},
};
use std::sync::Arc;

/// What a step does.
#[derive(Debug)]
pub enum Verb {
    /// Runs a node.
    Do {
        /// The node's id.
        node: String,
        /// Its input.
        with: Template,
        /// How often, how far apart; resolved from the step, the workflow's default and the node's effect.
        retry: RetryPolicy,
        /// The node's effect, from the catalogue.
        effect: Effect,
        /// The record that the node's output becomes when the run has none (`contact`), from the catalogue.
        binds: Option<String>,
        /// Undoes it when the run later fails or is cancelled.
        compensate: Option<Compensation>,
    },
    /// One branch or the other.
    If {
        /// Decides.
        condition: Condition,
        /// When it holds.
        then: Block,
        /// When it does not.
        otherwise: Block,
    },
    /// The first branch whose condition holds.
    Choose {
        /// In order.
        branches: Vec<(Condition, Block)>,
        /// When none holds.
        otherwise: Block,
    },
    /// A/B/n test.
    Split {
        /// In order.
        variants: Vec<Variant>,
        /// What the assignment is sticky for; default: contact, else key.
        by: Option<Template>,
        /// What counts as success; a projection outside the run.
        goal: Option<Goal>,
    },
    /// A durable sleep.
    Delay(Delay),
    /// A durable wait for events.
    WaitFor {
        /// By name, in file order; a single wait is named `event`.
        waits: Vec<(String, WaitRule)>,
        /// The single form: output and `which` do not speak of a name.
        single: bool,
        /// How far back events count.
        since: Since,
    },
    /// Branches side by side.
    Parallel {
        /// By name, in file order.
        branches: Vec<(String, Block)>,
        /// How many must end well.
        join: Join,
    },
    /// The steps for every item of a list.
    ForEach(ForEach),
    /// The steps again and again.
    Repeat(Repeat),
    /// A child run.
    Call {
        /// The other workflow's name.
        workflow: Template,
        /// Its input.
        with: Template,
        /// Waits for its output (`call`), or only starts it (`start`).
        waits: bool,
    },
    /// Computes with a script; pure.
    Script(Arc<dyn ScriptStep>),
    /// Handles failed steps.
    Try {
        /// What may fail.
        steps: Block,
        /// The first that takes the error's code.
        catch: Vec<Catch>,
        /// Runs whatever happens.
        finally: Option<Block>,
    },
    /// A person decides.
    Ask(Ask),
    /// Gives variables values.
    Set(Vec<(String, Template)>),
    /// Puts an event on the bus.
    Emit {
        /// The event's type.
        event: Template,
        /// Its data.
        with: Template,
    },
    /// Ends the run.
    Stop {
        /// As failed instead of completed.
        failed: bool,
        /// Why.
        reason: Option<Template>,
        /// The run's output.
        output: Option<Template>,
    },
}

/// What undoes a step.
#[derive(Debug)]
pub struct Compensation {
    /// The node's id.
    pub node: String,
    /// Its input; sees the output of the step that it undoes.
    pub with: Template,
    /// How often, how far apart.
    pub retry: RetryPolicy,
    /// The node's effect, from the catalogue.
    pub effect: Effect,
}

/// A variant of a split.
#[derive(Debug)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Its share, relative to the others.
    pub weight: f64,
    /// Steps of its own.
    pub steps: Block,
}

/// A split's goal: an event within a time.
#[derive(Debug)]
pub struct Goal {
    /// What counts.
    pub rule: WaitRule,
    /// For how long after the choice.
    pub within: Option<Span>,
}

/// How many branches of a `parallel` must end well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// Every one.
    #[default]
    All,
    /// The first so many; the others are cancelled.
    First(usize),
}

/// A loop over a list.
#[derive(Debug)]
pub struct ForEach {
    /// Gives the list.
    pub items: Template,
    /// The name of the current item.
    pub name: Arc<str>,
    /// Items at a time.
    pub max_parallel: usize,
    /// An item that fails leaves its error as its output, and the loop goes on.
    pub continue_on_item_error: bool,
    /// What is done for each.
    pub steps: Block,
}

/// A loop until something holds.
#[derive(Debug)]
pub struct Repeat {
    /// Tested before each pass.
    pub condition: Option<Condition>,
    /// Tested after each pass.
    pub until: Option<Condition>,
    /// How many passes.
    pub times: Option<Template>,
    /// Passing this many fails the step.
    pub max: u64,
    /// One pass.
    pub steps: Block,
}

/// A clause of a `try`.
#[derive(Debug)]
pub struct Catch {
    /// The codes that it takes; empty: every one.
    pub on: Vec<ErrorCode>,
    /// What is done then; `error` is in scope.
    pub steps: Block,
}

impl Catch {
    /// Whether it takes this code.
    pub fn takes(&self, code: &ErrorCode) -> bool {
        self.on.is_empty() || self.on.contains(code)
    }
}

/// A question to a person.
#[derive(Debug)]
pub struct Ask {
    /// Who may answer.
    pub who: Asked,
    /// The question.
    pub title: Template,
    /// JSON Schema of the answer; without one: approve or reject.
    pub form: Option<Value>,
    /// Prefills the form.
    pub values: Option<Template>,
    /// Asks again after this long, and again.
    pub remind_every: Option<Span>,
}

/// Who is asked.
#[derive(Debug)]
pub enum Asked {
    /// Anyone of this role.
    Role(String),
    /// This user.
    User(Template),
    /// The run's contact, in the conversation.
    Contact,
}

static EMPTY: Block = Block { steps: Vec::new() };

impl Verb {
    /// The lists of steps inside it, in file order. A list's place among them is its *part*.
    pub fn blocks(&self) -> Vec<&Block> {
        (0..).map_while(|part| self.part(part)).collect()
    }

    /// The list of steps at this place among [`Verb::blocks`].
    pub fn part(&self, part: usize) -> Option<&Block> {
        match self {
            Self::If { then, otherwise, .. } => [then, otherwise].get(part).copied(),
            Self::Choose { branches, otherwise } => match branches.get(part) {
                Some((_, block)) => Some(block),
                None => (part == branches.len()).then_some(otherwise),
            },
            Self::Split { variants, .. } => variants.get(part).map(|variant| &variant.steps),
            Self::Parallel { branches, .. } => branches.get(part).map(|(_, block)| block),
            Self::ForEach(ForEach { steps, .. }) | Self::Repeat(Repeat { steps, .. }) => (part == 0).then_some(steps),
            Self::Try { steps, catch, finally } => match part.checked_sub(1) {
                None => Some(steps),
                Some(clause) => match catch.get(clause) {
                    Some(clause) => Some(&clause.steps),
                    None => (clause == catch.len()).then(|| finally.as_ref().unwrap_or(&EMPTY)),
                },
            },
            _ => None,
        }
    }

    /// The part that a `branch_taken` or `variant_chosen` entry names.
    pub fn part_named(&self, name: &str) -> Option<usize> {
        match self {
            Self::If { .. } => ["then", "else"].iter().position(|branch| *branch == name),
            Self::Choose { branches, .. } if name == "else" => Some(branches.len()),
            Self::Choose { branches, .. } => name.parse::<usize>().ok()?.checked_sub(1).filter(|part| *part < branches.len()),
            Self::Split { variants, .. } => variants.iter().position(|variant| variant.name == name),
            Self::Parallel { branches, .. } => branches.iter().position(|(branch, _)| branch == name),
            Self::Try { catch, finally, .. } => match name.strip_prefix("catch:") {
                Some(number) => number.parse::<usize>().ok().filter(|number| (1..=catch.len()).contains(number)),
                None => (name == "finally" && finally.is_some()).then_some(catch.len() + 1),
            },
            _ => None,
        }
    }

    /// Whether one of its parts is taken and nothing else: its steps are part of the list around it.
    pub fn is_branch(&self) -> bool {
        matches!(self, Self::If { .. } | Self::Choose { .. } | Self::Split { .. })
    }

    /// Whether its steps may run several times.
    pub fn is_loop(&self) -> bool {
        matches!(self, Self::ForEach(_) | Self::Repeat(_))
    }

    /// The part that runs whatever happens.
    pub fn finally(&self) -> Option<usize> {
        match self {
            Self::Try { catch, finally: Some(_), .. } => Some(catch.len() + 1),
            _ => None,
        }
    }

    /// The verb as written.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Do { .. } => "do",
            Self::If { .. } => "if",
            Self::Choose { .. } => "choose",
            Self::Split { .. } => "split",
            Self::Delay(_) => "delay",
            Self::WaitFor { .. } => "wait_for",
            Self::Parallel { .. } => "parallel",
            Self::ForEach(_) => "for_each",
            Self::Repeat(_) => "repeat",
            Self::Call { waits: true, .. } => "call",
            Self::Call { waits: false, .. } => "start",
            Self::Script(_) => "script",
            Self::Try { .. } => "try",
            Self::Ask(_) => "ask",
            Self::Set(_) => "set",
            Self::Emit { .. } => "emit",
            Self::Stop { .. } => "stop",
        }
    }
}
