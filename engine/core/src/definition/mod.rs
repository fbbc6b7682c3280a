//! What an admin wrote, compiled: the program that the machine executes.
//!
//! [`compile`] turns the file's text into a tree with positions, that into a [`Workflow`], and finds every mistake that can
//! be known before a run; [`schema`] tells editors the language's shape. What lives in an organisation (templates,
//! connections, users) is not known here: a workflow lists what it mentions of it.

mod branches;
mod compiler;
mod cron;
mod difference;
mod fields;
mod flow_control;
mod inner_runs;
mod loops;
mod mentions;
mod names;
mod needs;
mod node_input;
mod places;
mod problems;
mod retry;
mod rollout;
mod schedule;
mod schema;
mod script;
pub(crate) mod span;
mod steps;
pub mod testing;
#[cfg(test)]
mod tests;
mod tree;
mod triggers;
mod verbs;
mod waits;
mod walk;
mod webhook;
mod workflow;

pub use cron::Cron;
pub use difference::{Difference, FieldDifference, StepChange, StepDifference, differences};
pub use flow_control::{Concurrency, Debounce, LimitScope, Limits, Rate};
pub use mentions::{Mention, MentionKind};
pub use needs::{Need, NeedKind, needs};
pub use places::{Hop, Place, Places, key_of_path};
pub use problems::render_problem;
pub use rollout::{HoldIf, Rollout};
pub use schedule::{Missed, Schedule};
pub use schema::schema;
pub use script::{Script, ScriptNode};
pub use verbs::{Ask, Asked, Catch, Compensation, ForEach, Goal, Join, Repeat, Variant, Verb};
pub use webhook::Webhook;
pub use workflow::compile;

use crate::{
    ErrorCode, Object, Value,
    expression::{Condition, Expression, Template},
};
use std::{collections::BTreeMap, sync::Arc};

/// The revision of the language that this build writes; published versions record theirs and are never validated more
/// strictly later (SEMANTICS.md 21).
pub const LANGUAGE_REVISION: u32 = 1;

/// A compiled workflow: immutable, shared by all runs of the version.
#[derive(Debug)]
pub struct Workflow {
    /// Unique in its organisation; kebab-case.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The file's text, as its author wrote it.
    pub source: Arc<str>,
    /// SHA-256 of the text, hex.
    pub digest: String,
    /// What starts a run.
    pub triggers: Vec<Trigger>,
    /// What a run is about.
    pub key: Option<Template>,
    /// How runs of one key meet.
    pub mode: Mode,
    /// Whether a key may come again.
    pub reentry: Reentry,
    /// How many runs and starts.
    pub limits: Limits,
    /// Which start goes first where starts are held: 1 to 10, 1 is first.
    pub priority: Option<Template>,
    /// While it is on trial, which starts it takes; `None`: every one from the moment it is published.
    pub rollout: Option<Rollout>,
    /// What ends a run early.
    pub exit_on: Vec<ExitRule>,
    /// Initial variables.
    pub vars: Vec<(String, Template)>,
    /// Top-level `contact:`, `company:`, `deal:`, `conversation:` expressions, by name.
    pub bindings: BTreeMap<String, Expression>,
    /// Time-out of the whole run.
    pub timeout: Option<Span>,
    /// The steps; none where a script stands in their place.
    pub steps: Block,
    /// The script that is the whole workflow.
    pub script: Option<Script>,
    /// Every step's key, with the place of the step in the file; for messages and drawings.
    pub outline: Vec<OutlineStep>,
    /// What it names of the organisation's.
    pub mentions: Vec<Mention>,
    /// How to get to each step, by key.
    pub places: Places,
}

/// A line of the outline: one step, in file order.
#[derive(Clone, Debug)]
pub struct OutlineStep {
    /// The step's key.
    pub key: Arc<str>,
    /// For people: its `name`, else its verb and node.
    pub title: String,
    /// Nesting, from 0.
    pub depth: usize,
    /// Where it stands.
    pub position: Position,
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// JSON Pointer into the document.
    pub pointer: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot run.
    Error,
    /// It may not do what was meant, or refers to what is not there yet.
    Warning,
    /// Worth knowing.
    Hint,
}

/// A mistake that can be known before a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// A stable name: `unknown_field`, `unknown_step`, `bad_duration` ….
    pub code: String,
    /// One sentence that names the place and the remedy.
    pub message: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// JSON Pointer into the document.
    pub pointer: String,
    /// The text to put in its place, if there is an obvious one.
    pub suggestion: Option<String>,
}

/// Steps that run one after the other.
#[derive(Debug, Default)]
pub struct Block {
    /// In order.
    pub steps: Vec<Step>,
}

/// One step: a verb and what is common to all.
#[derive(Debug)]
pub struct Step {
    /// Stable name of the step in the file: its `id`, else made of the nearest ancestor with an id, verb, node and ordinal
    /// among its like (SEMANTICS.md 28).
    pub key: Arc<str>,
    /// Whether `key` is an `id` that the author gave.
    pub named: bool,
    /// Shown to people.
    pub name: Option<String>,
    /// Skipped when false.
    pub guard: Option<Condition>,
    /// Bounds one attempt of a `do`, or a whole `wait_for`.
    pub timeout: Option<SpanTemplate>,
    /// `on_error: continue`.
    pub continue_on_error: bool,
    /// Where it stands.
    pub position: Position,
    /// What it does.
    pub verb: Verb,
}

/// How far back a wait looks (SEMANTICS.md 11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// When the step before was scheduled.
    Preceding,
    /// When the run began.
    Run,
    /// When that step was scheduled.
    Step(Arc<str>),
}

/// One event that is waited for.
#[derive(Debug)]
pub struct WaitRule {
    /// The event's type.
    pub event: String,
    /// Which of them.
    pub matching: Match,
    /// And only if; sees `incoming`.
    pub condition: Option<Condition>,
}

/// The correlation of a wait.
#[derive(Debug)]
pub enum Match {
    /// `match: contact`: the event's `contact_id` is the run's contact.
    Contact,
    /// Equality on literal paths of the event's data; sorted by path.
    Values(Vec<(String, Template)>),
    /// `match: any`.
    Any,
}

/// An `exit_on` rule.
#[derive(Debug)]
pub struct ExitRule {
    /// What it listens for.
    pub rule: WaitRule,
    /// Steps that its `match` names: it begins to listen when the last of them completes.
    pub after: Vec<Arc<str>>,
    /// Compensations run too.
    pub compensate: bool,
    /// Where it stands.
    pub position: Position,
}

/// What starts a run.
#[derive(Debug)]
pub struct Trigger {
    /// The source of the start.
    pub on: TriggerKind,
    /// Only if.
    pub condition: Option<Condition>,
    /// Becomes `input`.
    pub with: Option<Template>,
    /// Where it stands.
    pub position: Position,
}

/// The source of a start.
#[derive(Debug)]
pub enum TriggerKind {
    /// An event of the bus.
    Event(String),
    /// A time.
    Schedule(Box<Schedule>),
    /// A request to an address of ours.
    Webhook(Webhook),
    /// By hand, with an input that the schema describes.
    Manual {
        /// JSON Schema of the input.
        input: Option<Value>,
    },
}

/// How runs of one key meet (SEMANTICS.md 22).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Side by side.
    #[default]
    Parallel,
    /// A start while one lives is refused.
    Single,
    /// In order of intake.
    Queued,
    /// The old one is cancelled first.
    Restart,
}

/// Whether a key may come again.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Reentry {
    /// As often as it likes.
    #[default]
    Always,
    /// Once.
    Never,
    /// Not before this long after the last run's end.
    After(Span),
}

/// A length of time: exact milliseconds, or calendar units that need a zone.
#[derive(Clone, Debug)]
pub struct Span {
    /// As jiff reads it; never negative.
    pub span: jiff::Span,
    /// As written.
    pub text: String,
}

impl PartialEq for Span {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A length of time that may have to be rendered first.
#[derive(Debug)]
pub enum SpanTemplate {
    /// Known at compile time.
    Fixed(Span),
    /// Rendered to a text such as `24h`.
    Rendered(Template),
    /// Of which only the organisation's open hours count (`counting: business_hours`).
    OpenTime(Box<SpanTemplate>),
}

/// A durable sleep.
#[derive(Debug)]
pub struct Delay {
    /// How long, from now.
    pub length: Option<SpanTemplate>,
    /// Until when.
    pub until: Option<Until>,
    /// Moves `until`; may be negative.
    pub offset: Option<Span>,
    /// The zone of `until` and `within`: a name, `contact`, or the organisation's when absent.
    pub timezone: Option<Zone>,
    /// After the wait, on to the next open moment.
    pub within: Option<OpenHours>,
}

/// The moment that a delay waits for.
#[derive(Debug)]
pub enum Until {
    /// `[today|tomorrow|next day|next weekday|next mon…] HH:MM`.
    Phrase(UntilPhrase),
    /// A template that gives an RFC 3339 time or a phrase.
    Rendered(Template),
}

/// `[today|tomorrow|next day|next weekday|next mon…] HH:MM`: the first such moment after now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntilPhrase {
    /// Which day.
    pub day: PhraseDay,
    /// Time of day in the zone.
    pub time: jiff::civil::Time,
}

/// The day of an [`UntilPhrase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhraseDay {
    /// No day named: the next time the clock shows it.
    Any,
    /// Today; already past goes on at once.
    Today,
    /// The day after today.
    Tomorrow,
    /// Monday to Friday, after today.
    NextWeekday,
    /// That day of the week, after today.
    Next(jiff::civil::Weekday),
}

/// A time zone in a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// The contact's, else the organisation's.
    Contact,
    /// An IANA name.
    Named(String),
}

/// Opening hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenHours {
    /// The organisation's `business_hours`.
    Organisation,
    /// Days of the week with a span of the day.
    Days {
        /// Which days, Monday first.
        days: [bool; 7],
        /// Opens.
        from: jiff::civil::Time,
        /// Closes.
        to: jiff::civil::Time,
    },
}

/// How often and how far apart a `do` is tried.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub max_attempts: u32,
    /// Before the second attempt, in milliseconds.
    pub initial_ms: i64,
    /// Each further pause is this many times longer.
    pub factor: f64,
    /// The longest pause, in milliseconds.
    pub max_ms: i64,
    /// Share of the pause that is left to chance, 0 to 1.
    pub jitter: f64,
    /// No attempt starts later than this after the first, in milliseconds.
    pub within_ms: Option<i64>,
    /// Retried besides `timeout, rate_limited, unavailable`.
    pub on: Vec<ErrorCode>,
}

impl RetryPolicy {
    /// The default for nodes of this effect.
    pub fn of(effect: crate::ports::Effect) -> Self {
        use crate::ports::Effect;
        match effect {
            Effect::External | Effect::AtMostOnce => Self::external(),
            Effect::Pure | Effect::Transactional => Self::once(),
        }
    }
    /// For nodes that are tried once.
    pub fn once() -> Self {
        Self { max_attempts: 1, ..Self::external() }
    }
    /// For external nodes without a policy of their own: LANGUAGE.md's example.
    pub fn external() -> Self {
        Self { max_attempts: 5, initial_ms: 1_000, factor: 2.0, max_ms: 600_000, jitter: 0.0, within_ms: None, on: Vec::new() }
    }
    /// Whether a failure with this code is tried again.
    pub fn retries(&self, code: &ErrorCode) -> bool {
        matches!(code, ErrorCode::Timeout | ErrorCode::RateLimited | ErrorCode::Unavailable) || self.on.contains(code)
    }
}

/// What the compiler must know of nodes; the runtime's registry implements it.
pub trait Catalogue: Send + Sync {
    /// The node of that id.
    fn node(&self, id: &str) -> Option<&crate::ports::NodeDescriptor>;
    /// All ids, for suggestions.
    fn node_ids(&self) -> Vec<&str>;
    /// Event types that somebody declares, for hints.
    fn event_types(&self) -> Vec<&str>;
    /// What compiles `script` steps; without it they are refused.
    fn scripts(&self) -> Option<&dyn crate::ports::Scripts> {
        None
    }
}

/// Values that a workflow's input schema does not fit.
pub type InputProblems = Vec<(String, String)>;

/// An object that keeps order, for rendered maps.
pub type Rendered = Object;

/// What compiling gave.
#[derive(Debug)]
pub struct Compiled {
    /// The program, unless a problem is an error.
    pub workflow: Option<Workflow>,
    /// In file order.
    pub problems: Vec<Problem>,
}
