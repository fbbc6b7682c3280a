//! The machine on which a simulated process runs.

use super::{SimulatedExecutor, SimulatedProcess};
use onward_core::ports::Processes;
use std::{fmt, sync::Arc};

/// One of several machines, as a process on it sees it: it can tell which of the processes there were killed.
pub struct SimulatedMachine {
    executor: Arc<SimulatedExecutor>,
    machine: u64,
    own: String,
}

impl SimulatedMachine {
    /// The machine of this number, as this process sees it.
    pub fn new(executor: Arc<SimulatedExecutor>, machine: u64, process: &SimulatedProcess) -> Self {
        Self { executor, machine, own: format!("{machine}/{}", process.number()) }
    }
}

impl fmt::Debug for SimulatedMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.own)
    }
}

impl Processes for SimulatedMachine {
    fn own(&self) -> &str {
        &self.own
    }
    fn has_ended(&self, name: &str) -> bool {
        let parts = name.split_once('/').and_then(|(machine, process)| Some((machine.parse::<u64>().ok()?, process.parse().ok()?)));
        parts.is_some_and(|(machine, process)| machine == self.machine && self.executor.was_killed(process))
    }
}
