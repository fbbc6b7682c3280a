//! The room that is left.

/// The disk on which the database grows.
pub trait Disk: Send + Sync + 'static {
    /// Bytes that may still be written to it. `None`: nothing that outlives the process is written, or nobody can tell.
    fn bytes_left(&self) -> Option<u64>;
}

/// A disk without end: for databases that end with their process.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoundlessDisk;

impl Disk for BoundlessDisk {
    fn bytes_left(&self) -> Option<u64> {
        None
    }
}
