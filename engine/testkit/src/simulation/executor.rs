//! A single-threaded executor whose order is chance from a seed.

use super::SimulatedClock;
use onward_core::{
    Timestamp,
    ports::{BoxFuture, Clock as _, Executor},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Runs tasks one poll at a time, choosing among the ready ones by its seed. Virtual time moves only when nothing is ready,
/// to the next sleeper. Everything happens on the thread that calls [`SimulatedExecutor::block_on`] or
/// [`SimulatedExecutor::run_until`].
pub struct SimulatedExecutor {
    clock: Arc<SimulatedClock>,
    random: Mutex<StdRng>,
    tasks: Mutex<Tasks>,
    ready: Arc<Mutex<BTreeSet<u64>>>,
    /// Each poll and its moment, folded into one number.
    trace: AtomicU64,
}

#[derive(Default)]
struct Tasks {
    /// `None` while the task is being polled.
    alive: BTreeMap<u64, Option<BoxFuture<'static, ()>>>,
    next: u64,
    /// Of which process a task is; not there: of nobody's.
    process: BTreeMap<u64, u64>,
    processes: u64,
    /// Those that were killed.
    killed: BTreeSet<u64>,
    /// Processes that stand still.
    frozen: BTreeSet<u64>,
}

/// One of several processes on one executor: it can be killed, or stand still, apart from the others.
#[derive(Clone, Debug)]
pub struct SimulatedProcess {
    executor: Arc<SimulatedExecutor>,
    number: u64,
}

impl SimulatedProcess {
    /// Another process.
    pub fn new(executor: Arc<SimulatedExecutor>) -> Self {
        let number = {
            let mut tasks = lock(&executor.tasks);
            tasks.processes += 1;
            tasks.processes
        };
        Self { executor, number }
    }
    /// Drops its tasks where they stand.
    pub fn kill(&self) {
        lock(&self.executor.tasks).killed.insert(self.number);
        loop {
            let dead: Vec<_> = {
                let mut tasks = lock(&self.executor.tasks);
                tasks.frozen.remove(&self.number);
                let of_us: Vec<u64> = tasks.process.iter().filter(|(_, process)| **process == self.number).map(|(id, _)| *id).collect();
                of_us
                    .iter()
                    .map(|id| {
                        tasks.process.remove(id);
                        lock(&self.executor.ready).remove(id);
                        tasks.alive.remove(id)
                    })
                    .collect()
            };
            // Outside the lock: dropping a task may spawn others, which are as dead.
            if dead.is_empty() {
                return;
            }
        }
    }
    /// Its number among the processes, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }
    /// Its tasks stand still, whatever wakes them.
    pub fn freeze(&self) {
        lock(&self.executor.tasks).frozen.insert(self.number);
    }
    /// They go on.
    pub fn thaw(&self) {
        lock(&self.executor.tasks).frozen.remove(&self.number);
    }
}

impl Executor for SimulatedProcess {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.executor.spawn_of(task, Some(self.number));
    }
}

struct TaskWaker {
    id: u64,
    ready: Arc<Mutex<BTreeSet<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        lock(&self.ready).insert(self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of the future of `block_on` among the tasks.
const MAIN: u64 = 0;

impl SimulatedExecutor {
    /// An executor of this seed, moving this clock.
    pub fn new(seed: u64, clock: Arc<SimulatedClock>) -> Self {
        // Another stream than the ids of the same seed.
        let random = StdRng::seed_from_u64(seed ^ 0x5eed_0f0a_de50_0001);
        Self { clock, random: Mutex::new(random), tasks: Mutex::default(), ready: Arc::default(), trace: AtomicU64::new(0) }
    }

    /// A number below `end`, from the seed: for whoever plays with chance in a simulation.
    pub fn random_below(&self, end: u64) -> u64 {
        if end == 0 { 0 } else { lock(&self.random).random_range(0..end) }
    }

    /// Which tasks were polled when, in one number: the same for two plays that went the same way.
    pub fn trace(&self) -> u64 {
        self.trace.load(Ordering::Relaxed)
    }

    /// Whether the process of this number was killed.
    pub fn was_killed(&self, process: u64) -> bool {
        lock(&self.tasks).killed.contains(&process)
    }

    /// How many tasks live.
    pub fn alive(&self) -> usize {
        lock(&self.tasks).alive.len()
    }

    /// Runs the future to its end beside every task, and gives its value.
    ///
    /// # Panics
    /// When the future waits for something that nobody can bring: nothing is ready and nobody sleeps.
    #[expect(clippy::panic, reason = "a test that cannot go on must end, with a name")]
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let waker = self.waker(MAIN);
        lock(&self.ready).insert(MAIN);
        loop {
            match self.choose() {
                Some(MAIN) => {
                    if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return value;
                    }
                }
                Some(id) => self.poll(id),
                None => match self.clock.next_due() {
                    Some(due) => self.clock.advance_to(due),
                    None => panic!("the simulation stands still: nothing is ready, nobody sleeps, {} tasks wait", self.alive()),
                },
            }
        }
    }

    /// Runs everything that is ready or falls due until this moment, and leaves the clock there.
    pub fn run_until(&self, until: Timestamp) {
        loop {
            match self.choose() {
                Some(id) => self.poll(id),
                None => match self.clock.next_due() {
                    Some(due) if due <= until => self.clock.advance_to(due),
                    _ => break,
                },
            }
        }
        self.clock.advance_to(until);
        while let Some(id) = self.choose() {
            self.poll(id);
        }
    }

    /// Runs everything that is ready without moving the clock.
    pub fn run_ready(&self) {
        self.run_until(self.clock.now());
    }

    /// Polls at most this many ready tasks without moving the clock; whether any was left. For crashes at random moments.
    pub fn run_steps(&self, steps: usize) -> bool {
        for _ in 0..steps {
            match self.choose() {
                Some(id) => self.poll(id),
                None => return false,
            }
        }
        true
    }

    /// Drops every task where it stands, as `kill -9` does.
    pub fn crash(&self) {
        lock(&self.tasks).process.clear();
        lock(&self.tasks).frozen.clear();
        let dead = std::mem::take(&mut lock(&self.tasks).alive);
        lock(&self.ready).clear();
        // Outside the locks: dropping a task may wake or spawn others. What they spawn is dead too.
        drop(dead);
        let orphans = std::mem::take(&mut lock(&self.tasks).alive);
        lock(&self.ready).clear();
        drop(orphans);
    }

    fn waker(&self, id: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { id, ready: Arc::clone(&self.ready) }))
    }

    fn choose(&self) -> Option<u64> {
        let still: Vec<u64> = {
            let tasks = lock(&self.tasks);
            if tasks.frozen.is_empty() {
                Vec::new()
            } else {
                lock(&self.ready).iter().filter(|id| tasks.process.get(id).is_some_and(|process| tasks.frozen.contains(process))).copied().collect()
            }
        };
        if !still.is_empty() {
            let ready: Vec<u64> = lock(&self.ready).iter().filter(|id| !still.contains(id)).copied().collect();
            let id = match ready.len() {
                0 => return None,
                several => ready[lock(&self.random).random_range(0..several)],
            };
            lock(&self.ready).remove(&id);
            return Some(id);
        }
        let mut ready = lock(&self.ready);
        let place = match ready.len() {
            0 => return None,
            1 => 0,
            several => lock(&self.random).random_range(0..several),
        };
        let id = ready.iter().nth(place).copied()?;
        ready.remove(&id);
        Some(id)
    }

    fn poll(&self, id: u64) {
        // Woken after its end, or being polled further up the stack.
        let Some(mut task) = lock(&self.tasks).alive.get_mut(&id).and_then(Option::take) else { return };
        let now = self.clock.now().as_millis().unsigned_abs();
        self.trace.store((self.trace() ^ id).wrapping_mul(0x0000_0100_0000_01b3).wrapping_add(now), Ordering::Relaxed);
        let waker = self.waker(id);
        let end = task.as_mut().poll(&mut Context::from_waker(&waker));
        let mut tasks = lock(&self.tasks);
        match (end, tasks.alive.get_mut(&id)) {
            (Poll::Pending, Some(place)) => *place = Some(task),
            (Poll::Ready(()), Some(_)) => {
                tasks.alive.remove(&id);
                tasks.process.remove(&id);
                drop(tasks);
                drop(task);
            }
            // Crashed while it was polled.
            (_, None) => {
                drop(tasks);
                drop(task);
            }
        }
    }
}

impl Executor for SimulatedExecutor {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.spawn_of(task, None);
    }
}

impl SimulatedExecutor {
    fn spawn_of(&self, task: BoxFuture<'static, ()>, process: Option<u64>) {
        let mut tasks = lock(&self.tasks);
        tasks.next += 1;
        let id = MAIN + tasks.next;
        tasks.alive.insert(id, Some(task));
        if let Some(process) = process {
            tasks.process.insert(id, process);
        }
        drop(tasks);
        lock(&self.ready).insert(id);
    }
}

impl std::fmt::Debug for SimulatedExecutor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedExecutor").field("alive", &self.alive()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BEGINNING, Simulation};
    use super::*;

    /// Ten tasks that sleep for different times and write down when they wake.
    fn trace(seed: u64) -> Vec<(i64, u64)> {
        let world = Simulation::new(seed);
        let woken = Arc::new(Mutex::new(Vec::new()));
        for task in 0..10 {
            let (clock, woken) = (Arc::clone(&world.clock), Arc::clone(&woken));
            world.executor.spawn(Box::pin(async move {
                for nap in 1..4_i64 {
                    let due = clock.now().plus_millis(nap * 86_400_000);
                    clock.sleep_until(due).await;
                    lock(&woken).push((clock.now().millis_since(BEGINNING), task));
                }
            }));
        }
        let clock = Arc::clone(&world.clock);
        world.executor.block_on(async move { clock.sleep_until(BEGINNING.plus_millis(10 * 86_400_000)).await });
        assert_eq!(world.executor.alive(), 0);
        lock(&woken).clone()
    }

    #[test]
    fn the_seed_decides_the_order() {
        assert_eq!(trace(1), trace(1));
        assert_ne!(trace(1), trace(2));
        assert!(trace(3).iter().is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn a_crash_drops_every_task_and_its_sleep() {
        let world = Simulation::new(1);
        let held = Arc::new(());
        for _ in 0..3 {
            let (clock, held) = (Arc::clone(&world.clock), Arc::clone(&held));
            world.executor.spawn(Box::pin(async move {
                clock.sleep_until(Timestamp::from_millis(i64::MAX)).await;
                drop(held);
            }));
        }
        world.executor.run_ready();
        assert_eq!((world.executor.alive(), Arc::strong_count(&held)), (3, 4));
        world.executor.crash();
        assert_eq!((world.executor.alive(), Arc::strong_count(&held)), (0, 1));
        assert_eq!(world.clock.next_due(), None);
    }

    #[test]
    #[should_panic(expected = "the simulation stands still")]
    fn standing_still_is_named() {
        Simulation::new(1).executor.block_on(std::future::pending::<()>());
    }

    #[test]
    fn tokio_channels_work_on_it() {
        let world = Simulation::new(1);
        let (send, receive) = tokio::sync::oneshot::channel();
        let clock = Arc::clone(&world.clock);
        world.executor.spawn(Box::pin(async move {
            clock.sleep_until(BEGINNING.plus_millis(5)).await;
            let _ = send.send(clock.now());
        }));
        assert_eq!(world.executor.block_on(receive), Ok(BEGINNING.plus_millis(5)));
    }
}
