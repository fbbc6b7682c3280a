//! A world in which time and chance come from a seed.

mod clock;
mod executor;
mod ids;
mod machine;

pub use clock::{SimulatedClock, SkewedClock};
pub use executor::{SimulatedExecutor, SimulatedProcess};
pub use ids::SeededIds;
pub use machine::SimulatedMachine;

use onward_core::Timestamp;
use std::sync::Arc;

/// Clock, ids and executor of one seed.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Virtual time; begins at 2026-01-01T00:00:00Z.
    pub clock: Arc<SimulatedClock>,
    /// Ids and seeds.
    pub ids: Arc<SeededIds>,
    /// Tasks.
    pub executor: Arc<SimulatedExecutor>,
}

/// When every simulation begins: 2026-01-01T00:00:00Z.
pub const BEGINNING: Timestamp = Timestamp::from_millis(1_767_225_600_000);

impl Simulation {
    /// The world of this seed.
    pub fn new(seed: u64) -> Self {
        let clock = Arc::new(SimulatedClock::new(BEGINNING));
        Self { ids: Arc::new(SeededIds::new(seed)), executor: Arc::new(SimulatedExecutor::new(seed, Arc::clone(&clock))), clock }
    }
}
