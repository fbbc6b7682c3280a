//! Plays workflows in virtual time: the pure machine with a pretended world around it. No store, no clock, no effect; a play
//! is a function of what it is given, its seed included.
//!
//! [`World`] delivers timers in order of due time, events through the same correlation rules, starts through the same keys
//! and modes as the engine. What the outside says (nodes, records, people) comes from an [`Outside`]; what happens is told
//! to a [`Watch`]. On top of it stand test cases ([`test_case`]), simulations ([`timeline`], [`contacts`]) and single
//! steps ([`try_step`]).
//!
//! What this module must never know: what a node really does.

mod admission;
mod cases;
mod children;
mod compare;
mod contacts;
mod coverage;
mod crowd;
mod gates;
mod harden;
mod judge;
mod listening;
mod nodes;
mod recorder;
mod schedules;
mod scripted;
mod stage;
mod starts;
mod step;
mod tally;
mod timeline;
mod turn;
mod world;

#[cfg(test)]
mod tests;

pub use cases::{CaseReport, CaseSetup, test_case};
pub use contacts::{Crowd, contacts};
pub use coverage::{Coverage, CoverageReport, Covered, Gap};
pub use gates::Gate;
pub use harden::harden;
pub use nodes::Previews;
pub use recorder::{Call, Emitted, Recorder};
pub use stage::Stage;
pub use starts::Starts;
pub use step::{StepTrial, TriedStep, try_step};
pub use tally::{Counts, Delays, Lengths, StepCounts};
pub use timeline::{Timeline, TimelineRun, TimelineSetup, timeline};
pub use world::{Answered, Outside, Refused, Watch, World};
