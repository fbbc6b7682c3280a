//! What an evaluation may cost, and why it was ended.

use onward_core::{limits, ports::ScriptBudget};
use rhai::{Dynamic, Engine, EvalAltResult, Position};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// The host is asked whether it has had enough each time so many operations are done.
const OPERATIONS_PER_QUESTION: u64 = 8;
/// What the variables hold is weighed each time so many of them are read: not every way to make a value larger is checked by
/// the language itself.
const READS_PER_WEIGHING: u64 = 64;

type Enough = Arc<dyn Fn() -> bool + Send + Sync>;

/// Counts operations. Rhai's own counter runs over a whole evaluation; here it begins again at each durable call.
#[derive(Default)]
pub(crate) struct Meter {
    /// Operations of the whole evaluation.
    done: AtomicU64,
    /// What `done` was at the last durable call.
    mark: AtomicU64,
    /// The budget was reached: there is no outcome.
    interrupted: AtomicBool,
    /// The language's own limit was reached: that is the outcome.
    exhausted: AtomicBool,
    /// The script has come as far as it can.
    halted: AtomicBool,
    /// What `done` may come to in this turn.
    most: AtomicU64,
    /// Says when the host has had enough of this turn.
    enough: Mutex<Option<Enough>>,
}

impl Meter {
    /// Lets the meter end what the engine evaluates.
    pub(crate) fn attach(self: &Arc<Self>, engine: &mut Engine, budget: &ScriptBudget) {
        self.begin_turn(budget);
        let meter = Arc::clone(self);
        engine.on_progress(move |operations| {
            meter.done.store(operations, Ordering::Relaxed);
            let since = operations.saturating_sub(meter.mark.load(Ordering::Relaxed));
            if meter.halted.load(Ordering::Relaxed) {
                return Some(Dynamic::UNIT);
            }
            if since > limits::SCRIPT_OPERATIONS {
                meter.exhausted.store(true, Ordering::Relaxed);
                return Some(Dynamic::UNIT);
            }
            let asks = operations.is_multiple_of(OPERATIONS_PER_QUESTION);
            if operations > meter.most.load(Ordering::Relaxed) || (asks && meter.has_had_enough()) {
                meter.interrupted.store(true, Ordering::Relaxed);
                return Some(Dynamic::UNIT);
            }
            None
        });
        let reads = AtomicU64::new(0);
        #[expect(deprecated, reason = "not deprecated, says its note, but volatile: the version is pinned")]
        engine.on_var(move |_, _, context| {
            if reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(READS_PER_WEIGHING) {
                let mut left = limits::SCRIPT_BYTES;
                if !context.scope().iter_raw().all(|(_, _, value)| fits(value, &mut left)) {
                    return Err(Box::new(EvalAltResult::ErrorDataTooLarge("what the script holds in its variables".into(), Position::NONE)));
                }
            }
            Ok(None)
        });
    }

    /// A turn begins, with a budget of its own.
    pub(crate) fn begin_turn(&self, budget: &ScriptBudget) {
        self.most.store(self.done.load(Ordering::Relaxed).saturating_add(budget.operations), Ordering::Relaxed);
        self.enough.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&budget.enough);
    }

    fn has_had_enough(&self) -> bool {
        self.enough.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|enough| enough())
    }

    /// Counts from here.
    pub(crate) fn begin_again(&self) {
        self.mark.store(self.done.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whether the script may go on.
    pub(crate) fn halt(&self, halted: bool) {
        self.halted.store(halted, Ordering::Relaxed);
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    pub(crate) fn was_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }
}

/// Whether a value weighs no more than what is left, which it then takes.
fn fits(value: &Dynamic, left: &mut usize) -> bool {
    let mut take = |bytes: usize| match left.checked_sub(bytes) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    };
    if !take(size_of::<Dynamic>()) {
        return false;
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return take(text.len());
    }
    if let Ok(bytes) = value.as_blob_ref() {
        return take(bytes.len());
    }
    if let Ok(list) = value.as_array_ref() {
        return list.iter().all(|item| fits(item, left));
    }
    if let Ok(map) = value.as_map_ref() {
        return map.iter().all(|(name, field)| {
            left.checked_sub(name.len()).is_some_and(|rest| {
                *left = rest;
                fits(field, left)
            })
        });
    }
    true
}
