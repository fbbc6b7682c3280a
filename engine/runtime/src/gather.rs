//! What the loop takes next, and what it waits for when there is nothing.

use crate::{
    Duty,
    engine::{Delayed, Engine, Queued},
    message::Item,
};
use onward_core::{Timestamp, ports::Store};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Messages that nobody has taken in yet, by lane.
pub(crate) struct Incoming<S: Store> {
    pub(crate) outcomes: mpsc::UnboundedReceiver<Item<S::Tx>>,
    pub(crate) normal: mpsc::UnboundedReceiver<Item<S::Tx>>,
    pub(crate) low: mpsc::UnboundedReceiver<Item<S::Tx>>,
}

impl<S: Store> Engine<S> {
    /// Whether no message waits to be taken in.
    pub(crate) fn nothing_waits(&self) -> bool {
        self.own.is_empty() && self.held_back.is_none() && self.incoming.normal.is_empty() && self.incoming.low.is_empty() && self.incoming.outcomes.is_empty()
    }

    /// Everything that waits to be written for somebody outside.
    pub(crate) fn take_waiting(&mut self) -> Vec<Item<S::Tx>> {
        let mut items: Vec<Item<S::Tx>> = self.held_back.take().into_iter().collect();
        for lane in [&mut self.incoming.normal, &mut self.incoming.low] {
            while let Ok(item) = lane.try_recv() {
                items.push(item);
            }
        }
        items
    }

    /// Takes what is ready, bounded in number and bytes: our own first, then the outcomes of steps, then what comes from
    /// outside, then the low lane.
    pub(crate) fn gather(&mut self) -> Vec<Queued<S>> {
        let now = self.now();
        if now < self.back_off_until {
            return Vec::new();
        }
        let limits = &self.shared.limits;
        let mut gathered = Gathered { items: Vec::new(), bytes: 0, limit_items: limits.batch_items, limit_bytes: limits.batch_bytes };
        if let Some(alone) = self.held_back.take() {
            self.shared.load.taken(alone.bytes());
            return vec![Queued { item: alone, failures: 0 }];
        }
        let (due, later) = std::mem::take(&mut self.delayed).into_iter().partition(|delayed: &Delayed<S>| delayed.due <= now);
        self.delayed = later;
        self.own.extend(due.into_iter().map(|delayed: Delayed<S>| Queued { item: delayed.item, failures: delayed.failures }));
        while gathered.has_room() {
            let Some(own) = self.own.pop_front() else { break };
            // What failed before is tried alone, so that it cannot take others with it.
            if own.failures > 0 && !gathered.items.is_empty() {
                self.own.push_front(own);
                return gathered.items;
            }
            if own.item.is_alone() && !gathered.items.is_empty() {
                self.own.push_front(own);
                return gathered.items;
            }
            let alone = own.failures > 0 || own.item.is_alone();
            gathered.add(own);
            if alone {
                return gathered.items;
            }
        }
        let share = gathered.items.len() + limits.step_share;
        while gathered.has_room() && gathered.items.len() < share {
            let Ok(item) = self.incoming.outcomes.try_recv() else { break };
            self.calls.ended();
            gathered.add(Queued { item, failures: 0 });
        }
        if gathered.has_room() && !self.pauses.resuming {
            let timers = self.timers.take_due(now, limits.timer_page);
            if !timers.is_empty() {
                self.meters.timers_fired.increment(timers.len() as u64);
                for timer in &timers {
                    self.meters.timer_lateness.record(now.millis_since(timer.due) as f64 / 1_000.0);
                }
                gathered.add(Queued { item: Item::Due { timers }, failures: 0 });
            }
        }
        let server = self.shared.duty == Duty::Server;
        if server && gathered.has_room() && self.next_burst_end.is_some_and(|end| end <= now) {
            self.next_burst_end = None;
            gathered.add(Queued { item: Item::BurstsEnd, failures: 0 });
        }
        self.ready.wake(now);
        if server && gathered.has_room() && !self.ready.is_empty() {
            gathered.add(Queued { item: Item::Release { turns: self.ready.take(limits.releases) }, failures: 0 });
        }
        if gathered.has_room() && self.shared.duty == Duty::Server {
            let keys = self.schedules.take_due(now, limits.timer_page);
            if !keys.is_empty() {
                gathered.add(Queued { item: Item::Schedules { keys }, failures: 0 });
            }
        }
        while gathered.has_room() {
            let Ok(item) = self.incoming.normal.try_recv() else { break };
            if item.is_alone() {
                if gathered.items.is_empty() {
                    self.shared.load.taken(item.bytes());
                    return vec![Queued { item, failures: 0 }];
                }
                self.held_back = Some(item);
                return gathered.items;
            }
            self.shared.load.taken(item.bytes());
            gathered.add(Queued { item, failures: 0 });
        }
        for _ in 0..limits.low_lane_items {
            if !gathered.has_room() {
                break;
            }
            let Ok(item) = self.incoming.low.try_recv() else { break };
            self.shared.load.taken(item.bytes());
            gathered.add(Queued { item, failures: 0 });
        }
        gathered.items
    }

    /// Sleeps until a message comes or a moment does.
    pub(crate) async fn wait(&mut self) {
        let now = self.now();
        let limits = &self.shared.limits;
        let backing_off = self.back_off_until > now;
        let alone_without = !self.is_in_company() && self.leases.held().is_empty();
        let mut wake = if alone_without { self.back_off_until } else { self.shared.time.of_own(self.next_beat()) };
        if let Some(leave_at) = self.sharing.leave_at.filter(|_| !self.sharing.leaving.is_empty()) {
            wake = wake.min(self.shared.time.of_own(leave_at));
        }
        if backing_off {
            wake = wake.min(self.back_off_until);
        } else {
            if self.shared.duty == Duty::Server && !self.pauses.resuming && !self.leases.held().is_empty() {
                wake = wake.min(self.timers.next_wake(limits.timer_horizon_ms));
                if let Some(due) = self.schedules.next_wake() {
                    wake = wake.min(due);
                }
            }
            let delayed = self.delayed.iter().map(|delayed| delayed.due).min();
            let held = [self.ready.next_alarm(), self.next_burst_end].into_iter().flatten().filter(|_| self.shared.duty == Duty::Server);
            wake = held.chain(delayed).fold(wake, Timestamp::min);
        }
        if let Some(stop_at) = self.stop_at {
            wake = wake.min(stop_at);
        }
        let sleep = self.shared.clock.sleep_until(wake);
        let shared = Arc::clone(&self.shared);
        if backing_off {
            // Messages stay where they are until the store is tried again.
            tokio::select! { biased; () = shared.nudge.notified() => {} () = sleep => {} }
            return;
        }
        let (lane, item) = tokio::select! {
            biased;
            Some(item) = self.incoming.outcomes.recv() => (Lane::Outcome, item),
            Some(item) = self.incoming.normal.recv() => (Lane::Outside, item),
            Some(item) = self.incoming.low.recv() => (Lane::Outside, item),
            () = shared.nudge.notified() => return,
            () = sleep => return,
        };
        match lane {
            Lane::Outcome => {
                self.calls.ended();
                self.own.push_back(Queued { item, failures: 0 });
            }
            Lane::Outside if item.is_alone() => self.held_back = Some(item),
            Lane::Outside => {
                self.shared.load.taken(item.bytes());
                self.own.push_back(Queued { item, failures: 0 });
            }
        }
    }
}

enum Lane {
    Outcome,
    Outside,
}

struct Gathered<S: Store> {
    items: Vec<Queued<S>>,
    bytes: usize,
    limit_items: usize,
    limit_bytes: usize,
}

impl<S: Store> Gathered<S> {
    fn has_room(&self) -> bool {
        self.items.len() < self.limit_items && self.bytes < self.limit_bytes
    }
    fn add(&mut self, queued: Queued<S>) {
        self.bytes += queued.item.bytes();
        self.items.push(queued);
    }
}
