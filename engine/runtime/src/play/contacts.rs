//! A crowd of synthetic contacts. Each is played in a world of its own; where they would meet in a key or a limit, all are
//! played in one, so that they hold each other up as they would.

use super::{
    Previews, Stage, Starts, World,
    crowd::{Contacts, Everybody},
    tally::{Counts, Known, Left, Meetings, Tally},
    timeline::settle,
    world::{Outside, Watch},
};
use onward_core::{
    Timestamp,
    definition::{Span, testing::Scenario},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// What is simulated.
pub struct Crowd<'s> {
    /// The workflows; the first one is what is simulated. Zone and start of the scenario are put over it.
    pub stage: Stage,
    /// What starts each contact's run; fields that name a person get the contact's own values. Of schedules with `each`, the
    /// contacts are who is in the segment.
    pub starts: Starts,
    /// What the outside says, and how contacts differ.
    pub scenario: &'s Scenario,
    /// How long they are watched, from the first one's start; `None`: until nothing moves any more.
    pub watched_for: Option<Span>,
    /// Over how long they come, one after the other; `None`: all at the same moment.
    pub over: Option<Span>,
    /// What nodes without a mock give.
    pub previews: &'s dyn Previews,
    /// How many.
    pub contacts: u64,
    /// Threads that share the work; the result does not depend on it.
    pub threads: usize,
}

/// Simulates a crowd.
pub fn contacts(crowd: &Crowd<'_>) -> Counts {
    let mut stage = crowd.stage.clone();
    stage.keep_histories = false;
    settle(&mut stage, crowd.scenario);
    let Some(workflow) = stage.workflows.first().map(Arc::clone) else { return Counts::default() };
    let known = Known::of(&workflow, crowd.previews);
    let play = Play { crowd, contacts: Contacts { stage: &stage, scenario: crowd.scenario, previews: crowd.previews } };
    let meetings = Meetings::default();
    match play.apart(&known, &meetings) {
        Some(tally) => tally.counts(crowd.contacts, false),
        None => play.together(&known).counts(crowd.contacts, true),
    }
}

#[derive(Clone, Copy)]
struct Play<'s> {
    crowd: &'s Crowd<'s>,
    contacts: Contacts<'s>,
}

impl Play<'_> {
    /// Plays each contact alone; `None`: two of them would have met.
    fn apart<'k>(self, known: &'k Known, meetings: &'k Meetings) -> Option<Tally<'k>> {
        let threads = self.crowd.threads.clamp(1, 64) as u64;
        let tallies: Vec<Tally<'_>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|worker| {
                    scope.spawn(move || {
                        let mut tally = Tally::new(known).noting(meetings);
                        let mut number = worker;
                        while number < self.crowd.contacts && !meetings.happened() {
                            self.one(number, &mut tally);
                            number += threads;
                        }
                        tally
                    })
                })
                .collect();
            workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
        });
        if meetings.happened() {
            return None;
        }
        let mut all = Tally::new(known);
        for tally in tallies {
            all.merge(tally);
        }
        Some(all)
    }

    fn one(self, number: u64, tally: &mut Tally<'_>) {
        tally.next_contact(number);
        let played = catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(self.contacts.stage, self.contacts.outside(number), &mut *tally);
            self.start(&mut world, number);
            self.rest(world)
        }));
        match played {
            Ok(left) => tally.left(left),
            Err(_) => tally.fault(format!("the play of contact {number} panicked")),
        }
    }

    /// Plays all contacts in one world.
    fn together(self, known: &Known) -> Tally<'_> {
        let mut tally = Tally::new(known);
        let played = catch_unwind(AssertUnwindSafe(|| {
            let outside = Everybody::new(self.contacts, self.crowd.contacts);
            let mut world = World::new(self.contacts.stage, outside, &mut tally).with_crowd(self.crowd.contacts);
            if let Starts::Schedule(_) = self.crowd.starts {
                self.start(&mut world, 0);
            } else {
                for number in 0..self.crowd.contacts {
                    self.start(&mut world, number);
                }
            }
            self.rest(world)
        }));
        match played {
            Ok(left) => tally.left(left),
            Err(_) => tally.fault("the play of the crowd panicked".into()),
        }
        tally
    }

    /// A contact comes, at its moment.
    fn start<O: Outside, W: Watch>(self, world: &mut World<'_, O, W>, number: u64) {
        world.play_until(self.comes_at(number));
        world.about(number);
        self.crowd.starts.begin(world, |data| self.contacts.personal(number, data));
    }

    fn comes_at(self, number: u64) -> Timestamp {
        let stage = self.contacts.stage;
        let Some(over) = &self.crowd.over else { return stage.starts_at };
        let all = i128::from(over.add_to(stage.starts_at, &stage.timezone).millis_since(stage.starts_at));
        let after = all * i128::from(number) / i128::from(self.crowd.contacts.max(1));
        stage.starts_at.plus_millis(i64::try_from(after).unwrap_or(i64::MAX))
    }

    /// Nobody comes any more: the play goes on to its end.
    fn rest<O: Outside>(self, mut world: World<'_, O, &mut Tally<'_>>) -> Left {
        let stage = self.contacts.stage;
        world.play_out(self.crowd.watched_for.as_ref().map(|span| span.add_to(stage.starts_at, &stage.timezone)));
        for (number, run) in world.runs.iter().enumerate().filter(|(_, run)| !run.gone) {
            world.watch.run(number, &run.state);
        }
        Left { standing: world.standing(), given_up: world.contacts_given_up(), faults: std::mem::take(&mut world.faults) }
    }
}
