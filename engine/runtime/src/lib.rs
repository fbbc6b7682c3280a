//! The async shell around the pure machine: intake and routing, timers, calls of nodes, the committer, recovery.
//!
//! One loop owns the runs and the write transaction. Everything that wants a commit is a message to it; it gathers what
//! is ready, runs it in one transaction, commits, and only then acknowledges, calls and announces.
//!
//! What this crate must never know: which database there is, HTTP, the CRM. Time, chance and tasks are ports, so that
//! months and crashes run in simulation; only primitives of `tokio::sync` are used, never its runtime
//! ([`TokioExecutor`] is the one exception, and a port).

mod admission;
mod advance;
mod ahead;
mod batch;
mod behind;
mod calls;
mod changes;
mod checkpoints;
mod children;
mod commit;
mod config;
mod continuing;
mod debug_nodes;
mod definitions;
mod engine;
mod error;
mod executor;
mod follow_up;
mod forward;
mod gates;
mod gather;
mod handle;
mod held_counts;
mod herald;
mod inbox;
mod intake;
mod leases;
mod live;
mod load;
mod message;
mod meters;
mod migration;
mod nodes;
mod patience;
mod pauses;
pub mod play;
mod publishing;
mod questions;
mod ready;
mod recovery;
mod registry;
mod release;
mod remote;
mod repair;
mod replay;
mod rollout;
mod schedules;
mod size;
mod steps;
mod time;
mod timers;
mod traces;
mod turn;
mod unconfirmed;

#[cfg(test)]
mod simulation;

pub use config::{Duty, EngineConfig, EngineLimits};
pub use debug_nodes::debug_nodes;
pub use definitions::{BrokenVersion, Current};
pub use engine::Engine;
pub use error::EngineError;
pub use executor::TokioExecutor;
pub use handle::{EngineHandle, Vitals};
pub use load::Overload;
pub use message::{After, Guard, Ingested, MendedRun, PublishedWorkflow, Signal, StartRequest, StartedRun};
pub use migration::{MigrationReport, MigrationRequest, ObstacleCount, StepPlace};
pub use registry::{DuplicateNode, Registry};
pub use repair::ForkRequest;
pub use replay::{Change, RunReport, Summary, grouped, what_if};
pub use rollout::ROLLOUT_HELD;
pub use schedules::next_fires;
