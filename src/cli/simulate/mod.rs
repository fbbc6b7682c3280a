//! `onward simulate`: plays a workflow in virtual time, once or for a crowd.

mod told;

use super::{Context, Failure, input, validate};
use crate::{terminal::Look, wiring};
use clap::Args;
use onward_core::{
    Timestamp,
    definition::{
        Severity, Span, Workflow, render_problem,
        testing::{Begin, EventDraft, Scenario},
    },
    limits,
};
use onward_runtime::play::{Crowd, Stage, Starts, TimelineSetup, contacts, timeline};
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc};

/// Play a workflow in virtual time, without any effect: one timeline, or how many of a crowd pass each branch.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward simulate welcome.yaml --event lead.json
  onward simulate welcome.yaml --event lead.json --for 30d --mock assumptions.yaml
  onward simulate welcome.yaml --event lead.json --mock assumptions.yaml --contacts 10000 --over 8h
  onward simulate digest.yaml --schedule 30d --now 2026-12-01T00:00:00Z
  onward simulate form.yaml --webhook partner-leads --body body.json

Nodes give what --mock says, else their example. The file of --mock may also say how people answer (`answers`) and how they
differ (`vary`); `onward test` uses the same forms. In a crowd every contact has its own contact_id, phone and email; contacts
that meet in a key or a limit hold each other up as they would.")]
pub(crate) struct Simulate {
    /// The workflow file.
    file: PathBuf,
    /// The event that starts it: `{ \"type\", \"data\", … }`.
    #[arg(long, value_name = "FILE.json", group = "start")]
    event: Option<PathBuf>,
    /// Start it by hand with this input; `@FILE` reads a file.
    #[arg(long, value_name = "JSON", group = "start")]
    input: Option<String>,
    /// Start it by its own schedules: every due time of so long a span, such as 30d.
    #[arg(long, value_name = "DURATION", value_parser = Span::parse, group = "start", conflicts_with = "over")]
    schedule: Option<Span>,
    /// Start it by a delivery to its webhook of this path.
    #[arg(long, value_name = "PATH", group = "start", requires = "body")]
    webhook: Option<String>,
    /// What is delivered to the webhook.
    #[arg(long, value_name = "FILE.json", requires = "webhook")]
    body: Option<PathBuf>,
    /// How long it is watched, such as 30d; left out: until nothing moves any more.
    #[arg(long = "for", value_name = "DURATION", value_parser = Span::parse)]
    watched_for: Option<Span>,
    /// What nodes give, what records hold, how people answer (YAML).
    #[arg(long, value_name = "FILE")]
    mock: Option<PathBuf>,
    /// Other workflows beside it, such as those that it calls.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// A crowd of so many synthetic contacts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=limits::SIMULATED_CONTACTS))]
    contacts: Option<u64>,
    /// They come one after the other over so long, such as 8h; left out: all at the same moment.
    #[arg(long, value_name = "DURATION", value_parser = Span::parse, requires = "contacts")]
    over: Option<Span>,
    /// Where all chance comes from: the same seed, the same result.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// When it begins, such as 2026-12-24T09:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<Timestamp>,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("{text:?} is no time; write it like 2026-12-24T09:00:00Z"))
}

impl Simulate {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let registry = wiring::catalogue()?;
        let mut workflows = Vec::new();
        for file in std::iter::once(&self.file).chain(&self.with) {
            workflows.push(Arc::new(validate::compile_or_report(file)?.1));
        }
        let mut scenario = self.scenario(&workflows, &registry)?;
        if let Some(now) = self.now {
            scenario.setting.now = Some(now);
        }
        let starts = self.starts()?;
        if let Some(workflow) = workflows.first() {
            starts.check(workflow, self.contacts.is_some()).map_err(Failure::wrong_use)?;
        }
        let mut stage = Stage::new(workflows.clone());
        stage.seed = self.seed;
        let look = Look::of_stdout();
        if let Some(number) = self.contacts {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let (watched_for, over) = (self.watched_for, self.over);
            let counts = contacts(&Crowd { stage, starts, scenario: &scenario, watched_for, over, previews: &registry, contacts: number, threads });
            let document = serde_json::to_value(&counts).map_err(|error| Failure::because("the counts cannot be shown", &error))?;
            context.print(&document, |_| told::crowd(&counts, look));
            return if counts.faults.is_empty() && counts.runs > 0 { Ok(()) } else { Err(Failure::Shown) };
        }
        let played = timeline(&TimelineSetup { stage, starts, scenario: &scenario, watched_for: self.watched_for, previews: &registry });
        let mut document = serde_json::to_value(&played).map_err(|error| Failure::because("the timeline cannot be shown", &error))?;
        // The run that is meant stands at the top, as `onward run` gives it.
        if let (Some(first), Some(document)) = (document.pointer("/runs/0").cloned(), document.as_object_mut()) {
            for name in ["run_id", "status", "output", "error", "history"] {
                document.insert(name.into(), first.get(name).cloned().unwrap_or_default());
            }
        }
        context.print(&document, |_| told::timeline(&played, &workflows, look));
        if played.runs.is_empty() || played.given_up || !played.faults.is_empty() { Err(Failure::Shown) } else { Ok(()) }
    }

    fn starts(&self) -> Result<Starts, Failure> {
        if let Some(file) = &self.event {
            let event = event(&input::json_file(file, limits::EVENT_BYTES_MAX)?).map_err(Failure::wrong_use)?;
            return Ok(Starts::Begin(Begin::Event(event)));
        }
        if let (Some(path), Some(file)) = (&self.webhook, &self.body) {
            return Ok(Starts::Webhook { path: Some(path.clone()), body: input::json_file(file, limits::WEBHOOK_BYTES)? });
        }
        if let Some(span) = &self.schedule {
            return Ok(Starts::Schedule(span.clone()));
        }
        let input = self.input.as_deref().map_or_else(|| Ok(json!({})), |text| input::json("--input", text))?;
        Ok(Starts::Begin(Begin::Input(input)))
    }

    fn scenario(&self, workflows: &[Arc<Workflow>], registry: &dyn onward_runtime::play::Previews) -> Result<Scenario, Failure> {
        let Some(path) = &self.mock else { return Ok(Scenario::default()) };
        let shown = path.display().to_string();
        let mut read = Scenario::parse(&input::workflow_file(path)?);
        if let Some(scenario) = &read.value {
            let borrowed: Vec<&Workflow> = workflows.iter().map(AsRef::as_ref).collect();
            read.problems.extend(scenario.check(&borrowed, registry));
        }
        let told: Vec<String> = read.problems.iter().map(|problem| render_problem(&shown, problem)).collect();
        match read.value {
            Some(scenario) if read.problems.iter().all(|problem| problem.severity != Severity::Error) => Ok(scenario),
            _ => Err(Failure::new(told.join("\n"))),
        }
    }
}

/// An event as JSON writes it.
fn event(document: &Value) -> Result<EventDraft, String> {
    EventDraft::from_value(document).map_err(|problem| format!("the event: {problem}"))
}
