//! The simulation: the whole runtime on a virtual clock, a seeded executor and a store that fails, with random workflows,
//! events, duplicates, delays and crashes; then DESIGN.md's promises are checked against what is stored and against the
//! outside's own ledger.
//!
//! `ONWARD_SIM_SEEDS=10000 cargo test -p onward-runtime simulation` plays more seeds,
//! `ONWARD_SIM_FROM=5000` from another one on; `ONWARD_SIM_SEED=7` plays one.

mod ahead;
mod behind;
mod calling;
mod checkpoints;
mod checks;
mod commands;
mod company;
pub(crate) mod compiled;
mod contention;
mod driver;
mod flow_control;
mod migration;
mod nodes;
mod pausing;
pub(crate) mod plants;
mod repairing;
mod rollout;
mod scenarios;
mod schedules;
mod scripts;
mod sharing;
mod taking_over;
mod workflows;
mod world;

use crate::config::Plant;
use driver::play;
use onward_core::ports::Credentials;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// For unit tests of what carries a step's context.
pub(crate) fn no_credentials() -> std::sync::Arc<dyn Credentials> {
    std::sync::Arc::new(world::Nothing)
}

/// Seeds in the ordinary test run.
const SEEDS: u64 = 1_000;
/// Seeds among which a planted mistake must be found.
const SEEDS_FOR_A_PLANT: u64 = 400;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn the_promises_hold_for_every_seed() {
    // One of them, or so many from one on.
    let (first, count) = match number("ONWARD_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (number("ONWARD_SIM_FROM").unwrap_or(1), number("ONWARD_SIM_SEEDS").unwrap_or(SEEDS)),
    };
    let seeds = first..=first - 1 + count;
    let next = AtomicU64::new(*seeds.start());
    let broken = AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() || broken.load(Ordering::Relaxed) {
                        break;
                    }
                    if seed > *seeds.start() && seed.is_multiple_of(SEEDS) {
                        eprintln!("seed {seed}: every one before it is well, or being played");
                    }
                    if let Err(reason) = played(seed, None) {
                        broken.store(true, Ordering::Relaxed);
                        panic!("seed {seed}: {reason}\nplay it again: ONWARD_SIM_SEED={seed} cargo test -p onward-runtime simulation::the_promises");
                    }
                }
            });
        }
    });
}

#[test]
fn the_same_seed_plays_the_same() {
    // Alone, in company, and in company with a database whose clock is set.
    for seed in [3, 4, 5, 8] {
        let (first, again) = (play(seed, None).expect("it holds"), play(seed, None).expect("it holds"));
        let differs = first.lines().zip(again.lines()).find(|(first, again)| first != again);
        assert!(first == again, "seed {seed} played another way: {differs:?}");
        assert!(first.lines().count() > 20, "a trace of nothing: {first}");
    }
    assert_ne!(play(3, None), play(6, None), "the trace tells two plays apart");
}

/// A play in which a check that fails on the way is a finding, too.
fn played(seed: u64, plant: Option<Plant>) -> Result<String, String> {
    std::panic::catch_unwind(|| play(seed, plant)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.unwrap_or_else(|| "a check failed".to_owned()))
    })
}

/// What the seeds find of a mistake, and which.
fn findings(plant: Plant) -> impl Iterator<Item = (u64, String)> {
    (1..=SEEDS_FOR_A_PLANT).filter_map(move |seed| Some((seed, played(seed, Some(plant)).err()?)))
}

/// A mistake must be found by one of these seeds, and the finding must name the promise.
fn is_found(plant: Plant, promise: &str) {
    let (seed, broken) = findings(plant).next().unwrap_or_else(|| panic!("{plant:?} was not found by {SEEDS_FOR_A_PLANT} seeds"));
    assert!(broken.contains(promise), "{plant:?} was found by seed {seed}, but as: {broken}");
}

/// The same of a mistake that breaks other promises as well, and in some worlds those first.
fn is_found_among_others(plant: Plant, promise: &str) {
    let mut others = Vec::new();
    for (seed, broken) in findings(plant) {
        if broken.contains(promise) {
            return;
        }
        others.push(format!("seed {seed}: {broken}"));
    }
    panic!("{plant:?} was not found as {promise} by {SEEDS_FOR_A_PLANT} seeds, but as: {others:#?}");
}

#[test]
fn an_early_acknowledgement_is_found() {
    is_found(Plant::AcknowledgeBeforeCommit, "acknowledged");
}

#[test]
fn a_timer_rounded_down_is_found() {
    // What it ends seems to end later than it did, and overlaps with what begins then.
    is_found_among_others(Plant::TimerRoundedDown, "early");
}

#[test]
fn dropped_dedupe_is_found() {
    is_found(Plant::DedupeDropped, "takes effect");
}

#[test]
fn memory_kept_after_an_unconfirmed_commit_is_found() {
    is_found(Plant::MemoryKept, "");
}

#[test]
fn what_is_built_on_an_unconfirmed_commit_is_found() {
    is_found(Plant::UnfoundedKept, "");
}

#[test]
fn an_unchecked_epoch_is_found_among_several_nodes() {
    is_found_among_others(Plant::EpochUnchecked, "promise 6");
}

#[test]
fn an_inbox_read_by_number_is_found() {
    is_found(Plant::InboxByNumber, "");
}

#[test]
fn an_input_that_is_rendered_again_is_found() {
    is_found(Plant::InputRenderedAgain, "same input");
}

#[test]
fn a_repeated_at_most_once_call_is_found() {
    is_found(Plant::AtMostOnceRepeated, "at-most-once");
}
