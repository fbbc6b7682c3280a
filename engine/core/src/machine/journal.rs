//! What is recorded of a script's durable calls: the place that the strands have in workflows of steps. The fold writes it,
//! the script reads it again at every turn.

use super::{leaf::Leaf, state::weight};
use crate::{
    StepError, Timestamp, Value,
    history::{OpenMatch, StepPath},
    ports::{Answer, DurableCall, Journal, ScriptStanding},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The node that a script's `log` is recorded as.
pub(super) const LOG_NODE: &str = "debug.log";
/// The name of a wait for a single event.
pub(super) const SINGLE: &str = "event";
/// The step of a script's own failure, while calls of it are still under way.
pub(super) const SCRIPT_STEP: &str = "$script";

/// A run of a script, so far as its history tells.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ScriptRun {
    /// By key.
    pub(super) calls: Arc<Calls>,
    /// Something was recorded that the script has not seen.
    pub(super) stale: bool,
    /// Where the script stands; transient.
    #[serde(skip)]
    pub(super) standing: ScriptStanding,
}

/// The journal of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Calls(BTreeMap<StepPath, Call>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Call {
    made: Made,
    outcome: Option<Settled>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settled {
    value: Result<Arc<Value>, StepError>,
    at: Timestamp,
}

/// What tells a call from another one under the same key, as far as the history says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Made {
    Step {
        node: Arc<str>,
        input: Arc<Value>,
    },
    Log {
        input: Arc<Value>,
    },
    Sleep,
    Wait {
        event: String,
        values: BTreeMap<String, Value>,
    },
    Split,
    Child {
        workflow: String,
        input: Arc<Value>,
        waits: bool,
    },
    Ask {
        question: Arc<Value>,
    },
    Emit {
        event: String,
        data: Value,
    },
    /// It failed before it began; the history does not say what it would have been.
    Refused,
}

impl Made {
    /// The call that a step in progress is.
    fn of(path: &str, leaf: &Leaf) -> Result<Self, String> {
        Ok(match leaf {
            Leaf::Node(progress) if is_called(path, "log") => Self::Log { input: Arc::clone(&progress.input) },
            Leaf::Node(progress) => Self::Step { node: Arc::clone(&progress.node), input: Arc::clone(&progress.input) },
            Leaf::Sleep { .. } => Self::Sleep,
            Leaf::Wait { waits, .. } => {
                let wait = waits.get(SINGLE).ok_or_else(|| format!("call {path} waits for no single event"))?;
                Self::Wait { event: wait.event.clone(), values: wait.values.clone() }
            }
            Leaf::Child { workflow, input, waits, .. } => Self::Child { workflow: workflow.clone(), input: Arc::clone(input), waits: *waits },
            Leaf::Ask { question, .. } => Self::Ask { question: Arc::clone(question) },
        })
    }

    /// Whether this is the call.
    fn is(&self, call: &DurableCall) -> bool {
        match (self, call) {
            (Self::Step { node, input }, DurableCall::Step { node: made, input: with }) => **node == **made && is_same(input, with),
            (Self::Log { input }, DurableCall::Log { message }) => input.get("$erased").is_some() || input["message"] == message.as_str(),
            (Self::Sleep, DurableCall::Sleep { .. } | DurableCall::SleepUntil { .. }) | (Self::Split, DurableCall::Split { .. }) | (Self::Refused, _) => true,
            (Self::Wait { event, values }, DurableCall::WaitFor { event: made, matching, .. }) => {
                let same = match matching {
                    Value::Object(paths) => paths.len() == values.len() && paths.iter().all(|(path, value)| values.get(path) == Some(value)),
                    _ => true,
                };
                event == made && same
            }
            (Self::Child { workflow, input, waits: true }, DurableCall::Call { workflow: made, input: with })
            | (Self::Child { workflow, input, waits: false }, DurableCall::Start { workflow: made, input: with }) => workflow == made && is_same(input, with),
            (Self::Ask { question }, DurableCall::Ask { question: made }) => is_same(&question["title"], &made["title"]),
            (Self::Emit { event, data }, DurableCall::Emit { event: made, data: with }) => event == made && is_same(data, with),
            _ => false,
        }
    }

    fn described(&self) -> String {
        match self {
            Self::Step { node, .. } => format!("step {node:?} with its input"),
            Self::Log { .. } => "a log with its message".into(),
            Self::Sleep => "a sleep".into(),
            Self::Wait { event, .. } => format!("a wait for {event:?} with its match"),
            Self::Split => "a split".into(),
            Self::Child { workflow, .. } => format!("a run of {workflow:?} with its input"),
            Self::Ask { question } => format!("the question {}", question["title"]),
            Self::Emit { event, .. } => format!("the event {event:?} with its data"),
            Self::Refused => "a call that failed".into(),
        }
    }

    /// What the script gets of a step's output.
    fn seen(&self, output: Arc<Value>) -> Arc<Value> {
        match self {
            Self::Sleep | Self::Log { .. } => Arc::default(),
            Self::Wait { .. } if output["timed_out"] == true => Arc::default(),
            Self::Split => Arc::new(output["variant"].clone()),
            Self::Emit { .. } => Arc::new(output["event_id"].clone()),
            _ => output,
        }
    }
}

/// A payload that was erased compares equal to anything (SEMANTICS.md 17).
fn is_same(was: &Value, made: &Value) -> bool {
    was == made || was.get("$erased").is_some()
}

/// Whether a call's key is that of this function: no id that a script gives can look like it.
pub(super) fn is_called(key: &str, function: &str) -> bool {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    name.strip_prefix(function).is_some_and(|rest| rest.starts_with(':'))
}

/// Where a call's branch ends in its key.
pub(super) fn branch_of(key: &str) -> &str {
    key.rfind('/').map_or("", |end| &key[..=end])
}

/// Under which name a wait remembers how far it has listened. A wait that a script makes again in a loop is the same one:
/// it goes on after the event that it consumed last (SEMANTICS.md 11).
pub(super) fn listening(key: &str, waits: &BTreeMap<String, OpenMatch>) -> Arc<str> {
    let call = match key.rsplit_once(':') {
        Some((call, occurrence)) if occurrence.bytes().all(|byte| byte.is_ascii_digit()) => call,
        _ => key,
    };
    let mut name = call.to_owned();
    for wait in waits.values() {
        let values = serde_json::to_string(&wait.values).unwrap_or_default();
        name = format!("{name}\n{}\n{values}", wait.event);
    }
    name.into()
}

impl Journal for Calls {
    fn answer(&self, key: &str, call: &DurableCall) -> Answer {
        let Some(recorded) = self.0.get(key) else { return Answer::New };
        if !recorded.made.is(call) {
            let was = recorded.made.described();
            return Answer::Mismatch(format!("{key} is {was} in the history, and the script now calls {} there otherwise", call.word()));
        }
        match &recorded.outcome {
            None => Answer::Pending,
            Some(Settled { value: Ok(value), at }) => Answer::Done { value: Arc::clone(value), at: *at },
            Some(Settled { value: Err(error), at }) => Answer::Failed { error: error.clone(), at: *at },
        }
    }
}

impl Calls {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &StepPath> {
        self.0.keys()
    }
}

impl ScriptRun {
    /// Notes that a call was made.
    pub(super) fn make(&mut self, key: &StepPath, made: Made) -> Result<(), String> {
        let call = Call { made, outcome: None };
        if Arc::make_mut(&mut self.calls).0.insert(Arc::clone(key), call).is_some() {
            return Err(format!("call {key} was made already"));
        }
        Ok(())
    }

    /// Whether a call is a question to a person.
    pub(super) fn is_question(&self, key: &str) -> bool {
        matches!(self.calls.0.get(key), Some(Call { made: Made::Ask { .. }, .. }))
    }

    /// Notes that a call is in progress.
    pub(super) fn occupy(&mut self, key: &StepPath, leaf: &Leaf) -> Result<(), String> {
        self.make(key, Made::of(key, leaf)?)
    }

    /// Notes a call's outcome; how many bytes it takes.
    pub(super) fn settle(&mut self, key: &StepPath, outcome: Result<Arc<Value>, &StepError>, at: Timestamp) -> Result<usize, String> {
        let calls = Arc::make_mut(&mut self.calls);
        // What fails without having begun is noted as that.
        let call = match outcome {
            Err(_) => calls.0.entry(Arc::clone(key)).or_insert(Call { made: Made::Refused, outcome: None }),
            Ok(_) => calls.0.get_mut(key).ok_or_else(|| format!("call {key} was never made"))?,
        };
        if call.outcome.is_some() {
            return Err(format!("call {key} has its outcome already"));
        }
        let value = outcome.map(|output| call.made.seen(output)).map_err(StepError::clone);
        let bytes = value.as_ref().map_or(0, |value| weight(value));
        call.outcome = Some(Settled { value, at });
        // Nobody waits for a line in the history.
        self.stale |= !matches!(call.made, Made::Log { .. });
        Ok(bytes)
    }
}
