//! From history entries to what a person sees: one moment for each thing that happened, with what belongs to it.

use super::{
    phrases::{self, Almanac, length},
    reasons,
};
use crate::terminal::Paint;
use onward_core::{
    Object, StepError, Timestamp, Value,
    definition::Workflow,
    history::{ChildOutcome, Entry, Fact, OpenMatch},
    machine::EXIT_TARGET,
};
use std::collections::BTreeMap;

/// The sign before a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Start,
    Good,
    Bad,
    Busy,
    Waiting,
    Choice,
    Skipped,
    Note,
    End,
}

impl Mark {
    /// In Unicode, in ASCII, and its colour.
    pub(super) fn look(self) -> (&'static str, &'static str, Paint) {
        match self {
            Self::Start => ("▶", ">", Paint::Strong),
            Self::Good => ("✔", "+", Paint::Good),
            Self::Bad => ("✘", "x", Paint::Bad),
            Self::Busy => ("…", "~", Paint::Attention),
            Self::Waiting => ("◷", "@", Paint::Attention),
            Self::Choice => ("◆", "?", Paint::Name),
            Self::Skipped => ("○", "-", Paint::Faint),
            Self::Note => ("·", ".", Paint::Faint),
            Self::End => ("■", "=", Paint::Strong),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) depth: usize,
    pub(super) mark: Mark,
    pub(super) title: String,
    pub(super) what: String,
    /// A word and its text.
    pub(super) notes: Vec<(&'static str, String)>,
}

/// Reads a history.
pub(super) struct Reader<'a> {
    workflow: Option<&'a Workflow>,
    almanac: &'a Almanac,
    now: Timestamp,
    /// Characters of a note.
    width: usize,
    moments: Vec<Moment>,
    /// The moment of a step in progress.
    open: BTreeMap<String, usize>,
    /// Fields of records that were read for what comes next.
    reads: Vec<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(workflow: Option<&'a Workflow>, almanac: &'a Almanac, now: Timestamp, width: usize) -> Self {
        Self { workflow, almanac, now, width, moments: Vec::new(), open: BTreeMap::new(), reads: Vec::new() }
    }

    pub(super) fn moments(mut self, history: &[Value]) -> Vec<Moment> {
        for item in history {
            match serde_json::from_value::<Entry>(item.clone()) {
                Ok(entry) => self.read(&entry),
                Err(_) => self.unknown(item),
            }
        }
        self.moments
    }

    /// A kind that this build does not know: shown as it is.
    fn unknown(&mut self, item: &Value) {
        let at = item.get("at").and_then(Value::as_str).and_then(|at| at.parse().ok()).unwrap_or(Timestamp::MIN);
        let kind = item.get("kind").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let step = item.get("step").and_then(Value::as_str).map(str::to_owned);
        self.moment(at, step.as_deref(), Mark::Note, kind);
    }

    fn read(&mut self, entry: &Entry) {
        let (at, step) = (entry.at, entry.step.as_deref());
        match &entry.fact {
            Fact::RunStarted { event, input, trigger, depth, .. } => {
                let said = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let by = match trigger {
                    Some(_) => format!("by event {} from {}", said("type"), said("source")),
                    None => "by hand".to_owned(),
                };
                self.moment(at, None, Mark::Start, by);
                self.title_last("started");
                self.value("input", input);
                if *depth > 0 {
                    self.note("depth", &format!("{depth} runs and events led here"));
                }
            }
            Fact::StepScheduled { node, attempt, input, .. } => self.scheduled(at, step, node, *attempt, input.as_deref()),
            Fact::StepCompleted { output, truncated, .. } => {
                self.close(at, step, Mark::Good, None);
                self.value("gave", output);
                if *truncated {
                    self.note("gave", "… and more: the output was too long and is cut");
                }
            }
            Fact::StepFailed { error, continued } => {
                self.close(at, step, Mark::Bad, Some("failed"));
                self.error("error", error);
                if *continued {
                    self.note("then", "goes on all the same (on_error: continue)");
                }
            }
            Fact::StepSkipped { output } => {
                self.moment(at, step, Mark::Skipped, "skipped: its `if` does not hold".to_owned());
                self.condition(step, None);
                if let Some(output) = output {
                    self.value("stands", output);
                }
            }
            Fact::StepCancelled { .. } => self.close(at, step, Mark::Skipped, Some("cancelled")),
            Fact::RetryScheduled { attempt, due, error, free } => {
                let uncounted = if *free { ", not counted" } else { "" };
                let again = format!("{attempt} {}: {}; again {}{uncounted}", error.code, error.message, self.almanac.due(*due, at));
                self.reopen(step, at);
                self.note("try", &again);
            }
            Fact::TimerSet { due } => {
                self.moment(at, step, Mark::Waiting, format!("sleeps until {}", self.almanac.due(*due, self.now)));
                self.opened(step);
            }
            Fact::TimerFired { .. } => self.close(at, step, Mark::Good, Some("slept")),
            Fact::WaitOpened { waits, deadline, .. } => self.wait_opened(at, step, waits, *deadline),
            Fact::WaitResolved { which, event, by, .. } => {
                let kind = event.get("type").and_then(Value::as_str).unwrap_or(which);
                let named = if which == "event" { String::new() } else { format!(" ({which})") };
                self.close(at, step, Mark::Good, Some("waited"));
                self.note("came", &format!("{kind}{named}"));
                if let Some(by) = by {
                    self.note("by", &format!("{by}, by hand"));
                }
                if let Some(data) = event.get("data") {
                    self.value("data", data);
                }
            }
            Fact::WaitTimedOut { .. } => {
                self.close(at, step, Mark::Waiting, Some("waited in vain"));
                self.note("then", "timed out: nothing came");
            }
            Fact::BranchTaken { branch } => {
                let taken = match branch.as_str() {
                    "all" => "runs its branches side by side".to_owned(),
                    "try" => "tries".to_owned(),
                    "finally" => "goes on with `finally`".to_owned(),
                    other => match other.strip_prefix("catch:") {
                        Some(clause) => format!("caught by clause {clause}"),
                        None if other.parse::<u32>().is_ok() => format!("takes branch {other}"),
                        None => format!("takes `{other}`"),
                    },
                };
                self.moment(at, step, Mark::Choice, taken);
                self.condition(step, Some(branch));
            }
            Fact::VariantChosen { variant, by, sticky } => {
                let how = if *sticky { "as before" } else { "now and from here on" };
                self.moment(at, step, Mark::Choice, format!("variant `{variant}`, {how} for {by}"));
            }
            Fact::VarsSet { values } => {
                self.moment(at, step, Mark::Note, format!("sets {}", names(values)));
                self.value("vars", &Value::Object(values.clone()));
            }
            Fact::ValueRead { values } => {
                let width = self.width;
                self.reads.extend(values.iter().map(|(path, value)| ("read", phrases::cut(&format!("{path} = {value}"), width))));
            }
            Fact::Bound { record, id } => self.note("is", &format!("{record} {id}")),
            Fact::EventEmitted { event, data, .. } => {
                self.moment(at, step, Mark::Good, format!("emits {event}"));
                self.value("data", data);
            }
            Fact::Held { until, reason } => {
                let until = until.map_or_else(|| "until something changes".to_owned(), |until| format!("until {}", self.almanac.due(until, self.now)));
                self.reopen(step, at);
                self.note("held", &format!("{until}: {reason}"));
            }
            Fact::Exited { exit, event, .. } => {
                self.moment(at, None, Mark::Choice, format!("ends early: {} came", exit.event));
                self.title_last("exit");
                if let Some(data) = event.get("data") {
                    self.value("data", data);
                }
            }
            Fact::Paused { by, reason } => self.plain(at, step, "paused", by, reason.as_deref()),
            Fact::Resumed { by } => self.plain(at, step, "resumed", by, None),
            Fact::Reopened { by, action, fork, .. } => {
                let how = match (fork, action.as_str(), step) {
                    (Some(fork), ..) => format!("a copy of run {} goes on from here", fork.source),
                    (None, "skip", Some(step)) => format!("without {step}"),
                    (None, "edit", Some(step)) => format!("from {step} on, with another input"),
                    (None, _, Some(step)) => format!("from {step} on"),
                    (None, action, None) => action.to_owned(),
                };
                self.plain(at, None, if fork.is_some() { "forked" } else { "taken up again" }, by, Some(&how));
            }
            Fact::CancelRequested { by, reason, .. } => self.plain(at, step, "cancel asked", by, reason.as_deref()),
            Fact::RunCompleted { output, exit } => {
                let how = exit.as_ref().map_or_else(|| "completed".to_owned(), |exit| format!("completed early, on {exit}"));
                self.end(at, &how);
                self.value("output", output);
            }
            Fact::RunFailed { error } => {
                self.end(at, "failed");
                match &error.step {
                    // What to do stands at the step.
                    Some(step) => self.note("error", &format!("{} at {step}", error.code)),
                    None => self.error("error", error),
                }
            }
            Fact::RunCancelled { reason } => self.end(at, &reason.as_ref().map_or_else(|| "cancelled".to_owned(), |reason| format!("cancelled: {reason}"))),
            Fact::IterationStarted { index, items, .. } => {
                let what = match items.as_ref().and_then(Value::as_array) {
                    Some(items) => format!("goes through {} items", items.len()),
                    None => format!("pass {index} begins"),
                };
                self.moment(at, step, Mark::Choice, what);
            }
            Fact::ChildStarted { workflow, run_id, input } => {
                self.moment(at, step, Mark::Waiting, format!("runs {workflow} as {run_id}"));
                self.opened(step);
                self.value("with", input);
            }
            Fact::ChildEnded { outcome, .. } => match outcome {
                ChildOutcome::Completed { output } => {
                    self.close(at, step, Mark::Good, Some("its run completed after"));
                    self.value("gave", output);
                }
                ChildOutcome::Failed { .. } => self.note("then", "its run failed"),
                ChildOutcome::Cancelled {} => self.note("then", "its run was cancelled"),
                ChildOutcome::Continued { next } => self.note("then", &format!("its run went on as {next}")),
            },
            Fact::AskOpened { question, deadline } => {
                let until = deadline.map_or_else(String::new, |due| format!(", until {}", self.almanac.due(due, self.now)));
                let title = question.get("title").and_then(Value::as_str).unwrap_or_default();
                self.moment(at, step, Mark::Waiting, format!("asks \"{title}\"{until}"));
                self.opened(step);
                self.value("who", question.get("who").unwrap_or(&Value::Null));
            }
            Fact::AskAnswered { answer, by } => {
                self.close(at, step, Mark::Good, Some("answered after"));
                self.note("by", by);
                self.value("said", answer);
            }
            Fact::CompensationStarted { node } => self.moment(at, step, Mark::Choice, format!("is undone by {node}")),
            Fact::EventConsumed { .. } | Fact::Checkpointed {} => {}
            Fact::Migrated { version, .. } => self.moment(at, step, Mark::Choice, format!("moves to version {version}")),
        }
    }

    fn scheduled(&mut self, at: Timestamp, step: Option<&str>, node: &str, attempt: u32, input: Option<&Value>) {
        if attempt > 1 && step.is_some_and(|step| self.open.contains_key(step)) {
            self.reopen(step, at);
            self.note("try", &format!("{attempt} begins {}", self.almanac.time(at)));
        } else {
            self.moment(at, step, Mark::Busy, format!("{node} is at work"));
            self.opened(step);
        }
        if let Some(input) = input {
            self.value("with", input);
        }
    }

    fn wait_opened(&mut self, at: Timestamp, step: Option<&str>, waits: &BTreeMap<String, OpenMatch>, deadline: Option<Timestamp>) {
        let events: Vec<&str> = waits.values().map(|wait| wait.event.as_str()).collect();
        if step.is_none_or(|step| step.starts_with(EXIT_TARGET)) {
            // Every run with an `exit_on` has it: that it listens is news only to whoever looks at each entry.
            self.moment(at, None, Mark::Note, format!("ends early when {} comes", events.join(" or ")));
            return self.title_last("listens");
        }
        let until = deadline.map_or_else(String::new, |due| format!(", until {}", self.almanac.due(due, self.now)));
        self.moment(at, step, Mark::Waiting, format!("waits for {}{until}", events.join(" or ")));
        self.opened(step);
        for (name, wait) in waits {
            let which = if waits.len() > 1 { format!("{name}: ") } else { String::new() };
            let matches: Vec<String> = wait.values.iter().map(|(path, value)| format!("{path} = {value}")).collect();
            if !matches.is_empty() {
                self.note("where", &format!("{which}{}", matches.join(" and ")));
            }
        }
    }

    /// Adds a moment; what was read for it goes with it.
    fn moment(&mut self, at: Timestamp, step: Option<&str>, mark: Mark, what: String) {
        let (title, depth) = self.heading(step);
        let notes = std::mem::take(&mut self.reads);
        self.moments.push(Moment { at, depth, mark, title, what, notes });
    }

    fn plain(&mut self, at: Timestamp, step: Option<&str>, title: &str, by: &str, reason: Option<&str>) {
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        self.moment(at, step, Mark::Note, format!("by {by}{reason}"));
        self.title_last(title);
    }

    fn end(&mut self, at: Timestamp, how: &str) {
        let began = self.moments.first().map_or(at, |first| first.at);
        self.moment(at, None, Mark::End, format!("{how}, after {}", length(at.millis_since(began))));
        self.title_last("ended");
    }

    /// The step is in progress from the last moment on.
    fn opened(&mut self, step: Option<&str>) {
        if let Some(step) = step {
            self.open.insert(step.to_owned(), self.moments.len() - 1);
        }
    }

    /// Notes that follow belong to the step in progress: it is moved to the end where it is not the last.
    fn reopen(&mut self, step: Option<&str>, at: Timestamp) {
        match step.and_then(|step| self.open.get(step)) {
            Some(index) if *index + 1 == self.moments.len() => {}
            _ => {
                self.moment(at, step, Mark::Busy, "goes on".to_owned());
                self.opened(step);
            }
        }
    }

    /// The step in progress ends: its moment says how, and how long it took.
    fn close(&mut self, at: Timestamp, step: Option<&str>, mark: Mark, word: Option<&str>) {
        let open = step.and_then(|step| self.open.remove(step));
        let began = open.and_then(|index| self.moments.get(index)).map(|moment| moment.at);
        let last = open.filter(|index| *index + 1 == self.moments.len());
        let Some(moment) = last.and_then(|index| self.moments.get_mut(index)) else {
            // Something else was told since: this is a line of its own, and says as much.
            let what = match (word.and_then(|word| word.strip_suffix(" after")), began) {
                (Some(word), Some(began)) => format!("{word} after {}", length(at.millis_since(began))),
                (Some(word), None) => word.to_owned(),
                (None, _) => word.unwrap_or("done").to_owned(),
            };
            self.moment(at, step, mark, what);
            return;
        };
        let took = length(at.millis_since(moment.at));
        let subject = moment.what.strip_suffix(" is at work").map(str::to_owned);
        moment.mark = mark;
        moment.what = match (subject, word) {
            (Some(node), Some("failed")) => format!("{node} failed after {took}"),
            (Some(node), Some(word)) => format!("{node} {word} after {took}"),
            (Some(node), None) => format!("{node}, {took}"),
            (None, word) => format!("{} {took}", word.unwrap_or("took")),
        };
        moment.notes.append(&mut self.reads);
    }

    fn title_last(&mut self, title: &str) {
        if let Some(moment) = self.moments.last_mut() {
            title.clone_into(&mut moment.title);
        }
    }

    fn note(&mut self, word: &'static str, text: &str) {
        let text = phrases::cut(text, self.width);
        if let Some(moment) = self.moments.last_mut() {
            moment.notes.push((word, text));
        }
    }

    /// A value as a note; nothing worth showing is left out.
    fn value(&mut self, word: &'static str, value: &Value) {
        let empty = match value {
            Value::Null => true,
            Value::Object(object) => object.is_empty(),
            _ => false,
        };
        if !empty {
            self.note(word, &phrases::value(value, self.width));
        }
    }

    fn error(&mut self, word: &'static str, error: &StepError) {
        self.note(word, &format!("{}: {}", error.code, error.message));
        if let Some(remedy) = super::remedies::remedy(&error.code) {
            self.note("remedy", remedy);
        }
    }

    /// The condition that decided.
    fn condition(&mut self, step: Option<&str>, branch: Option<&str>) {
        let found = step.and_then(|step| self.outline(step)).and_then(|(workflow, index)| reasons::reason(workflow, &workflow.outline[index].position, branch));
        if let Some(line) = found {
            self.note("why", &line);
        }
    }

    fn outline(&self, step: &str) -> Option<(&'a Workflow, usize)> {
        // Behind `#` stand the iterations that the step is in.
        let key = step.split('#').next().unwrap_or(step);
        let workflow = self.workflow?;
        workflow.outline.iter().position(|line| &*line.key == key).map(|index| (workflow, index))
    }

    /// What a step is called, and how deep it stands.
    fn heading(&self, step: Option<&str>) -> (String, usize) {
        let Some(step) = step else { return (String::new(), 0) };
        match self.outline(step) {
            // A key that was made up, such as `reply/do:message.send:2`, tells less than the title.
            Some((workflow, index)) if step.contains([':', '/']) => (workflow.outline[index].title.clone(), workflow.outline[index].depth),
            Some((workflow, index)) => (step.to_owned(), workflow.outline[index].depth),
            None => (step.to_owned(), 0),
        }
    }
}

fn names(values: &Object) -> String {
    values.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
