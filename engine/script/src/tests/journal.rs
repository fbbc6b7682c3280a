//! A run of a program without the machine: a journal in memory, and outcomes that come when the test says.

use crate::Rhai;
use onward_core::{
    StepError, Timestamp, Value,
    ports::{Answer, DurableCall, Journal, ScriptBudget, ScriptEnd, ScriptProgram, ScriptStanding, ScriptStart, ScriptTurn, Scripts},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// What is recorded of one call.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) call: DurableCall,
    pub(super) outcome: Option<(Result<Value, StepError>, Timestamp)>,
}

/// What is recorded of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(pub(super) BTreeMap<String, Recorded>);

impl Journal for Book {
    fn answer(&self, key: &str, call: &DurableCall) -> Answer {
        match self.0.get(key) {
            None => Answer::New,
            Some(recorded) if recorded.call != *call => Answer::Mismatch(format!("{key} was another call")),
            Some(Recorded { outcome: None, .. }) => Answer::Pending,
            Some(Recorded { outcome: Some((Ok(value), at)), .. }) => Answer::Done { value: Arc::new(value.clone()), at: *at },
            Some(Recorded { outcome: Some((Err(error), at)), .. }) => Answer::Failed { error: error.clone(), at: *at },
        }
    }
}

/// A run under way.
pub(super) struct Run {
    pub(super) program: Arc<dyn ScriptProgram>,
    pub(super) start: ScriptStart,
    pub(super) book: Book,
    /// Every call, in the order in which they were made.
    pub(super) made: Vec<(String, DurableCall)>,
    pub(super) now: i64,
}

impl Run {
    pub(super) fn new(source: &str) -> Self {
        let program = Rhai.compile_program(source).unwrap_or_else(|problems| panic!("{problems:?}\n{source}"));
        let start = ScriptStart {
            event: Arc::new(json!({ "type": "trial.started", "data": { "contact_id": "c1" } })),
            input: Arc::new(json!({ "n": 3 })),
            vars: Arc::default(),
            run: Arc::new(json!({ "id": "r1" })),
            started_at: Timestamp::from_millis(0),
            seed: 7,
        };
        Self { program, start, book: Book::default(), made: Vec::new(), now: 0 }
    }

    /// One turn; what is called for the first time is recorded as made.
    pub(super) fn turn(&mut self) -> ScriptTurn {
        let turn = self
            .program
            .advance(&self.start, Arc::new(self.book.clone()), &mut ScriptStanding::default(), &ScriptBudget::unlimited())
            .expect("not interrupted");
        for (key, call) in &turn.calls {
            let before = self.book.0.insert(key.to_string(), Recorded { call: call.clone(), outcome: None });
            assert!(before.is_none(), "{key} is new and was recorded before");
            self.made.push((key.to_string(), call.clone()));
        }
        turn
    }

    /// Keys of the calls without outcome.
    pub(super) fn pending(&self) -> Vec<String> {
        self.book.0.iter().filter(|(_, recorded)| recorded.outcome.is_none()).map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn answer(&mut self, key: &str, outcome: Result<Value, StepError>) {
        self.now += 1_000;
        let recorded = self.book.0.get_mut(key).unwrap_or_else(|| panic!("{key} was never called"));
        recorded.outcome = Some((outcome, Timestamp::from_millis(self.now)));
    }

    /// Runs to the end; `choose` picks which pending call gets its outcome next, `outcome` gives it.
    pub(super) fn finish(&mut self, mut choose: impl FnMut(&[String]) -> usize, outcome: impl Fn(&str, &DurableCall) -> Result<Value, StepError>) -> ScriptEnd {
        loop {
            let turn = self.turn();
            if turn.end != ScriptEnd::Parked {
                return turn.end;
            }
            let pending = self.pending();
            assert!(!pending.is_empty(), "parked for nothing");
            let key = pending[choose(&pending) % pending.len()].clone();
            let call = self.book.0[&key].call.clone();
            self.answer(&key, outcome(&key, &call));
        }
    }
}
