//! For tests only: an in-memory store, a simulated world (clock, ids, executor), seeded faults, history builders, and the
//! conformance suite that says what a store is.
//!
//! Nothing here needs a runtime of its own kind: futures run on the seeded [`Executor`](simulation::SimulatedExecutor), and
//! months pass in milliseconds. The same seed gives the same order of everything.
//!
//! What this crate must never know: a database, a network, the real clock. It must never be a dependency of anything but
//! tests.

#[expect(clippy::expect_used, clippy::missing_panics_doc, reason = "a behaviour that does not hold ends its test there")]
pub mod conformance;
pub mod faults;
pub mod history;
pub mod memory;
mod ownership;
pub mod simulation;

pub use faults::{Faults, FaultyStore};
pub use history::HistoryBuilder;
pub use memory::{MemoryStore, MemoryTx};
pub use simulation::{SeededIds, SimulatedClock, SimulatedExecutor, Simulation};
