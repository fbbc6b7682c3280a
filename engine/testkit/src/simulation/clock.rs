//! Virtual time.

use onward_core::{
    Timestamp,
    ports::{BoxFuture, Clock},
};
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// A clock that stands until it is moved. Whoever sleeps is woken in order of due time.
#[derive(Debug)]
pub struct SimulatedClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// By due time and order of falling asleep.
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
    next: u64,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimulatedClock {
    /// Stands at this moment.
    pub fn new(now: Timestamp) -> Self {
        Self { state: Arc::new(Mutex::new(State { now, sleepers: BTreeMap::new(), next: 0 })) }
    }

    /// When the next sleeper is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        lock(&self.state).sleepers.first_key_value().map(|((due, _), _)| *due)
    }

    /// Moves time forward by this much and wakes who is due.
    pub fn advance(&self, millis: i64) {
        let to = lock(&self.state).now.plus_millis(millis);
        self.advance_to(to);
    }

    /// Moves time forward to this moment and wakes who is due. A moment in the past changes nothing.
    pub fn advance_to(&self, to: Timestamp) {
        let woken = {
            let mut state = lock(&self.state);
            let now = state.now.max(to);
            state.now = now;
            let later = state.sleepers.split_off(&(now, u64::MAX));
            std::mem::replace(&mut state.sleepers, later)
        };
        for waker in woken.into_values() {
            waker.wake();
        }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        lock(&self.state).now
    }
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(Sleep { state: Arc::clone(&self.state), due, place: None })
    }
}

/// A clock that is wrong, and that somebody may set.
#[derive(Clone, Debug)]
pub struct SkewedClock {
    /// The right one.
    pub right: Arc<SimulatedClock>,
    ahead_ms: Arc<AtomicI64>,
}

impl SkewedClock {
    /// Ahead of the right one by so much.
    pub fn new(right: Arc<SimulatedClock>, ahead_ms: i64) -> Self {
        Self { right, ahead_ms: Arc::new(AtomicI64::new(ahead_ms)) }
    }
    /// Is set forward, or back.
    pub fn step(&self, millis: i64) {
        self.ahead_ms.fetch_add(millis, Ordering::Relaxed);
    }
    fn ahead(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.right.now().plus_millis(self.ahead())
    }
    fn ticks(&self) -> i64 {
        self.right.ticks()
    }
    fn sleep_until(&self, due: Timestamp) -> BoxFuture<'static, ()> {
        self.right.sleep_until(due.plus_millis(-self.ahead()))
    }
    fn sleep(&self, micros: i64) -> BoxFuture<'static, ()> {
        self.right.sleep(micros)
    }
}

struct Sleep {
    state: Arc<Mutex<State>>,
    due: Timestamp,
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = Arc::clone(&self.state);
        let mut state = lock(&shared);
        if state.now >= self.due {
            return Poll::Ready(());
        }
        let place = *self.place.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        state.sleepers.insert((self.due, place), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            lock(&self.state).sleepers.remove(&(self.due, place));
        }
    }
}
