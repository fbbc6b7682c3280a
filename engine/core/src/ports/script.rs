//! Scripts: what the definition and the machine need of a scripting language. Compiling and evaluating are pure; the room
//! `engine/script` does both.

use crate::{Object, StepError, Timestamp, Value, expression::Scope, history::StepPath};
use std::{fmt, sync::Arc};

/// The names that a `script:` step can see somewhere; which of them exist at its place, the definition knows.
pub const SCRIPT_NAMES: [&str; 15] =
    ["event", "input", "vars", "steps", "run", "now", "item", "loop", "incoming", "error", "contact", "company", "deal", "conversation", "org"];
/// The names that a script that is a whole workflow can see; live records only through durable calls (SEMANTICS.md 31).
pub const PROGRAM_NAMES: [&str; 4] = ["event", "input", "vars", "run"];

/// Where a script's first letter stands in its file, both from 1: every place that is told is a place of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The line.
    pub line: u32,
    /// The column, of this and of every further line.
    pub column: u32,
}

impl Default for Origin {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

/// A mistake that is known before the script runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptProblem {
    /// A stable name: `bad_script`, `unknown_function`, `unknown_name`, `too_large`.
    pub code: &'static str,
    /// One sentence that names the mistake and the remedy.
    pub message: String,
    /// In the file, from 1.
    pub line: u32,
    /// In the file, from 1.
    pub column: u32,
    /// The name to write instead, where one is near.
    pub suggestion: Option<String>,
}

/// A literal path of the scope that a script names: `event.data.phone`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptReference {
    /// Name by name.
    pub path: Vec<String>,
    /// In the file, from 1.
    pub line: u32,
    /// In the file, from 1.
    pub column: u32,
}

/// A literal text that a durable function of a script is called with: a node's id, an event's type, a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptLiteral {
    /// The function: `step`, `sleep`, `wait_for` ….
    pub function: String,
    /// Line and column of the call: arguments of one call share them.
    pub call: (u32, u32),
    /// Which argument, from 0, and of how many.
    pub argument: (usize, usize),
    /// The text.
    pub text: String,
    /// In the file, from 1.
    pub line: u32,
    /// In the file, from 1.
    pub column: u32,
}

/// Where a script calls a durable function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptSite {
    /// The function.
    pub function: String,
    /// In the file, from 1.
    pub line: u32,
    /// In the file, from 1.
    pub column: u32,
}

/// A literal node of a script's `step`, and what it is called with.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptInput {
    /// The node's id.
    pub node: String,
    /// Its input.
    pub value: ScriptValue,
}

/// A value of a script and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptValue {
    /// In the file, from 1.
    pub line: u32,
    /// In the file, from 1.
    pub column: u32,
    /// As far as it is literal.
    pub shape: ScriptShape,
}

/// What is known of a value before the script runs.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptShape {
    /// All of it.
    Literal(Value),
    /// Nothing.
    Computed,
    /// Its items.
    List(Vec<ScriptValue>),
    /// Its fields.
    Map(Vec<ScriptField>),
}

/// A field of a map and where its name stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptField {
    /// The name.
    pub name: String,
    /// In the file, from 1.
    pub line: u32,
    /// In the file, from 1.
    pub column: u32,
    /// The value.
    pub value: ScriptValue,
}

/// What a wait of a script compares, as far as it is literal: events of the type must be found by these paths before any
/// run waits for them (SEMANTICS.md 11).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScriptWait {
    /// The event's type.
    pub event: String,
    /// Paths of its data, sorted; none for `"any"`.
    pub paths: Vec<String>,
}

/// How much an evaluation may cost. What it gives never depends on it: an evaluation that reaches it has no outcome.
#[derive(Clone)]
pub struct ScriptBudget {
    /// Operations after which the evaluation is given up, to be made again elsewhere. The language's own limits
    /// ([`crate::limits`]) hold besides and are an outcome.
    pub operations: u64,
    /// Says when the host has had enough: the safety net behind the language's own limits.
    pub enough: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl ScriptBudget {
    /// Only the language's own limits.
    pub fn unlimited() -> Self {
        Self { operations: u64::MAX, enough: None }
    }
}

impl fmt::Debug for ScriptBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptBudget").field("operations", &self.operations).finish_non_exhaustive()
    }
}

/// The budget was reached: no outcome, and nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the script was stopped before its end; it has no outcome yet")]
pub struct Interrupted;

/// Compiles scripts.
pub trait Scripts: Send + Sync {
    /// A `script:` step. `names` are the names that exist somewhere, for suggestions and to find unknown ones.
    fn compile_step(&self, source: &str, origin: Origin, names: &[&str]) -> Result<Arc<dyn ScriptStep>, Vec<ScriptProblem>>;
    /// A script that is a whole workflow.
    fn compile_program(&self, source: &str) -> Result<Arc<dyn ScriptProgram>, Vec<ScriptProblem>>;
}

/// A compiled `script:` step.
pub trait ScriptStep: fmt::Debug + Send + Sync {
    /// The literal paths that it names.
    fn references(&self) -> &[ScriptReference];
    /// Its output: a function of the scope alone. The inner error is the step's.
    fn evaluate(&self, scope: &Scope, budget: &ScriptBudget) -> Result<Result<Value, StepError>, Interrupted>;
}

/// A compiled script that is a whole workflow.
pub trait ScriptProgram: fmt::Debug + Send + Sync {
    /// The literal paths that it names.
    fn references(&self) -> &[ScriptReference];
    /// The literal texts that its durable calls are made with.
    fn literals(&self) -> &[ScriptLiteral];
    /// What its literal nodes are called with.
    fn inputs(&self) -> &[ScriptInput];
    /// What its waits compare.
    fn waits(&self) -> &[ScriptWait];
    /// Where it calls durable functions, in order of the file.
    fn sites(&self) -> &[ScriptSite];
    /// Runs the script against what is recorded, as far as that reaches: from its beginning, or from where it stands. A
    /// standing belongs to the history that it was given for, and to what is appended to it.
    fn advance(&self, start: &ScriptStart, journal: Arc<dyn Journal>, standing: &mut ScriptStanding, budget: &ScriptBudget) -> Result<ScriptTurn, Interrupted>;
}

/// Where a script stands between two turns, so that the next one need not begin at its beginning. A cache and never a truth:
/// where it is gone, the script is run again with the same result.
#[derive(Clone, Default)]
pub struct ScriptStanding(pub Option<Arc<dyn std::any::Any + Send + Sync>>);

impl fmt::Debug for ScriptStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptStanding").finish_non_exhaustive()
    }
}

/// What a run hands to its script; the same at every turn.
#[derive(Clone, Debug)]
pub struct ScriptStart {
    /// The envelope of the start.
    pub event: Arc<Value>,
    /// The start's input.
    pub input: Arc<Value>,
    /// The workflow's `vars`.
    pub vars: Arc<Object>,
    /// `run`: id, workflow, version, key, `started_at`.
    pub run: Arc<Value>,
    /// The run's logical time at its beginning.
    pub started_at: Timestamp,
    /// The run's seed.
    pub seed: u64,
}

/// What is recorded of a run's durable calls.
pub trait Journal: Send + Sync {
    /// What is known of a call under this key.
    fn answer(&self, key: &str, call: &DurableCall) -> Answer;
    /// The script calls a durable function at this line and column, from 1. Nothing to a run: for whoever asks where it has been.
    fn reached(&self, _line: u32, _column: u32) {}
}

/// What is recorded of a durable call.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing: it is made for the first time.
    New,
    /// It was made and has no outcome.
    Pending,
    /// Its outcome.
    Done {
        /// What it gave.
        value: Arc<Value>,
        /// When that was recorded.
        at: Timestamp,
    },
    /// It failed.
    Failed {
        /// Why.
        error: StepError,
        /// When that was recorded.
        at: Timestamp,
    },
    /// Under this key another call is recorded (SEMANTICS.md 31).
    Mismatch(String),
}

/// A durable call as the script makes it.
#[derive(Clone, Debug, PartialEq)]
pub enum DurableCall {
    /// Runs a node.
    Step {
        /// The node.
        node: String,
        /// Its input.
        input: Value,
    },
    /// Sleeps for a duration such as `2h 30m`.
    Sleep {
        /// How long.
        length: String,
    },
    /// Sleeps until a time or phrase.
    SleepUntil {
        /// RFC 3339, or `tomorrow 09:00`.
        until: Value,
    },
    /// Waits for an event.
    WaitFor {
        /// Its type.
        event: String,
        /// Paths of its data and the values that they must have; `"any"`; `"contact"`.
        matching: Value,
        /// How long at the most.
        timeout: Option<String>,
    },
    /// Assigns a variant.
    Split {
        /// Their names and weights.
        variants: Vec<(String, f64)>,
    },
    /// Runs another workflow and waits for its output.
    Call {
        /// Which.
        workflow: String,
        /// Its input.
        input: Value,
    },
    /// Starts another workflow.
    Start {
        /// Which.
        workflow: String,
        /// Its input.
        input: Value,
    },
    /// Puts an event on the bus.
    Emit {
        /// Its type.
        event: String,
        /// Its data.
        data: Value,
    },
    /// Asks a person.
    Ask {
        /// As in the `ask` verb.
        question: Value,
    },
    /// Leaves a line in the history. The script does not wait for it.
    Log {
        /// What it says.
        message: String,
    },
}

impl DurableCall {
    /// The function's name in scripts.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Step { .. } => "step",
            Self::Sleep { .. } => "sleep",
            Self::SleepUntil { .. } => "sleep_until",
            Self::WaitFor { .. } => "wait_for",
            Self::Split { .. } => "split",
            Self::Call { .. } => "call",
            Self::Start { .. } => "start",
            Self::Emit { .. } => "emit",
            Self::Ask { .. } => "ask",
            Self::Log { .. } => "log",
        }
    }
}

/// How far a script came.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptTurn {
    /// Calls that are made for the first time, in the order of the script.
    pub calls: Vec<(StepPath, DurableCall)>,
    /// Keys of the calls that were recorded and that the script made again.
    pub known: Vec<StepPath>,
    /// How the turn ended.
    pub end: ScriptEnd,
}

/// How a turn of a script ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptEnd {
    /// It waits for its calls.
    Parked,
    /// It came to its end with this output.
    Finished(Value),
    /// It failed.
    Failed(StepError),
    /// It does not do again what its history says that it did.
    Diverged(String),
    /// It goes on in a new history, with this input.
    ContinueAs(Value),
}
