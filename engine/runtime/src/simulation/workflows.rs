//! The workflows of the simulation: small, and together all that the runtime does.

/// The file of each workflow.
pub(super) const WORKFLOWS: &[&str] = &[
    CHAIN,
    WAIT,
    ANY,
    SINGLE,
    QUEUED,
    RESTART,
    EXIT,
    SPLIT,
    EMIT,
    LOOP,
    FAIL,
    FAILED,
    COLLECT,
    MESSAGES,
    LONG,
    SHARED_A,
    SHARED_B,
    RATED,
    BURST,
    SIDE,
    SAGA,
    PARENT,
    CALLEE,
    NIGHTLY,
    OFTEN,
    super::scripts::SCRIPT,
    super::scripts::LAPS,
];

/// Those that times start: in the end they are taken back, or there would be no end.
pub(super) const SCHEDULED: &[&str] = &["nightly", "often"];

/// Runs of [`SHARED_A`] and [`SHARED_B`] at a time.
pub(super) const SHARED_MAX: usize = 2;
/// Starts of [`RATED`] in [`RATED_PER_MS`].
pub(super) const RATED_MAX: usize = 3;
/// An hour.
pub(super) const RATED_PER_MS: i64 = 3_600_000;

/// A limit that two workflows share; one of them is in a hurry.
const SHARED_A: &str = r#"
name: shared-a
on: [{ event: go.limits }]
key: "{{ event.data.k }}"
limits: { concurrency: { max: 2, shared: desk } }
priority: "{{ 1 if event.data.n > 3 else 5 }}"
steps:
  - { id: a, do: test.call, with: { n: 1 }, on_error: continue }
  - { id: sleep, delay: 40m }
  - { id: b, do: test.count, with: {} }
"#;

const SHARED_B: &str = r#"
name: shared-b
on: [{ event: go.limits, if: event.data.n > 1 }]
key: "{{ event.data.k }}"
mode: queued
limits: { concurrency: { max: 2, shared: desk }, rate: { max: 20, per: 1h } }
priority: 3
steps:
  - { id: sleep, delay: 10m }
"#;

/// Spread over the hours, one of each key at a time.
const RATED: &str = r#"
name: rated
on: [{ event: go.limits }]
key: "{{ event.data.k }}"
mode: queued
limits: { rate: { max: 3, per: 1h, key: all } }
steps:
  - { id: a, do: test.count, with: {} }
  - { id: sleep, delay: 5m }
"#;

/// The last event of a burst starts the run.
const BURST: &str = r#"
name: burst
on: [{ event: go.limits }]
key: "{{ event.data.k }}"
limits: { debounce: { wait: 30m, max_wait: 2h } }
steps:
  - { id: a, do: test.count, with: {} }
"#;

/// External, transactional, pure and at-most-once steps in a row.
const CHAIN: &str = r#"
name: chain
on: [{ event: go.chain }, { manual: {} }]
timeout: 20d
steps:
  - { id: a, do: test.call, with: { n: 1, org: "{{ org.name }}" }, timeout: 30s }
  - { id: b, do: test.count, with: {} }
  - { id: c, do: debug.log, with: { message: "between" } }
  - { id: d, do: test.order, with: { of: "{{ steps.a.of.n }}" }, timeout: 1m, on_error: continue }
  - { id: e, do: test.count, with: {} }
  - { id: f, do: test.send, with: { n: 2 }, timeout: 20s, on_error: continue }
  - { id: g, do: test.pay, with: { n: 3 }, timeout: 20s, on_error: continue }
"#;

/// A wait with a time-out after a delay of days.
const WAIT: &str = r#"
name: wait
on: [{ event: go.wait }]
steps:
  - { id: first, do: test.call, with: { k: "{{ event.data.k }}" }, on_error: continue }
  - { id: answer, wait_for: { event: answer, match: { k: "{{ event.data.k }}" } }, timeout: 1d }
  - if: steps.answer.timed_out
    then:
      - { id: late, do: test.count, with: {} }
    else:
      - { id: thanks, do: test.send, with: { k: "{{ event.data.k }}" }, on_error: continue }
  - { id: sleep, delay: 3d 4h 5s 7ms }
  - { id: done, do: test.count, with: {} }
"#;

/// The first of two events, since the run began.
const ANY: &str = r#"
name: any
on: [{ event: go.any }]
steps:
  - { id: sleep, delay: 90s }
  - id: reply
    wait_for:
      any:
        yes: { event: answer, match: { k: "{{ event.data.k }}" } }
        no: { event: stop, match: { k: "{{ event.data.k }}" }, if: "incoming.data.n > 2" }
      since: run
    timeout: 6h
  - { id: noted, do: test.count, with: {} }
"#;

const SINGLE: &str = r#"
name: single
on: [{ event: go.single }]
key: "{{ event.data.k }}"
mode: single
steps:
  - { id: a, do: test.call, with: { k: "{{ event.data.k }}" }, on_error: continue }
  - { id: sleep, delay: 2h }
  - { id: b, do: test.count, with: {} }
"#;

const QUEUED: &str = r#"
name: queued
on: [{ event: go.queued }]
key: "{{ event.data.k }}"
mode: queued
steps:
  - { id: a, do: test.call, with: { k: "{{ event.data.k }}" }, on_error: continue }
  - { id: sleep, delay: 10m }
  - { id: b, do: test.count, with: {} }
"#;

const RESTART: &str = r#"
name: restart
on: [{ event: go.restart }]
key: "{{ event.data.k }}"
mode: restart
steps:
  - { id: a, do: test.call, with: { k: "{{ event.data.k }}" }, on_error: continue }
  - { id: sleep, delay: 5h }
  - { id: b, do: test.count, with: {} }
"#;

const EXIT: &str = r#"
name: exit
on: [{ event: go.exit }]
exit_on:
  - { event: stop, match: { k: "{{ event.data.k }}" } }
steps:
  - { id: a, do: test.call, with: { k: "{{ event.data.k }}" }, on_error: continue }
  - { id: sleep, delay: 8h }
  - { id: b, do: test.send, with: { n: 4 }, on_error: continue }
  - { id: c, do: test.count, with: {} }
"#;

const SPLIT: &str = r#"
name: split
on: [{ event: go.split }]
key: "{{ event.data.k }}"
steps:
  - id: test
    split:
      variants:
        short: { weight: 50, steps: [{ id: short, do: test.count, with: {} }] }
        long: { weight: 50, steps: [{ id: long, delay: 1h }, { id: counted, do: test.count, with: {} }] }
  - { id: after, do: test.call, with: { variant: "{{ steps.test.variant }}" }, on_error: continue }
"#;

/// Starts chains from within.
const EMIT: &str = r#"
name: emit
on: [{ event: go.emit }]
steps:
  - { id: out, emit: go.chain, with: { k: "{{ event.data.k }}", n: 0 } }
  - { id: answer, emit: answer, with: { k: "{{ event.data.k }}", n: 0 } }
  - { id: b, do: test.count, with: {} }
"#;

/// Triggers itself: ends by the limit on causes in a row.
const LOOP: &str = r#"
name: loop
on: [{ event: go.loop }]
steps:
  - { id: again, emit: go.loop, with: { k: "{{ event.data.k }}", n: 0 } }
"#;

/// Fails for good after attempts.
const FAIL: &str = r"
name: fail
on: [{ event: go.fail }]
steps:
  - { id: flaky, do: debug.flaky, with: { fail_times: 2 }, retry: { max_attempts: 3, initial: 10s } }
  - { id: counted, do: test.count, with: {} }
  - { id: fail, do: debug.fail, with: { code: declined, message: no } }
";

const FAILED: &str = r#"
name: failed
on: [{ event: run.failed }]
steps:
  - { id: noted, do: test.count, with: {} }
  - { id: fail, do: debug.fail, with: { message: "a failure of the one that handles failures" } }
"#;

/// One run for each event that a node emits: what transactional effects are counted by.
const COLLECT: &str = r"
name: collect
on: [{ event: counted }, { event: prepared }, { event: finished }]
steps:
  - { set: { seen: true } }
";

/// At most once, prepared and finished in transactions.
const MESSAGES: &str = r#"
name: messages
on: [{ event: go.messages }]
steps:
  - { id: one, do: test.message, with: { text: "hello {{ event.data.k }}" }, timeout: 1m, on_error: continue }
  - { id: pause, delay: 1d }
  - { id: two, do: test.message, with: { text: "still there?" }, timeout: 1m, on_error: continue }
"#;

/// More transactional steps than one transaction takes.
const LONG: &str = r"
name: long
on: [{ event: go.long }]
steps:
  - { id: s1, do: test.count, with: {} }
  - { id: s2, do: test.count, with: {} }
  - { id: s3, do: debug.log, with: { message: x } }
  - { id: s4, do: test.count, with: {} }
  - { id: s5, do: debug.log, with: { message: x } }
  - { id: s6, do: test.count, with: {} }
  - { id: s7, do: test.count, with: {} }
";

/// Every night, none left out, at a moment of the next half hour.
const NIGHTLY: &str = r"
name: nightly
on: [{ schedule: { cron: 0 3 * * *, missed: run_all, jitter: 30m } }]
steps:
  - { id: a, do: test.call, with: { n: 1 }, on_error: continue }
  - { id: b, do: test.count, with: {} }
";

/// What was missed is made up for once.
const OFTEN: &str = r"
name: often
on: [{ schedule: { cron: 30 */7 * * *, timezone: Europe/Berlin } }]
steps:
  - { id: a, do: test.count, with: {} }
";

/// Types of events that start runs, and the two that waits and exits hear.
pub(super) const EVENTS: &[&str] = &[
    "go.limits",
    "go.limits",
    "go.chain",
    "go.wait",
    "go.any",
    "go.single",
    "go.queued",
    "go.restart",
    "go.exit",
    "go.split",
    "go.emit",
    "go.loop",
    "go.fail",
    "go.messages",
    "go.long",
    "answer",
    "answer",
    "stop",
    "go.side",
    "go.saga",
    "go.parent",
    "go.script",
];

/// Branches side by side, a race, a loop.
const SIDE: &str = r#"
name: side
on: [{ event: go.side }]
steps:
  - id: p
    parallel:
      a:
        - { id: a_call, do: test.call, with: { n: 1 }, on_error: continue }
        - { id: a_count, do: test.count, with: {} }
      b:
        - { id: b_wait, wait_for: { event: answer, match: { k: "{{ event.data.k }}" } }, timeout: 2h }
        - { id: b_count, do: test.count, with: {} }
      c:
        - id: each
          for_each: [1, 2, 3]
          max_parallel: 2
          on_item_error: continue
          steps:
            - { id: c_call, do: test.call, with: { n: "{{ item }}" } }
            - { id: c_count, do: test.count, with: {} }
  - id: race
    join: any
    on_error: continue
    parallel:
      fast: [{ id: fast_call, do: test.call, with: { n: 2 } }, { id: fast_count, do: test.count, with: {} }]
      slow: [{ id: slow_call, do: test.order, with: { n: 3 } }, { id: slow_count, do: test.count, with: {} }]
      time: [{ id: time_delay, delay: 3h }]
  - { id: last, do: test.count, with: {} }
"#;

/// What is caught, what always runs, and what is undone when the run ends badly.
const SAGA: &str = r#"
name: saga
on: [{ event: go.saga }]
timeout: 10d
steps:
  - id: t
    try:
      - { id: book, do: test.call, with: { n: 1 }, compensate: { do: test.count, with: {} } }
      - { id: note, do: test.count, with: {}, compensate: { do: test.call, with: { of: "{{ steps.note }}" } } }
      - { id: bill, do: test.pay, with: { n: 2 }, compensate: { do: test.send, with: { n: 2 } } }
      - { id: rest, delay: 1h }
    catch:
      - { on: [timeout, outcome_unknown], steps: [{ id: caught, do: test.count, with: {} }] }
    finally:
      - { id: always, do: test.count, with: {} }
  - { id: way, if: event.data.n > 3, stop: { status: failed, reason: "it was planned" } }
  - { id: tail, do: test.call, with: { n: 3 } }
"#;

/// Runs that run others.
const PARENT: &str = r#"
name: parent
on: [{ event: go.parent }]
steps:
  - { id: sub, call: callee, with: { k: "{{ event.data.k }}" }, on_error: continue }
  - { id: fire, start: callee, with: { k: "{{ event.data.k }}" }, on_error: continue }
  - { id: last, do: test.count, with: {} }
"#;

pub(super) const CALLEE: &str = r#"
name: callee
on: [{ manual: {} }]
key: "{{ input.k }}"
mode: queued
steps:
  - { id: a, do: test.call, with: { k: "{{ input.k }}" } }
  - { id: nap, delay: 10m }
  - { id: b, do: test.count, with: {} }
  - { id: end, stop: { output: { k: "{{ input.k }}" } } }
"#;
