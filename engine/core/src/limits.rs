//! Every hard limit: its name, unit, reason and one home (SEMANTICS.md 18).

/// Bytes of one event's data that are stored in the row itself.
pub const EVENT_BYTES: usize = 1 << 20;
/// Bytes of one event at the most; above `EVENT_BYTES` it is stored by reference.
pub const EVENT_BYTES_MAX: usize = 10 << 20;
/// Bytes of a webhook body; a larger one is refused with 413 before it is read whole. Meta sends 3 MB at the most.
pub const WEBHOOK_BYTES: usize = 4 << 20;
/// Bytes of a step's output; a larger one is stored truncated with a flag, never an error that repeats the effect.
pub const STEP_OUTPUT_BYTES: usize = 1 << 20;
/// Bytes of everything that expressions of one run can see.
pub const RUN_SCOPE_BYTES: usize = 16 << 20;
/// History entries of one run; then it is paused.
pub const RUN_ENTRIES: u64 = 200_000;
/// Bytes of one run's history; then it is paused.
pub const RUN_HISTORY_BYTES: usize = 256 << 20;
/// Times that one run may be taken up again after it failed; then it can be forked. Each is a copy of its state in a recovery.
pub const RUN_REOPENS: u32 = 100;
/// Entries of a run that can be copied: a fork is one commit.
pub const FORK_ENTRIES: usize = 20_000;
/// Bytes of a run's key; a longer one is replaced by its hash.
pub const KEY_BYTES: usize = 256;
/// Payloads above this many bytes lie apart from their history entry (SEMANTICS.md 17).
pub const INLINE_PAYLOAD_BYTES: usize = 4 << 10;
/// Bytes of one workflow file; hostile files are refused before parsing.
pub const DEFINITION_BYTES: usize = 1 << 20;
/// Levels of nesting in a workflow file.
pub const DEFINITION_DEPTH: usize = 64;
/// Nodes in the YAML tree of a workflow file, aliases expanded.
pub const DEFINITION_NODES: usize = 50_000;
/// Steps in one workflow.
pub const DEFINITION_STEPS: usize = 2_000;
/// Levels of nesting in JSON that comes from outside.
pub const JSON_DEPTH: usize = 64;
/// Branches of one `parallel`.
pub const PARALLEL_BRANCHES: usize = 50;
/// Items of one `for_each` at a time.
pub const PARALLEL_ITEMS: usize = 100;
/// Items of one `for_each`.
pub const LOOP_ITEMS: usize = 100_000;
/// Items whose outputs a `for_each` gives as a list; above it gives their number and a reference.
pub const LOOP_OUTPUTS: usize = 1_000;
/// Passes of one `repeat` at the most.
pub const LOOP_PASSES: u64 = 100_000;
/// Passes of one `repeat` without `max`.
pub const LOOP_PASSES_DEFAULT: u64 = 1_000;
/// Instructions that one expression may spend.
pub const EXPRESSION_FUEL: u64 = 100_000;
/// Bytes of one text with code in it (a message, an e-mail).
pub const EXPRESSION_TEXT_BYTES: usize = 64 << 10;
/// Bytes of data that one evaluation may copy or join; an instruction alone can be arbitrarily heavy.
pub const EXPRESSION_MOVED_BYTES: usize = 16 << 20;
/// Bytes of one rendered text.
pub const EXPRESSION_OUTPUT_BYTES: usize = 1 << 20;
/// Paths of one `match`.
pub const MATCH_PATHS: usize = 4;
/// Causes in a row before a start is held and reported (SEMANTICS.md 13).
pub const EVENT_DEPTH: u16 = 16;
/// Targets of one event that share its commit; the rest follows in batches (SEMANTICS.md 13).
pub const FAN_OUT_TARGETS: usize = 200;
/// Events in one `POST /events`.
pub const EVENTS_PER_REQUEST: usize = 1_000;
/// Days for which an event's identity is remembered.
pub const DEDUPE_DAYS: i64 = 90;
/// Days for which a run is kept after its end, where its organisation says nothing else.
pub const RETENTION_DAYS: u32 = 30;
/// Days for which events are kept: as long as their identity.
pub const EVENT_DAYS: i64 = DEDUPE_DAYS;
/// Days for which events of awaited types can still be found by a wait.
pub const CORRELATION_DAYS: i64 = 30;
/// Bytes of disk that intake leaves alone: what was admitted must be able to end, and somebody must be able to clean up
/// (SEMANTICS.md 32).
pub const DISK_RESERVE_BYTES: u64 = 256 << 20;
/// Held starts of one key.
pub const HELD_STARTS_PER_KEY: u64 = 100_000;
/// Held starts of one organisation.
pub const HELD_STARTS_PER_ORGANISATION: u64 = 1_000_000;
/// Milliseconds that external calls in flight get to settle when a run ends (SEMANTICS.md 25).
pub const SETTLE_MS: i64 = 30_000;
/// Operations of a script between two durable calls, or of a `script:` step: an endless loop ends here.
pub const SCRIPT_OPERATIONS: u64 = 200_000;
/// Milliseconds that the host lets a script compute to come from its beginning to where its history ends: up to
/// [`SCRIPT_CALLS`] recorded calls are made again meanwhile.
pub const SCRIPT_TURN_COMPUTED_MS: u64 = 800;
/// Milliseconds that the host lets a script compute between two durable calls: the net behind `SCRIPT_OPERATIONS`, for
/// single operations that are heavy. Reaching it is no outcome: the run is paused, and goes on when it is resumed.
pub const SCRIPT_COMPUTED_MS: u64 = 250;
/// Bytes of everything that a script holds in its variables.
pub const SCRIPT_BYTES: usize = 16 << 20;
/// Bytes of one text in a script.
pub const SCRIPT_TEXT_BYTES: usize = 1 << 20;
/// Elements of one list or map in a script, those inside them included: also bounds how deep they nest.
pub const SCRIPT_ELEMENTS: usize = 20_000;
/// Levels of nesting in a value that leaves a script.
pub const SCRIPT_VALUE_DEPTH: usize = JSON_DEPTH;
/// Calls of functions within each other in a script.
pub const SCRIPT_CALL_DEPTH: usize = 64;
/// Levels of nesting of an expression in a script.
pub const SCRIPT_EXPRESSION_DEPTH: usize = 64;
/// Variables of a script at once.
pub const SCRIPT_VARIABLES: usize = 1_000;
/// Bytes of stack for a script: what the depths above can need, with room to spare.
pub const SCRIPT_STACK_BYTES: usize = 64 << 20;
/// Durable calls of one run of a script; then it must `continue_as` (SEMANTICS.md 31).
pub const SCRIPT_CALLS: usize = 10_000;
/// Scripts of a process that stand where they wait, each on a thread of its own; the others are run again from their
/// beginning. A thread costs what its script holds (some hundred KiB, [`SCRIPT_BYTES`] at the most): as many as are busy at once
/// on a few cores, and no more than a server can spare.
pub const SCRIPTS_STANDING: usize = 64;
/// Durable calls of a run whose script may stand where it waits: a shorter history is read again faster than a thread is kept.
pub const SCRIPT_CALLS_STANDING: usize = 16;
/// Milliseconds after which a script that stands lets its thread go: what goes on sooner is at work, and what does not sleeps, and
/// sleeping costs no thread.
pub const SCRIPT_STANDING_MS: u64 = 10_000;
/// Cases of one test file.
pub const TEST_CASES: usize = 1_000;
/// Turns of the machine in one play in virtual time (a test case, one synthetic contact): a loop without an end stops here.
pub const PLAY_TURNS: u64 = 50_000;
/// Synthetic contacts of one simulation.
pub const SIMULATED_CONTACTS: u64 = 1_000_000;
/// Synthetic contacts of one simulation that is asked for through the API.
pub const SIMULATED_CONTACTS_REMOTE: u64 = 10_000;
/// Milliseconds by which `jitter` may move a schedule.
pub const SCHEDULE_JITTER_MS: i64 = 86_400_000;
/// Milliseconds after which a due time of a schedule counts as missed though a server was there (it was suspended, or its clock
/// was set): the policy `missed` decides from then on.
pub const SCHEDULE_LATE_MS: i64 = 60_000;
/// Missed due times of one schedule that `missed: run_all` makes up for; older ones are left out and reported. Sixteen hours of
/// every minute.
pub const SCHEDULE_CATCH_UP: usize = 1_000;
/// Due times of one schedule, or contacts of one due time, that share a commit.
pub const SCHEDULE_PAGE: usize = 200;
/// Due times of one backfill.
pub const BACKFILL_TIMES: usize = 1_000;
/// Milliseconds for which a webhook with `respond: finished` waits for the end of its run; most senders give up after 30 s.
pub const WEBHOOK_FINISH_MS: i64 = 25_000;
