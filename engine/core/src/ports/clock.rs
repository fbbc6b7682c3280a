//! Time, chance and tasks as inputs.

use crate::Timestamp;
use std::{future::Future, pin::Pin};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Engine time (SEMANTICS.md 30).
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Microseconds of a clock that only goes forward, whatever becomes of [`Clock::now`], counted from some moment: for how long
    /// something takes, and for how long a lease lasts (SEMANTICS.md 4).
    fn ticks(&self) -> i64 {
        self.now().as_millis().saturating_mul(1_000)
    }
    /// Completes at `due` or shortly after, never before.
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()>;
    /// Completes when this many microseconds of [`Clock::ticks`] have passed, or shortly after.
    fn sleep(&self, micros: i64) -> BoxFuture<'static, ()> {
        self.sleep_until(self.now().plus_millis(micros.saturating_add(999).div_euclid(1_000)))
    }
}

/// Makes ids and seeds.
pub trait Ids: Send + Sync + 'static {
    /// A `UUIDv7` of the given moment.
    fn fresh(&self, now: Timestamp) -> uuid::Uuid;
    /// 64 random bits.
    fn seed(&self) -> u64;
}

/// Starts tasks.
pub trait Executor: Send + Sync + 'static {
    /// Runs the future to its end beside everything else.
    fn spawn(&self, task: BoxFuture<'static, ()>);
    /// The same of several: where starting one wakes a thread, all of them wake one.
    fn spawn_all(&self, tasks: Vec<BoxFuture<'static, ()>>) {
        for task in tasks {
            self.spawn(task);
        }
    }
    /// As [`Executor::spawn`], for a task that may keep its thread for a while (the engine's loop writes to the disk): on a
    /// thread of its own, where there are threads.
    fn spawn_apart(&self, task: BoxFuture<'static, ()>) {
        self.spawn(task);
    }
}
