//! Every verb, and every durable function of scripts, in each kind of trouble: a table.
//!
//! | column | what happens at every turn of the row's run |
//! | --- | --- |
//! | crashed before the commit | what was decided is lost; decided again, it is the same |
//! | crashed after the commit | the state is folded from the history; the run comes to the same end |
//! | repeated | what was delivered is delivered once more; nothing comes of it |
//! | late | it all comes again when the run has ended; nothing comes of it |
//! | cancelled | the run is cancelled instead; it ends as cancelled, cleaned up, whatever still comes |
//! | timed out | the run's time is over instead; it fails with `timeout`, cleaned up |

use super::{
    files::workflow,
    machine::{organisation, run_id},
};
use onward_core::{
    ErrorCode, Event, EventId, NewEvent, Shard, StepError, Timestamp,
    definition::Workflow,
    history::{ChildOutcome, Entry},
    machine::{Context, Happening, Known, Need, RUN_TIMER, SETTLE_TIMER, Start, State, decide, fold_all, replay},
    ports::{Outcome, RunStatus},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const BEGAN: i64 = 1_800_000_000_000;

/// A verb in a run of its own.
struct Row {
    verb: &'static str,
    /// Steps, or a script's text.
    source: &'static str,
    /// Steps whose calls fail.
    fails: &'static [&'static str],
    /// Nobody writes and nobody answers: timers decide.
    silent: bool,
    ends: RunStatus,
    /// Kinds of entries that must be there.
    leaves: &'static [&'static str],
}

const fn row(verb: &'static str, source: &'static str, leaves: &'static [&'static str]) -> Row {
    Row { verb, source, fails: &[], silent: false, ends: RunStatus::Completed, leaves }
}

const TABLE: &[Row] = &[
    row("do", "- { id: a, do: debug.echo, with: { n: 1 } }", &["step_completed"]),
    Row { ends: RunStatus::Failed, fails: &["a"], ..row("do that fails", "- { id: a, do: debug.echo, with: { n: 1 } }", &["step_failed"]) },
    Row { fails: &["a"], ..row("on_error", "- { id: a, do: debug.echo, with: { n: 1 }, on_error: continue }", &["step_failed"]) },
    row("if", "- { if: input.n == 1, then: [{ do: debug.echo }], else: [{ set: { x: 1 } }] }", &["branch_taken", "step_completed"]),
    row("choose", "- choose: [{ if: input.n > 5, steps: [{ set: { x: 1 } }] }, { else: [{ do: debug.echo }] }]", &["branch_taken", "step_completed"]),
    row("split", "- { id: ab, split: { variants: { a: 1, b: { weight: 1, steps: [{ do: debug.echo }] } } } }\n- do: debug.echo", &["variant_chosen"]),
    row("delay", "- { delay: 2h }", &["timer_set", "timer_fired"]),
    row("delay until", "- { delay: { until: tomorrow 09:30, within: { days: mon-fri, from: \"09:00\", to: \"18:00\" } } }", &["timer_fired"]),
    row("wait_for", "- { id: w, wait_for: { event: message.received, match: any }, timeout: 4h }", &["event_consumed", "wait_resolved"]),
    Row { silent: true, ..row("wait_for in silence", "- { id: w, wait_for: { event: message.received, match: any }, timeout: 4h }", &["wait_timed_out"]) },
    row(
        "wait_for any",
        "- { id: w, wait_for: { any: { a: { event: order.paid, match: any }, b: { event: message.received, match: any } } }, timeout: 4h }",
        &["wait_resolved"],
    ),
    row("parallel", "- parallel: { a: [{ do: debug.echo }, { delay: 1h }], b: [{ do: debug.echo }] }", &["timer_fired"]),
    row("parallel, the first", "- { join: any, parallel: { a: [{ do: debug.echo }], b: [{ delay: 1h }] } }", &["step_cancelled"]),
    row("parallel, two", "- { join: 2, parallel: { a: [{ do: debug.echo }], b: [{ do: debug.echo }], c: [{ do: debug.echo }] } }", &["step_cancelled"]),
    row("for_each", "- { for_each: [x, y, z], max_parallel: 2, steps: [{ id: c, do: debug.echo, with: { item: \"{{ item }}\" } }] }", &["iteration_started"]),
    Row {
        fails: &["c#2"],
        ..row("for_each, one fails", "- { for_each: [x, y], on_item_error: continue, steps: [{ id: c, do: debug.echo }] }", &["step_failed"])
    },
    row("repeat", "- { repeat: { times: 2, steps: [{ do: debug.echo }, { delay: 1h }] } }", &["iteration_started", "timer_fired"]),
    row("call", "- { id: sub, call: other-flow, with: { n: 1 } }", &["child_started", "child_ended"]),
    row("start", "- { id: sub, start: other-flow, with: { n: 1 } }", &["child_started", "step_completed"]),
    row("emit", "- { emit: it.happened, with: { n: 1 } }\n- do: debug.echo", &["event_emitted"]),
    row("set", "- { set: { x: \"{{ input.n }}\" } }\n- do: debug.echo", &["vars_set"]),
    row("script", "- { id: s, script: \"input.n + 1\" }\n- do: debug.echo", &["step_completed"]),
    Row {
        fails: &["bad"],
        ..row(
            "try",
            "- try: [{ id: bad, do: debug.echo }]\n  catch: [{ steps: [{ do: debug.echo }] }]\n  finally: [{ do: debug.echo }, { delay: 1h }]",
            &["branch_taken", "timer_fired"],
        )
    },
    Row {
        ends: RunStatus::Failed,
        fails: &["bad"],
        ..row(
            "compensate",
            "- { id: a, do: debug.echo, compensate: { do: debug.echo, with: { undo: a } } }\n- { id: bad, do: debug.echo }",
            &["compensation_started"],
        )
    },
    row("ask", "- { id: q, ask: { who: { role: manager }, title: Go on?, remind_every: 1h }, timeout: 3h }", &["ask_opened", "ask_answered"]),
    Row {
        silent: true,
        ..row("ask in silence", "- { id: q, ask: { who: { role: manager }, title: Go on?, remind_every: 1h }, timeout: 3h }", &["wait_timed_out"])
    },
    row("stop", "- { parallel: { a: [{ do: debug.echo }, { stop: { output: 1 } }], b: [{ delay: 9h }] } }", &["step_cancelled"]),
    row("script: step", "let a = step(\"debug.echo\", #{ n: 1 }); a.n", &["step_completed"]),
    Row {
        fails: &["a"],
        ..row("script: try", "try { step(\"a\", \"debug.echo\", #{}); } catch (e) { sleep(\"1h\"); e.code }", &["step_failed", "timer_fired"])
    },
    row("script: sleep", "sleep(\"1h\"); sleep_until(\"tomorrow 09:30\"); 1", &["timer_fired"]),
    row("script: wait_for", "let r = wait_for(\"message.received\", \"any\", \"2h\"); r.data.n", &["wait_resolved"]),
    Row { silent: true, ..row("script: wait_for in silence", "wait_for(\"message.received\", \"any\", \"2h\") == ()", &["wait_timed_out"]) },
    row("script: split", "let v = split(\"ab\", #{ a: 1, b: 1 }); step(\"debug.echo\", #{ n: 1 }); v", &["variant_chosen"]),
    row("script: parallel", "parallel([|| { step(\"debug.echo\"); 1 }, || { sleep(\"1h\"); 2 }])", &["timer_fired"]),
    row("script: call", "call(\"other-flow\", #{ n: 1 })", &["child_ended"]),
    row("script: start", "start(\"other-flow\", #{ n: 1 })", &["step_completed"]),
    row("script: emit, log", "emit(\"it.happened\", #{ n: 1 }); log(\"x\"); step(\"debug.echo\")", &["event_emitted"]),
    row("script: ask", "ask(#{ who: #{ role: \"manager\" }, title: \"Go on?\" })", &["ask_answered"]),
    row("script: continue_as", "step(\"debug.echo\"); continue_as(#{ n: 2 })", &["run_completed"]),
];

#[derive(Clone)]
struct Walk {
    workflow: Arc<Workflow>,
    state: State,
    history: Vec<Entry>,
    now: i64,
    /// What was delivered, in order.
    delivered: Vec<Happening>,
}

impl Walk {
    fn begin(row: &Row) -> Self {
        let header = "name: verb\non: [{ event: go }]\ntimeout: 100h\n";
        let source = if row.source.starts_with('-') {
            format!("{header}steps:\n  {}\n", row.source.replace('\n', "\n  "))
        } else {
            let header: Vec<String> = header.lines().map(|line| format!("//! {line}")).collect();
            format!("{}\n{}", header.join("\n"), row.source)
        };
        let workflow = Arc::new(workflow(&source));
        let mut walk = Self { workflow, state: State::new(run_id()), history: Vec::new(), now: BEGAN, delivered: Vec::new() };
        walk.happen(Happening::Started(Start {
            version: 1,
            key: "k".into(),
            trigger: Some(0),
            input: json!({ "n": 1 }),
            event: json!({ "type": "go", "data": {} }),
            event_id: None,
            seed: 5,
            depth: 0,
            parent: None,
            reads: BTreeMap::new(),
        }));
        walk
    }

    fn happen(&mut self, happening: Happening) {
        let mut known = Known::default();
        let mut next = happening.clone();
        loop {
            let context = Context { organisation: organisation(), now: Timestamp::from_millis(self.now), known: &known, timezone: "UTC" };
            let decision = decide(&self.workflow, &mut self.state, next, &context);
            self.history.extend(decision.entries);
            match decision.need {
                None => break,
                Some(Need::Variant { step, proposal, .. }) => drop(known.variants.insert(step, (proposal, false))),
                Some(Need::Records(asked)) => known.records.extend(asked.into_iter().map(|record| (record.name, json!({})))),
            }
            next = Happening::Continue;
        }
        self.delivered.push(happening);
    }

    /// What the world does next; moves the clock where that is a timer. `None`: nothing will ever come.
    fn next(&mut self, row: &Row) -> Option<Happening> {
        if let Some(call) = self.state.in_flight().into_iter().next() {
            let failed = row.fails.iter().any(|step| **step == *call.step);
            let outcome = if failed { Outcome::Failed { error: StepError::new(ErrorCode::InvalidInput, "no") } } else { Outcome::done(json!({ "n": 1 })) };
            return Some(Happening::StepEnded { step: call.step, attempt: call.attempt, outcome });
        }
        if let Some(child) = self.state.children().into_iter().next() {
            let told = self.delivered.iter().any(|told| matches!(told, Happening::ChildStarted { step } if *step == child.step));
            let outcome = ChildOutcome::Completed { output: json!({ "n": 1 }) };
            return Some(if told {
                Happening::ChildEnded { step: child.step, run_id: child.run_id, outcome }
            } else {
                Happening::ChildStarted { step: child.step }
            });
        }
        if let Some((path, which, kind)) = self.state.open_waits().first().filter(|_| !row.silent) {
            let body = NewEvent::new(organisation(), *kind, "/test", json!({ "n": 1 }));
            let event_id = EventId(format!("00000000-0000-7000-8000-{:012}", self.history.len()).parse().expect("a UUID"));
            let event = Arc::new(Event { event_id, taken_in_at: Timestamp::from_millis(self.now), body });
            return Some(Happening::Event { target: path.to_string(), which: (*which).to_owned(), event });
        }
        if let Some((step, _)) = self.state.questions().first().filter(|_| !row.silent) {
            return Some(Happening::Answered { step: Arc::clone(step), answer: json!("approve"), by: "u1".into() });
        }
        // Nothing is on its way: the time that it would get to settle means nothing.
        let timers = self.state.timers().into_iter().filter(|(key, _)| key != SETTLE_TIMER);
        let (key, due) = timers.min_by_key(|(_, due)| *due)?;
        self.now = self.now.max(due.as_millis());
        Some(Happening::Due { key })
    }

    /// To the end of the run, and each state on the way.
    fn walked_to_the_end(mut self, row: &Row, mut at_each: impl FnMut(&mut Self, &Happening)) -> Self {
        for _ in 0..200 {
            if self.state.status.is_final() {
                self.check(row);
                return self;
            }
            let next = self.next(row).unwrap_or_else(|| panic!("{}: the run is stuck\n{}", row.verb, self.told()));
            at_each(&mut self, &next);
            self.happen(next);
        }
        panic!("{}: the run never ends\n{}", row.verb, self.told());
    }

    fn check(&self, row: &Row) {
        let folded = self.folded(row);
        assert_eq!(folded.row(organisation(), Shard(0)), self.state.row(organisation(), Shard(0)), "{}", row.verb);
        let report = replay(&*self.workflow, organisation(), run_id(), &self.history);
        assert!(report.same, "{}: {report:#?}\n{}", row.verb, self.told());
    }

    fn folded(&self, row: &Row) -> State {
        fold_all(&self.workflow, run_id(), &self.history).unwrap_or_else(|error| panic!("{}: {error}\n{}", row.verb, self.told()))
    }

    /// Whether what it did is undone already: then nothing changes its end any more (SEMANTICS.md 25).
    fn is_ending(&self) -> bool {
        self.history.iter().any(|entry| entry.fact.kind() == "compensation_started")
    }

    fn told(&self) -> String {
        let line = |entry: &Entry| format!("{} {} {}", entry.seq, entry.fact.kind(), entry.step.as_deref().unwrap_or("-"));
        self.history.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn every_verb_stands_every_trouble() {
    for row in TABLE {
        let verb = row.verb;
        let plain = Walk::begin(row).walked_to_the_end(row, |_, _| {});
        assert_eq!(plain.state.status, row.ends, "{verb}\n{}", plain.told());
        let left: BTreeSet<&str> = plain.history.iter().map(|entry| entry.fact.kind()).collect();
        assert!(row.leaves.iter().all(|kind| left.contains(kind)), "{verb}: {left:?}");

        let lost = Walk::begin(row).walked_to_the_end(row, |walk, next| {
            let (mut once, mut again) = (walk.clone(), walk.clone());
            once.happen(next.clone());
            again.state = walk.folded(row);
            again.happen(next.clone());
            assert_eq!(once.history, again.history, "{verb}: crashed before the commit of {next:?}");
        });
        assert_eq!(lost.history, plain.history, "{verb}: crashed before commits");

        let restarted = Walk::begin(row).walked_to_the_end(row, |walk, next| {
            walk.state = walk.folded(row);
            let entries = walk.history.len();
            walk.happen(Happening::Continue);
            assert_eq!(walk.history.len(), entries, "{verb}: being taken up before {next:?} decides nothing");
        });
        assert_eq!(restarted.history, plain.history, "{verb}: crashed after commits");

        let repeated = Walk::begin(row).walked_to_the_end(row, |walk, next| {
            // It comes again right away, before the clock goes on to what is next.
            let now = std::mem::replace(&mut walk.now, walk.state.at.as_millis());
            for before in walk.delivered.clone() {
                let entries = walk.history.len();
                walk.happen(before.clone());
                walk.delivered.pop();
                assert_eq!(walk.history.len(), entries, "{verb}: {before:?} came again before {next:?}\n{}", walk.told());
            }
            walk.now = now;
        });
        assert_eq!(repeated.history, plain.history, "{verb}: repeated");

        let mut late = plain.clone();
        for before in &plain.delivered {
            late.happen(before.clone());
        }
        assert_eq!(late.history, plain.history, "{verb}: late");

        Walk::begin(row).walked_to_the_end(row, |walk, next| {
            if walk.is_ending() {
                return;
            }
            let mut cancelled = walk.clone();
            cancelled.happen(Happening::Cancel { by: "admin".into(), reason: None, force: false });
            // What was on its way comes all the same.
            cancelled.happen(next.clone());
            let cancelled = cancelled.walked_to_the_end(row, |_, _| {});
            assert_eq!(cancelled.state.status, RunStatus::Cancelled, "{verb}: cancelled before {next:?}\n{}", cancelled.told());
            assert!(cancelled.state.open_waits().is_empty() && cancelled.state.children().is_empty() && cancelled.state.timers().is_empty());
        });

        Walk::begin(row).walked_to_the_end(row, |walk, next| {
            if walk.is_ending() {
                return;
            }
            let mut over = walk.clone();
            over.now = BEGAN + 100 * 3_600_000;
            over.happen(Happening::Due { key: RUN_TIMER.into() });
            over.happen(next.clone());
            let over = over.walked_to_the_end(row, |_, _| {});
            let code = over.state.error.as_ref().map(|error| error.code.clone());
            assert_eq!((over.state.status, code), (RunStatus::Failed, Some(ErrorCode::Timeout)), "{verb}: timed out before {next:?}\n{}", over.told());
        });
    }
}
