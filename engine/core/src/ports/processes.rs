//! Which processes have surely ended.

/// The processes that run here: what proves a node dead before its leases run out.
pub trait Processes: std::fmt::Debug + Send + Sync + 'static {
    /// What tells this process from every other one that ever ran, here or elsewhere. Empty: nothing does.
    fn own(&self) -> &str;
    /// Whether the process that called itself so has surely ended. Of one that runs, or ran, where nothing can be seen from
    /// here: no.
    fn has_ended(&self, name: &str) -> bool;
}

/// Nothing is known of any process.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnknownProcesses;

impl Processes for UnknownProcesses {
    fn own(&self) -> &'static str {
        ""
    }
    fn has_ended(&self, _name: &str) -> bool {
        false
    }
}
