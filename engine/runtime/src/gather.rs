//! What the loop takes next, and what it waits for when there is nothing.

use crate::{
    Duty, EngineLimits,
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
        if self.now() < self.back_off_until {
            return Vec::new();
        }
        if let Some(alone) = self.held_back.take() {
            self.shared.load.taken(alone.bytes());
            return vec![Queued { item: alone, failures: 0 }];
        }
        self.gather_into(&mut Room::new(&self.shared.limits))
    }

    /// The same for a transaction with this much room. What it cannot take in has its turn in the one after it.
    pub(crate) fn gather_into(&mut self, room: &mut Room) -> Vec<Queued<S>> {
        let now = self.now();
        let (timer_page, releases) = (self.shared.limits.timer_page, self.shared.limits.releases);
        let server = self.shared.duty == Duty::Server;
        let mut items = Vec::new();
        let (due, later) = std::mem::take(&mut self.delayed).into_iter().partition(|delayed: &Delayed<S>| delayed.due <= now);
        self.delayed = later;
        self.own.extend(due.into_iter().map(|delayed: Delayed<S>| Queued { item: delayed.item, failures: delayed.failures }));
        while room.is_open() {
            let Some(own) = self.own.pop_front() else { break };
            if room.fits(&own) {
                room.take(&mut items, own);
            } else {
                self.own.push_front(own);
            }
        }
        let mut share = self.shared.limits.step_share;
        while room.is_open() && share > 0 {
            let Ok(item) = self.incoming.outcomes.try_recv() else { break };
            self.calls.ended();
            share -= 1;
            self.offer(room, &mut items, item);
        }
        if room.is_open() && !self.pauses.resuming {
            let timers = self.timers.take_due(now, timer_page);
            if !timers.is_empty() {
                self.meters.timers_fired.increment(timers.len() as u64);
                for timer in &timers {
                    self.meters.timer_lateness.record(now.millis_since(timer.due) as f64 / 1_000.0);
                }
                self.offer(room, &mut items, Item::Due { timers });
            }
        }
        if server && room.is_open() && self.next_burst_end.is_some_and(|end| end <= now) {
            self.next_burst_end = None;
            self.offer(room, &mut items, Item::BurstsEnd);
        }
        self.ready.wake(now);
        if server && room.is_open() && !self.ready.is_empty() {
            let turns = self.ready.take(releases);
            self.offer(room, &mut items, Item::Release { turns });
        }
        if server && room.is_open() {
            let keys = self.schedules.take_due(now, timer_page);
            if !keys.is_empty() {
                self.offer(room, &mut items, Item::Schedules { keys });
            }
        }
        while room.is_open() {
            let Ok(item) = self.incoming.normal.try_recv() else { break };
            if item.is_alone() && !room.is_untouched() {
                self.held_back = Some(item);
                return items;
            }
            self.shared.load.taken(item.bytes());
            self.offer(room, &mut items, item);
        }
        while room.is_open() && room.low > 0 {
            let Ok(item) = self.incoming.low.try_recv() else { break };
            room.low -= 1;
            self.shared.load.taken(item.bytes());
            self.offer(room, &mut items, item);
        }
        items
    }

    /// Takes a message in, or keeps it as the first of the next transaction.
    fn offer(&mut self, room: &mut Room, items: &mut Vec<Queued<S>>, item: Item<S::Tx>) {
        let queued = Queued { item, failures: 0 };
        if room.fits(&queued) {
            room.take(items, queued);
        } else {
            self.own.push_back(queued);
        }
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
                self.look_ahead();
                wake = self.schedules.next_wake().into_iter().chain(self.next_look()).fold(wake, Timestamp::min);
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

/// What a transaction still takes in.
pub(crate) struct Room {
    items: usize,
    bytes: usize,
    /// Of the low lane.
    low: usize,
    /// It is decided while another one is committed.
    is_behind: bool,
    /// It has taken something in.
    is_touched: bool,
    /// What has its turn now goes into another one.
    is_closed: bool,
}

impl Room {
    fn new(limits: &EngineLimits) -> Self {
        Self { items: limits.batch_items, bytes: limits.batch_bytes, low: limits.low_lane_items, is_behind: false, is_touched: false, is_closed: false }
    }
    /// For one that is decided while another one is committed.
    pub(crate) fn behind(limits: &EngineLimits) -> Self {
        Self { is_behind: true, ..Self::new(limits) }
    }
    /// Whether more may come.
    pub(crate) fn is_open(&self) -> bool {
        self.items > 0 && self.bytes > 0 && !self.is_closed
    }
    /// Whether what commits alone may come.
    fn is_untouched(&self) -> bool {
        !self.is_touched && !self.is_behind
    }
    /// Whether it takes this one in. If not, it takes no other one either.
    fn fits<S: Store>(&mut self, queued: &Queued<S>) -> bool {
        let fits = if self.is_behind { queued.item.may_be_decided_behind() && !queued.is_alone() } else { !queued.is_alone() || self.is_untouched() };
        self.is_closed |= !fits;
        fits
    }
    /// Takes in what fits.
    fn take<S: Store>(&mut self, items: &mut Vec<Queued<S>>, queued: Queued<S>) {
        self.is_closed |= queued.is_alone();
        self.is_touched = true;
        self.items -= 1;
        self.bytes = self.bytes.saturating_sub(queued.item.bytes());
        items.push(queued);
    }
}
