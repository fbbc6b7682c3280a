//! Scripts that stand where they wait. A parked script can always be run again from its beginning; as long as its thread is
//! kept, it goes on from where it stands instead, so that a long run does not cost the square of its calls. Only a few
//! threads are kept, and none for long: the one that was used least lately gives way, one that nobody asks for a while ends by
//! itself, and nobody but the clock can tell.

use onward_core::{
    limits,
    ports::{Interrupted, Journal, ScriptBudget, ScriptStanding, ScriptTurn},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender},
    },
    time::Duration,
};

const CALLS_WORTH_A_THREAD: usize = if cfg!(test) { 1 } else { limits::SCRIPT_CALLS_STANDING };
/// How long a thread is kept for a script that waits. Unit tests wait for no time: there it is for ever, or not at all.
pub(crate) const PATIENCE: Duration = if cfg!(test) { Duration::MAX } else { Duration::from_millis(limits::SCRIPT_STANDING_MS) };

/// What a script goes on with.
pub(crate) struct Next {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) budget: ScriptBudget,
}

/// What a script gives.
pub(crate) struct Reply {
    pub(crate) turn: Result<ScriptTurn, Interrupted>,
    /// Its thread waits for what comes next.
    pub(crate) waits: bool,
}

/// The caller's ends of a script's thread. Dropping them ends it.
pub(crate) struct Held {
    /// Which script it runs ([`number`]).
    pub(crate) code: u64,
    pub(crate) to: Sender<Next>,
    pub(crate) from: Receiver<Reply>,
}

/// The thread's own ends.
pub(crate) struct Host {
    pub(crate) inbox: Receiver<Next>,
    /// None once nobody listens.
    pub(crate) outbox: Option<Sender<Reply>>,
    /// How long it waits for what comes next.
    pub(crate) patience: Duration,
}

impl Host {
    /// Gives a turn. False: nobody listens.
    pub(crate) fn reply(&self, reply: Reply) -> bool {
        self.outbox.as_ref().is_some_and(|outbox| outbox.send(reply).is_ok())
    }

    /// What the script goes on with. None: nobody asked for a while, or nobody ever will. Then it says no more: whoever asks at
    /// this very moment hears that nobody is there, and not how the script was ended.
    pub(crate) fn next(&mut self) -> Option<Next> {
        let next = self.inbox.recv_timeout(self.patience).ok();
        if next.is_none() {
            self.outbox = None;
        }
        next
    }
}

type Place = Mutex<Option<Held>>;

/// Those that are kept, the one used last at the end.
static KEPT: Mutex<VecDeque<Weak<Place>>> = Mutex::new(VecDeque::new());

/// Whether a history of so many calls is worth a thread.
pub(crate) fn is_worth_it(calls: usize) -> bool {
    calls >= CALLS_WORTH_A_THREAD
}

/// A number that no other compiled script of this process has.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Takes the script that stands here, when it is this one. Copies of a run share it: the first to come goes on with it.
pub(crate) fn take(standing: &mut ScriptStanding, code: u64) -> Option<Held> {
    let place = standing.0.take()?.downcast::<Place>().ok()?;
    let held = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    held.filter(|held| held.code == code)
}

/// Lets a script stand here until its next turn.
pub(crate) fn keep(standing: &mut ScriptStanding, held: Held) {
    let place: Arc<Place> = Arc::new(Mutex::new(Some(held)));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_back(Arc::downgrade(&place));
    if kept.len() > limits::SCRIPTS_STANDING {
        let stands = |place: &Weak<Place>| place.upgrade().is_some_and(|place| place.lock().unwrap_or_else(PoisonError::into_inner).is_some());
        kept.retain(stands);
    }
    while kept.len() > limits::SCRIPTS_STANDING {
        if let Some(oldest) = kept.pop_front().and_then(|place| place.upgrade()) {
            drop(oldest.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
    standing.0 = Some(place);
}
