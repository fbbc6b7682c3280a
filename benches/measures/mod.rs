//! What is measured: one file a subject.

mod contacts;
mod idle;
mod jobs;
mod killed;
mod machine;
mod recovery;
mod scripts;
mod sleeping;
mod starts;
mod steps;
mod timers;
mod webhooks;

use crate::{Result, arguments::Settings, report::Report, report::Target, server::Server};
use std::{future::Future, pin::Pin};

/// What a measurement works with.
#[derive(Debug)]
pub(crate) struct Bench {
    /// How it is measured.
    pub(crate) settings: Settings,
    /// Where figures go.
    pub(crate) report: Report,
}

impl Bench {
    /// A server on a fresh database.
    pub(crate) async fn server(&self) -> Result<Server> {
        Server::fresh(&self.settings).await
    }

    /// A target that holds for the real population only.
    pub(crate) fn at_full_size(&self, target: Target) -> Option<Target> {
        ((self.settings.scale - 1.0).abs() < f64::EPSILON).then_some(target)
    }
}

/// A measurement.
#[derive(Clone, Copy)]
pub(crate) struct Measure {
    /// As it is asked for.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// Measures.
    pub(crate) run: fn(&mut Bench) -> Measuring<'_>,
}

/// A measurement under way.
type Measuring<'b> = Pin<Box<dyn Future<Output = Result<()>> + 'b>>;

/// All of them, in the order in which they run.
pub(crate) fn all() -> [Measure; 15] {
    [
        Measure { name: "steps", about: "durable steps a second: ten sequential debug.echo, 64 runs at a time", run: |bench| Box::pin(steps::many(bench, 64)) },
        Measure { name: "steps_1000", about: "the same with 1,000 runs at a time", run: |bench| Box::pin(steps::many(bench, 1_000)) },
        Measure { name: "alone", about: "the time of one step when one run is alone", run: |bench| Box::pin(steps::alone(bench)) },
        Measure { name: "webhooks", about: "signed WhatsApp messages committed a second, 32 connections", run: |bench| Box::pin(webhooks::plain(bench)) },
        Measure { name: "webhooks_run", about: "the same while each message starts a run", run: |bench| Box::pin(webhooks::with_automation(bench)) },
        Measure { name: "starts", about: "short runs a second, started by events", run: |bench| Box::pin(starts::measure(bench)) },
        Measure { name: "timers", about: "lateness of 10,000 timers due in the same second", run: |bench| Box::pin(timers::measure(bench)) },
        Measure { name: "sleeping", about: "memory, start, idle cost and disk of 100,000 sleeping runs", run: |bench| Box::pin(sleeping::measure(bench)) },
        Measure { name: "killed", about: "1,000 runs of ten calls, and the server killed amid them", run: |bench| Box::pin(killed::measure(bench)) },
        Measure {
            name: "idle",
            about: "memory and processor time of an idle server, size of the binary, disk of a step",
            run: |bench| Box::pin(idle::measure(bench)),
        },
        Measure {
            name: "machine",
            about: "in this process: compiling, deciding, replaying, what-if",
            run: |bench| Box::pin(std::future::ready(machine::measure(bench))),
        },
        Measure {
            name: "contacts",
            about: "in this process: 100,000 synthetic contacts through a drip of 30 days in virtual time",
            run: |bench| Box::pin(std::future::ready(contacts::measure(bench))),
        },
        Measure {
            name: "recovery",
            about: "in this process: taking up a run of 60,000 steps, with a checkpoint and without",
            run: |bench| Box::pin(recovery::measure(bench)),
        },
        Measure { name: "jobs", about: "in this process: background jobs that do nothing, wanted and done", run: |bench| Box::pin(jobs::measure(bench)) },
        Measure {
            name: "scripts",
            about: "in this process: whole runs of scripts with 10, 100 and 1,000 steps",
            run: |bench| Box::pin(std::future::ready(scripts::measure(bench))),
        },
    ]
}
