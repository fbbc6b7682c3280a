//! Scripts that go on from where they stand give what they give from their beginning.

use super::journal::{Book, Recorded, Run};
use crate::{program::compile_with, standing::Held};
use onward_core::{
    Timestamp, Value, limits,
    ports::{Answer, DurableCall, Journal, ScriptBudget, ScriptEnd, ScriptStanding},
};
use serde_json::json;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A journal that counts how often it is asked.
struct Counting(Book, Arc<AtomicU64>);

impl Journal for Counting {
    fn answer(&self, key: &str, call: &DurableCall) -> Answer {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.answer(key, call)
    }
}

/// A run that keeps its standing.
struct Standing {
    run: Run,
    stands: ScriptStanding,
    asked: Arc<AtomicU64>,
}

impl Standing {
    fn new(source: &str) -> Self {
        Self { run: Run::new(source), stands: ScriptStanding::default(), asked: Arc::default() }
    }

    /// One turn, after which everything that was called has its outcome; how it ended.
    fn turn(&mut self, outcome: impl Fn(&str) -> Value) -> ScriptEnd {
        let journal = Arc::new(Counting(self.run.book.clone(), Arc::clone(&self.asked)));
        let turn = self.run.program.advance(&self.run.start, journal, &mut self.stands, &ScriptBudget::unlimited()).expect("not interrupted");
        assert_eq!(turn.known.len(), self.run.book.0.len(), "it knows all that is recorded");
        for (key, call) in turn.calls {
            self.run.now += 1_000;
            let outcome = Some((Ok(outcome(&key)), Timestamp::from_millis(self.run.now)));
            assert!(self.run.book.0.insert(key.to_string(), Recorded { call, outcome }).is_none(), "{key} was made before");
        }
        turn.end
    }

    fn finish(mut self) -> ScriptEnd {
        loop {
            match self.turn(|key| key.into()) {
                ScriptEnd::Parked => {}
                end => return end,
            }
        }
    }
}

const SUM: &str = "let seen = []; for i in 0..6 { log(`${i}`); seen.push(step(`s${i}`, \"x\")); } #{ seen: seen, at: now(), chance: random() }";

#[test]
fn a_long_run_costs_its_calls_and_not_their_square() {
    let mut play = Standing::new("for i in 0..500 { step(\"x\", #{ i: i }); } 1");
    let asked = Arc::clone(&play.asked);
    while play.turn(|_| Value::Null) == ScriptEnd::Parked {}
    assert!(asked.load(Ordering::Relaxed) <= 1_001, "asked {} times", asked.load(Ordering::Relaxed));
}

#[test]
fn a_thread_that_nobody_asks_ends_and_its_run_goes_on_from_its_beginning() {
    let expected = Standing::new(SUM).finish();
    let impatient = |patience| {
        let mut play = Standing::new(SUM);
        play.run.program = Arc::new(compile_with(SUM, patience).expect("it compiles"));
        play
    };
    let mut play = impatient(Duration::from_millis(1));
    while play.stands.0.is_none() {
        assert_eq!(play.turn(|key| key.into()), ScriptEnd::Parked);
    }
    let place = Arc::clone(play.stands.0.as_ref().expect("it stands"));
    let place = place.downcast::<Mutex<Option<Held>>>().expect("our own");
    let nothing_more = place.lock().unwrap().as_ref().expect("it stands").from.recv();
    assert!(nothing_more.is_err(), "the thread has ended, and nobody told it to");
    let before = play.asked.load(Ordering::Relaxed);
    assert_eq!(play.turn(|key| key.into()), ScriptEnd::Parked);
    assert!(play.asked.load(Ordering::Relaxed) >= before + 3, "its calls are made again");
    assert_eq!(play.finish(), expected);
    // However late it ends: whoever asks at that very moment gets the same.
    for _ in 0..50 {
        assert_eq!(impatient(Duration::ZERO).finish(), expected);
    }
}

#[test]
fn more_scripts_than_threads_all_come_to_their_end() {
    let expected = Standing::new(SUM).finish();
    let mut plays: Vec<Standing> = (0..2 * limits::SCRIPTS_STANDING).map(|_| Standing::new(SUM)).collect();
    for _ in 0..6 {
        for play in &mut plays {
            assert_eq!(play.turn(|key| key.into()), ScriptEnd::Parked);
        }
    }
    for mut play in plays {
        assert_eq!(play.turn(|key| key.into()), expected);
    }
}

#[test]
fn copies_of_a_run_go_their_own_ways() {
    let mut one = Standing::new("let a = step(\"a\", \"x\"); let b = step(\"b\", \"x\"); [a, b]");
    assert_eq!(one.turn(|_| json!(1)), ScriptEnd::Parked);
    let mut other = Standing::new("let a = step(\"a\", \"x\"); let b = step(\"b\", \"x\"); [a, b]");
    other.run.program = Arc::clone(&one.run.program);
    other.run.book = one.run.book.clone();
    other.stands = one.stands.clone();
    assert_eq!(other.turn(|_| json!(3)), ScriptEnd::Parked);
    assert_eq!(one.turn(|_| json!(2)), ScriptEnd::Parked);
    assert_eq!((one.turn(|_| Value::Null), other.turn(|_| Value::Null)), (ScriptEnd::Finished(json!([1, 2])), ScriptEnd::Finished(json!([1, 3]))));
}

#[test]
fn another_script_begins_at_its_beginning() {
    let mut play = Standing::new("step(\"a\", \"x\"); step(\"b\", \"x\"); 1");
    assert_eq!(play.turn(|_| Value::Null), ScriptEnd::Parked);
    play.run.program = Run::new("step(\"a\", \"x\"); 2").program;
    assert_eq!(play.turn(|_| Value::Null), ScriptEnd::Finished(json!(2)));
}
