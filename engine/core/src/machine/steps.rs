//! How each verb begins.

use super::{
    Action, Need, correlation_of,
    fold::branch_block,
    state::{Active, Opening},
    time,
    turn::{Stop, Turn, identifier},
};
use crate::{
    ErrorCode, NewEvent, StepError, Timestamp, Value,
    definition::{Block, Delay, Match, Since, Span, SpanTemplate, Step, Until, UntilPhrase, Variant, Verb, WaitRule, Zone},
    digest,
    expression::{Condition, Template, moment},
    history::{Fact, OpenMatch, StepPath},
};
use std::{collections::BTreeMap, sync::Arc};

impl Turn<'_, '_> {
    /// Begins the step at which the run stands.
    pub(super) fn begin(&mut self, step: &Step) -> Result<(), Stop> {
        let path = Arc::clone(&step.key);
        if let Some(guard) = &step.guard
            && !self.test(guard, &path)?
        {
            self.record(Some(&path), Fact::StepSkipped { output: None });
            return Ok(());
        }
        match &step.verb {
            Verb::Do { node, with, .. } => self.begin_node(step, &path, node, with),
            Verb::If { condition, .. } => {
                let branch = if self.test(condition, &path)? { "then" } else { "else" };
                self.record(Some(&path), Fact::BranchTaken { branch: branch.to_owned() });
                Ok(())
            }
            Verb::Choose { branches, .. } => {
                let mut taken = "else".to_owned();
                for (index, (condition, _)) in branches.iter().enumerate() {
                    if self.test(condition, &path)? {
                        taken = (index + 1).to_string();
                        break;
                    }
                }
                self.record(Some(&path), Fact::BranchTaken { branch: taken });
                Ok(())
            }
            Verb::Split { variants, by, .. } => self.begin_split(step, &path, variants, by.as_ref()),
            Verb::Delay(delay) => self.begin_delay(&path, delay),
            Verb::WaitFor { waits, since, .. } => self.begin_wait(step, &path, waits, since),
            Verb::Set(values) => {
                let mut set = crate::Object::new();
                for (name, template) in values {
                    let value = self.render(template, &path)?;
                    set.insert(name.clone(), value);
                }
                self.record(Some(&path), Fact::VarsSet { values: set });
                Ok(())
            }
            Verb::Emit { event, with } => self.begin_emit(&path, event, with),
            Verb::Stop { failed, reason, output } => {
                let reason = match reason {
                    Some(template) => Some(as_text(&self.render(template, &path)?)),
                    None => None,
                };
                let output = match output {
                    Some(template) => self.render(template, &path)?,
                    None => Value::Null,
                };
                if *failed {
                    let message = reason.unwrap_or_else(|| "the workflow stopped here".into());
                    self.fail_run(StepError::new(ErrorCode::Provider("workflow:stopped".into()), message).at_step(&*path));
                } else {
                    self.complete(output, None);
                }
                Ok(())
            }
        }
    }

    fn begin_node(&mut self, step: &Step, path: &StepPath, node: &str, with: &Template) -> Result<(), Stop> {
        let input = self.render(with, path)?;
        let timeout_ms = match &step.timeout {
            Some(template) => Some(self.span_end(template, path)?.millis_since(self.at).max(1)),
            None => None,
        };
        self.record(Some(path), Fact::StepScheduled { node: node.to_owned(), attempt: 1, generation: 0, input: Some(input), timeout_ms, prepared: None });
        self.run_in_flight();
        Ok(())
    }

    /// Hands the call that is now in flight to the runtime.
    pub(super) fn run_in_flight(&mut self) {
        for call in self.state.in_flight() {
            self.act(Action::Run(call));
        }
    }

    fn begin_split(&mut self, step: &Step, path: &StepPath, variants: &[Variant], by: Option<&Template>) -> Result<(), Stop> {
        let by = match by {
            Some(template) => {
                let value = self.render(template, path)?;
                identifier(&value).ok_or_else(|| {
                    Stop::Failed(StepError::new(
                        ErrorCode::InvalidInput,
                        format!("split: `by` is {value}; it must be a text or a number that names whom the variant is for"),
                    ))
                })?
            }
            None => self.state.bindings.get("contact").cloned().unwrap_or_else(|| self.state.key.to_string()),
        };
        let organisation = self.context.organisation;
        let chance = digest::fraction(&[organisation.0.as_bytes(), self.workflow.name.as_bytes(), step.key.as_bytes(), by.as_bytes()]);
        let proposal = choose(variants, chance);
        let Some((stored, sticky)) = self.context.known.variants.get(path).cloned() else {
            self.decision.need = Some(Need::Variant { step: Arc::clone(path), by, proposal });
            return Err(Stop::Need);
        };
        // A stored variant that this version does not have any more gives way to the one proposed.
        let (variant, sticky) = if branch_block(step, &stored).is_some() { (stored, sticky) } else { (proposal, false) };
        self.record(Some(path), Fact::VariantChosen { variant, by, sticky });
        Ok(())
    }

    fn begin_delay(&mut self, path: &StepPath, delay: &Delay) -> Result<(), Stop> {
        let zone_name = self.zone_of(delay.timezone.as_ref(), path)?;
        let invalid = |message: String| Stop::Failed(StepError::new(ErrorCode::InvalidInput, message));
        let zone = moment::zone(&zone_name).map_err(invalid)?;
        let mut due = self.at;
        if let Some(length) = &delay.length {
            due = self.span_end_in(length, path, &zone_name)?;
        }
        if let Some(until) = &delay.until {
            due = match until {
                Until::Phrase(phrase) => time::phrase(phrase, self.at, &zone).map_err(invalid)?,
                Until::Rendered(template) => {
                    let value = self.render(template, path)?;
                    let text = value.as_str().ok_or_else(|| {
                        invalid(format!("delay: `until` is {value}; it must be a time such as 2026-12-24T09:00:00Z or a phrase such as `tomorrow 09:30`"))
                    })?;
                    match text.parse::<Timestamp>() {
                        Ok(moment) => moment,
                        Err(_) => time::phrase(&UntilPhrase::parse(text).map_err(invalid)?, self.at, &zone).map_err(invalid)?,
                    }
                }
            };
        }
        if let Some(offset) = &delay.offset {
            due = offset.add_to(due, &zone_name);
        }
        if let Some(hours) = &delay.within {
            let organisation_hours = match hours {
                crate::definition::OpenHours::Organisation => self.read_field("org", "business_hours", path)?,
                crate::definition::OpenHours::Days { .. } => Value::Null,
            };
            due = time::open_moment(hours, &organisation_hours, due.max(self.at), &zone).map_err(invalid)?;
        }
        self.record(Some(path), Fact::TimerSet { due });
        if due <= self.at {
            self.record(Some(path), Fact::TimerFired { due });
        } else {
            self.act(Action::SetTimer { key: path.to_string(), due });
        }
        Ok(())
    }

    fn begin_wait(&mut self, step: &Step, path: &StepPath, waits: &[(String, WaitRule)], since: &Since) -> Result<(), Stop> {
        let mut open = BTreeMap::new();
        for (name, rule) in waits {
            let values = self.match_values(&rule.matching, path)?.ok_or_else(|| {
                Stop::Failed(StepError::new(ErrorCode::InvalidInput, "match: contact, but the run has no contact yet; find or upsert one in a step before"))
            })?;
            open.insert(name.clone(), OpenMatch { event: rule.event.clone(), values });
        }
        let deadline = match &step.timeout {
            Some(template) => Some(self.span_end(template, path)?),
            None => None,
        };
        let since = self.since(step, since);
        let mut listens = Vec::with_capacity(open.len());
        for (which, wait) in &open {
            let correlation = correlation_of(self.context.organisation, &wait.event, &wait.values)
                .map_err(|message| Stop::Failed(StepError::new(ErrorCode::InvalidInput, message)))?;
            listens.push(Action::OpenWait { target: path.to_string(), which: which.clone(), correlation, since: Some(since) });
        }
        self.record(Some(path), Fact::WaitOpened { waits: open, since, deadline });
        if let Some(due) = deadline {
            self.act(Action::SetTimer { key: path.to_string(), due });
        }
        self.decision.actions.append(&mut listens);
        Ok(())
    }

    /// The values of a `match`; `None` when it needs a contact that the run does not have yet.
    pub(super) fn match_values(&mut self, matching: &Match, path: &StepPath) -> Result<Option<BTreeMap<String, Value>>, Stop> {
        match matching {
            Match::Any => Ok(Some(BTreeMap::new())),
            Match::Contact => Ok(self.state.bindings.get("contact").map(|id| [("contact_id".to_owned(), Value::from(id.as_str()))].into())),
            Match::Values(values) => {
                let mut rendered = BTreeMap::new();
                for (name, template) in values {
                    rendered.insert(name.clone(), self.render(template, path)?);
                }
                Ok(Some(rendered))
            }
        }
    }

    /// From when on events count for a wait (SEMANTICS.md 11).
    fn since(&self, step: &Step, since: &Since) -> Timestamp {
        let began = |key: &Arc<str>| self.state.began.get(key).copied();
        match since {
            Since::Run => self.state.started_at,
            Since::Step(key) => began(key).unwrap_or(self.state.started_at),
            Since::Preceding => match preceding(&self.workflow.steps, None, &step.key) {
                Some(Preceding::Step(key)) => began(key).unwrap_or(self.state.started_at),
                Some(Preceding::Nothing) | None => self.state.started_at,
            },
        }
    }

    fn begin_emit(&mut self, path: &StepPath, event: &Template, with: &Template) -> Result<(), Stop> {
        let kind = as_text(&self.render(event, path)?);
        if kind.is_empty() || !kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte)) {
            return Err(Stop::Failed(StepError::new(
                ErrorCode::InvalidInput,
                format!("emit: {kind:?} is no event type; use lower-case letters, digits, dots, dashes and underscores"),
            )));
        }
        let data = self.render(with, path)?;
        let id = self.event_id_of(path, self.state.emitted);
        self.record(Some(path), Fact::EventEmitted { event: kind.clone(), id: id.clone(), data: data.clone() });
        let event = self.own_event(kind, id, data);
        self.act(Action::Emit(event));
        Ok(())
    }

    /// hash(run, step path, n) (SEMANTICS.md 8).
    pub(super) fn event_id_of(&self, path: &str, number: u64) -> String {
        hex::encode(digest::short(&[self.state.run_id.0.as_bytes(), path.as_bytes(), &number.to_be_bytes()]))
    }

    /// An event of this run, one cause deeper than the run.
    pub(super) fn own_event(&self, kind: String, id: String, data: Value) -> NewEvent {
        NewEvent {
            organisation: self.context.organisation,
            kind,
            source: format!("/workflows/{}", self.workflow.name),
            id: Some(id),
            subject: Some(self.state.run_id.to_string()),
            time: Some(self.at),
            data,
            cause: Some(self.state.run_id),
            depth: self.state.depth.saturating_add(1),
        }
    }

    /// Listens for every exit that can be listened for by now and is not yet.
    pub(super) fn open_exits(&mut self) {
        let mut opened = BTreeMap::new();
        let mut listens = Vec::new();
        // A rule that listens from the start needs no look back; one that had to wait for a step or a contact does.
        let since = (self.state.opening == Opening::Done).then_some(self.state.started_at);
        for (index, exit) in self.workflow.exit_on.iter().enumerate() {
            if self.state.exits_open.contains_key(&index) || !exit.after.iter().all(|step| self.state.outputs.contains_key(step)) {
                continue;
            }
            let path: StepPath = format!("{}{index}", super::EXIT_TARGET).into();
            // No contact yet, a record to be read first, or a value that is missing so far: later.
            let Ok(Some(values)) = self.match_values(&exit.rule.matching, &path) else {
                self.decision.need = None;
                continue;
            };
            let Ok(correlation) = correlation_of(self.context.organisation, &exit.rule.event, &values) else { continue };
            opened.insert(path.to_string(), OpenMatch { event: exit.rule.event.clone(), values });
            listens.push(Action::OpenWait { target: path.to_string(), which: "event".into(), correlation, since });
        }
        if !opened.is_empty() {
            self.record(None, Fact::WaitOpened { waits: opened, since: since.unwrap_or(self.at), deadline: None });
            self.decision.actions.append(&mut listens);
        }
    }

    /// Whether a condition holds; notes what it read.
    pub(super) fn test(&mut self, condition: &Condition, path: &StepPath) -> Result<bool, Stop> {
        let scope = self.scope(condition.records(), None)?;
        let holds = condition.test(&scope)?;
        self.note_reads(Some(path), &scope);
        Ok(holds)
    }

    /// A template's value; notes what it read.
    pub(super) fn render(&mut self, template: &Template, path: &StepPath) -> Result<Value, Stop> {
        let scope = self.scope(template.records(), None)?;
        let value = template.render(&scope)?;
        self.note_reads(Some(path), &scope);
        Ok(value)
    }

    /// The zone of a delay.
    fn zone_of(&mut self, zone: Option<&Zone>, path: &StepPath) -> Result<String, Stop> {
        match zone {
            Some(Zone::Named(name)) => Ok(name.clone()),
            Some(Zone::Contact) => {
                let value = self.read_field("contact", "timezone", path)?;
                Ok(identifier(&value).unwrap_or_else(|| self.state.timezone.to_string()))
            }
            None => Ok(self.state.timezone.to_string()),
        }
    }

    /// One field of a live record, noted as read.
    fn read_field(&mut self, record: &'static str, field: &str, path: &StepPath) -> Result<Value, Stop> {
        let scope = self.scope(&[record], None)?;
        let value = scope.records.known.get(record).and_then(|record| record.get(field)).cloned().unwrap_or_default();
        if scope.records.known.get(record).is_some_and(|record| !record.is_null()) {
            scope.records.note_used(format!("{record}.{field}"), value.clone());
        }
        self.note_reads(Some(path), &scope);
        Ok(value)
    }

    /// Now plus a length of time, in the organisation's zone.
    pub(super) fn span_end(&mut self, template: &SpanTemplate, path: &StepPath) -> Result<Timestamp, Stop> {
        let zone = self.state.timezone.to_string();
        self.span_end_in(template, path, &zone)
    }

    fn span_end_in(&mut self, template: &SpanTemplate, path: &StepPath, zone: &str) -> Result<Timestamp, Stop> {
        match template {
            SpanTemplate::Fixed(span) => Ok(span.add_to(self.at, zone)),
            SpanTemplate::Rendered(template) => {
                let text = as_text(&self.render(template, path)?);
                let span = Span::parse(&text).map_err(|message| Stop::Failed(StepError::new(ErrorCode::InvalidInput, message)))?;
                Ok(span.add_to(self.at, zone))
            }
        }
    }

    /// Whether a wait is open at this path, with its facts.
    pub(super) fn open_wait(&self, path: &str) -> Option<(BTreeMap<String, OpenMatch>, Timestamp, Option<Timestamp>)> {
        match self.state.cursor.leaf() {
            Some(Active::Wait { path: open, waits, since, deadline }) if &**open == path => Some((waits.clone(), *since, *deadline)),
            _ => None,
        }
    }
}

/// What stands before a step: the sibling before it, or else the step around it.
enum Preceding<'w> {
    Step(&'w Arc<str>),
    /// It is the first step of all.
    Nothing,
}

fn preceding<'w>(block: &'w Block, around: Option<&'w Arc<str>>, key: &str) -> Option<Preceding<'w>> {
    for (index, step) in block.steps.iter().enumerate() {
        if &*step.key == key {
            let before = index.checked_sub(1).and_then(|index| block.steps.get(index)).map(|sibling| &sibling.key);
            return Some(before.or(around).map_or(Preceding::Nothing, Preceding::Step));
        }
        if let Some(found) = step.verb.blocks().into_iter().find_map(|inner| preceding(inner, Some(&step.key), key)) {
            return Some(found);
        }
    }
    None
}

/// The variant at this chance (0 to 1), by weight.
fn choose(variants: &[Variant], chance: f64) -> String {
    let total: f64 = variants.iter().map(|variant| variant.weight.max(0.0)).sum();
    let mut left = chance * total;
    for variant in variants {
        left -= variant.weight.max(0.0);
        if left < 0.0 {
            return variant.name.clone();
        }
    }
    variants.last().map(|variant| variant.name.clone()).unwrap_or_default()
}

/// Text as it is, anything else as JSON.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
