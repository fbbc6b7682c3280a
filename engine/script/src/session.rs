//! One turn of a script that is a whole workflow: which durable calls it has made, and how far it may go.

use crate::{
    convert,
    meter::Meter,
    standing::{self, Host, Next, Reply},
};
use onward_core::{
    ErrorCode, StepError, Timestamp, Value, digest,
    history::StepPath,
    limits,
    ports::{Answer, DurableCall, Interrupted, Journal, ScriptEnd, ScriptTurn},
};
use rhai::{Dynamic, EvalAltResult, INT, Map, Position};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The label of the moment before a new history begins.
const CONTINUE_AS: &str = "continue_as";
/// That moment.
const BETWEEN_HISTORIES: &str = "1ms";

type Evaluated = Result<Dynamic, Box<EvalAltResult>>;

/// A turn under way; handed to the durable functions as the evaluation's tag.
#[derive(Clone)]
pub(crate) struct Session(Arc<Shared>);

struct Shared {
    /// None while the script stands still: the history is the machine's to write then.
    journal: Mutex<Option<Arc<dyn Journal>>>,
    host: Mutex<Host>,
    seed: u64,
    meter: Arc<Meter>,
    turn: Mutex<Turn>,
}

#[derive(Debug)]
struct Turn {
    calls: Vec<(StepPath, DurableCall)>,
    known: Vec<StepPath>,
    /// How often a label was used in its branch.
    occurrences: HashMap<String, u64>,
    /// The branch at hand, innermost last; the script itself is the first.
    branches: Vec<Branch>,
    /// How the whole turn ended, where the script itself does not say it.
    end: Option<ScriptEnd>,
}

#[derive(Clone, Debug)]
struct Branch {
    /// Before every key of the branch.
    path: String,
    /// The run's logical time here: of the last outcome that the script has seen.
    now: Timestamp,
    /// It waits for a call.
    parked: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(journal: Arc<dyn Journal>, host: Host, seed: u64, started_at: Timestamp, meter: Arc<Meter>) -> Self {
        let root = Branch { path: String::new(), now: started_at, parked: false };
        let turn = Turn { calls: Vec::new(), known: Vec::new(), occurrences: HashMap::new(), branches: vec![root], end: None };
        Self(Arc::new(Shared { journal: Mutex::new(Some(journal)), host: Mutex::new(host), seed, meter, turn: Mutex::new(turn) }))
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a durable call, or takes its recorded outcome. The label is its id, or its verb and what it is about.
    pub(crate) fn call(&self, id: Option<&str>, label: &str, call: &DurableCall) -> Evaluated {
        if self.0.meter.is_halted() {
            return halted();
        }
        let key = {
            let mut turn = self.turn();
            // What ends a full history is no part of it.
            if turn.known.len() + turn.calls.len() >= limits::SCRIPT_CALLS && label != CONTINUE_AS {
                let message =
                    format!("the script has made {} durable calls, the most that one history holds; go on with continue_as(input)", limits::SCRIPT_CALLS);
                turn.end = Some(ScriptEnd::Failed(StepError::new(ErrorCode::InvalidInput, message)));
                self.0.meter.halt(true);
                return halted();
            }
            turn.key(id, label)
        };
        let waits = !matches!(call, DurableCall::Log { .. });
        loop {
            self.0.meter.begin_again();
            let answer = self.answer(&key, call);
            let is_new = matches!(answer, Answer::New);
            {
                let mut turn = self.turn();
                match answer {
                    Answer::New | Answer::Pending if waits => {}
                    Answer::New => turn.calls.push((Arc::clone(&key), call.clone())),
                    // Whatever became of it and whenever: the script did not wait to know.
                    Answer::Pending | Answer::Done { .. } | Answer::Failed { .. } if !waits => turn.known.push(Arc::clone(&key)),
                    Answer::Pending => {}
                    Answer::Done { value, at } => {
                        turn.known.push(Arc::clone(&key));
                        turn.seen(at);
                        return convert::to_dynamic(&value).or_else(|why| thrown(&format!("what it gave cannot be handed to the script: {why}")));
                    }
                    Answer::Failed { error, at } => {
                        turn.known.push(Arc::clone(&key));
                        turn.seen(at);
                        return failed(&error);
                    }
                    Answer::Mismatch(reason) => {
                        turn.end = Some(ScriptEnd::Diverged(reason));
                        self.0.meter.halt(true);
                        return halted();
                    }
                }
                if !waits {
                    return Ok(Dynamic::UNIT);
                }
            }
            if !self.stand(&key, call, is_new) {
                self.0.meter.halt(true);
                return halted();
            }
        }
    }

    /// Notes where the script calls a durable function.
    pub(crate) fn reached(&self, position: rhai::Position) {
        let journal = self.0.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(journal), Some(line), Some(column)) = (journal.as_ref(), position.line(), position.position()) {
            journal.reached(line as u32, column as u32);
        }
    }

    fn answer(&self, key: &StepPath, call: &DurableCall) -> Answer {
        let journal = self.0.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.as_ref().map_or(Answer::Pending, |journal| journal.answer(key, call))
    }

    /// Gives the turn and stands still at a call until the next one. False: the script is to end here, to be run again.
    fn stand(&self, key: &StepPath, call: &DurableCall, is_new: bool) -> bool {
        let (calls, known) = {
            let mut turn = self.turn();
            if turn.branches.len() > 1 || !standing::is_worth_it(turn.known.len()) {
                if is_new {
                    turn.calls.push((Arc::clone(key), call.clone()));
                } else {
                    turn.known.push(Arc::clone(key));
                }
                if let Some(branch) = turn.branches.last_mut() {
                    branch.parked = true;
                }
                return false;
            }
            let (mut calls, mut known) = (std::mem::take(&mut turn.calls), turn.known.clone());
            // The lines before it are recorded by then.
            turn.known.extend(calls.iter().map(|(key, _)| Arc::clone(key)));
            if is_new {
                calls.push((Arc::clone(key), call.clone()));
            } else {
                known.push(Arc::clone(key));
            }
            (calls, known)
        };
        self.let_go_of_the_history();
        let next = {
            let mut host = self.0.host.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = ScriptTurn { calls, known, end: ScriptEnd::Parked };
            if host.reply(Reply { turn: Ok(turn), waits: true }) { host.next() } else { None }
        };
        let Some(Next { journal, budget }) = next else { return false };
        self.0.meter.begin_turn(&budget);
        *self.0.journal.lock().unwrap_or_else(PoisonError::into_inner) = Some(journal);
        true
    }

    /// From here on the history may be written.
    fn let_go_of_the_history(&self) {
        drop(self.0.journal.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Gives the last turn.
    pub(crate) fn end(&self, turn: Result<ScriptTurn, Interrupted>) {
        self.let_go_of_the_history();
        // Whoever asked may be gone.
        self.0.host.lock().unwrap_or_else(PoisonError::into_inner).reply(Reply { turn, waits: false });
    }

    /// Runs branches side by side: each as far as it can go. The outcome is there when all of them have ended; then the first
    /// that failed, in their order, fails the whole.
    pub(crate) fn parallel(&self, branches: Vec<(String, Box<dyn FnOnce() -> Evaluated + '_>)>) -> Result<Vec<(String, Dynamic)>, Box<EvalAltResult>> {
        if self.0.meter.is_halted() {
            return halted();
        }
        let (around, key) = {
            let mut turn = self.turn();
            let key = turn.key(None, "parallel");
            (turn.here(), key)
        };
        let mut outputs = Vec::with_capacity(branches.len());
        let (mut failure, mut waiting, mut now) = (None, false, around.now);
        for (name, run) in branches {
            self.turn().branches.push(Branch { path: format!("{key}/{name}/"), now: around.now, parked: false });
            let result = run();
            let (branch, ended) = {
                let mut turn = self.turn();
                let ended = turn.end.is_some();
                (turn.branches.pop(), ended)
            };
            if ended || self.0.meter.was_interrupted() || self.0.meter.was_exhausted() {
                return halted();
            }
            let Some(branch) = branch else { return halted() };
            self.0.meter.halt(false);
            now = now.max(branch.now);
            match result {
                // Whatever the branch gave: it has not come to its end.
                _ if branch.parked => waiting = true,
                Ok(value) => outputs.push((name, convert::detached(value))),
                Err(error) if failure.is_none() => failure = Some(error),
                Err(_) => {}
            }
        }
        let mut turn = self.turn();
        let Some(here) = turn.branches.last_mut() else { return halted() };
        if waiting {
            here.parked = true;
            self.0.meter.halt(true);
            return halted();
        }
        here.now = now;
        failure.map_or(Ok(outputs), Err)
    }

    /// The run's logical time here.
    pub(crate) fn now(&self) -> Timestamp {
        self.turn().here().now
    }

    /// A number from 0 to 1, the same at every turn.
    pub(crate) fn random(&self) -> f64 {
        let key = self.turn().key(None, "random");
        digest::fraction(&[&self.0.seed.to_be_bytes(), key.as_bytes()])
    }

    /// Ends this history; the run goes on in a new one. A moment passes between the two: a script that does nothing else goes
    /// round no faster than that.
    pub(crate) fn continue_as(&self, input: Value) -> Evaluated {
        if self.turn().branches.len() > 1 {
            return thrown("continue_as cannot stand in a branch of parallel; give a value back and call it after");
        }
        let moment = DurableCall::Sleep { length: BETWEEN_HISTORIES.to_owned() };
        self.call(None, CONTINUE_AS, &moment).map(drop)?;
        let mut turn = self.turn();
        turn.end = Some(ScriptEnd::ContinueAs(input));
        self.0.meter.halt(true);
        halted()
    }

    /// What the turn gave; `own` is how the script itself ended.
    pub(crate) fn finish(&self, own: impl FnOnce() -> ScriptEnd) -> ScriptTurn {
        let mut turn = self.turn();
        let parked = turn.here().parked;
        let end = turn.end.take().unwrap_or_else(|| if parked { ScriptEnd::Parked } else { own() });
        ScriptTurn { calls: std::mem::take(&mut turn.calls), known: std::mem::take(&mut turn.known), end }
    }
}

impl Turn {
    fn here(&self) -> Branch {
        self.branches.last().cloned().unwrap_or_else(|| Branch { path: String::new(), now: Timestamp::MIN, parked: true })
    }

    /// The key of a call: branch, id or label, occurrence (SEMANTICS.md 31). An id stands alone the first time.
    fn key(&mut self, id: Option<&str>, label: &str) -> StepPath {
        let path = self.branches.last().map(|branch| branch.path.as_str()).unwrap_or_default();
        let name = format!("{path}{}", id.unwrap_or(label));
        let count = self.occurrences.entry(name.clone()).or_default();
        *count += 1;
        if id.is_some() && *count == 1 { name.into() } else { format!("{name}:{count}").into() }
    }

    fn seen(&mut self, at: Timestamp) {
        if let Some(branch) = self.branches.last_mut() {
            branch.now = branch.now.max(at);
        }
    }
}

/// Ends the evaluation with the error that no script can catch.
fn halted<T>() -> Result<T, Box<EvalAltResult>> {
    Err(Box::new(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE)))
}

/// Throws an error that a script can catch.
pub(crate) fn thrown<T>(message: &str) -> Result<T, Box<EvalAltResult>> {
    failed(&StepError::new(ErrorCode::InvalidInput, message))
}

/// Throws a recorded failure, as scripts catch it: `code`, `message`, `step`, `details`.
fn failed<T>(error: &StepError) -> Result<T, Box<EvalAltResult>> {
    let value = convert::to_dynamic(&error.to_value()).unwrap_or_else(|_| {
        let mut plain = Map::new();
        plain.insert("code".into(), error.code.as_str().into());
        plain.insert("message".into(), error.message.clone().into());
        plain.into()
    });
    Err(Box::new(EvalAltResult::ErrorRuntime(value, Position::NONE)))
}

/// A whole number from `low` to `high`, both included.
pub(crate) fn between(fraction: f64, low: INT, high: INT) -> Option<INT> {
    let count = high.checked_sub(low)?.checked_add(1).filter(|count| *count > 0)?;
    Some(low + ((fraction * count as f64) as INT).min(count - 1))
}
