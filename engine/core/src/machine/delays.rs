//! Delays, and lengths of time by the calendar and by opening hours.

use super::{
    Action,
    steps::as_text,
    time,
    turn::{Stop, Turn, identifier},
};
use crate::{
    ErrorCode, StepError, Timestamp, Value,
    definition::{Delay, OpenHours, Span, SpanTemplate, Until, UntilPhrase, Zone},
    expression::moment,
    history::{Fact, StepPath},
    hours::OpeningHours,
};

impl Turn<'_, '_> {
    pub(super) fn begin_delay(&mut self, path: &StepPath, delay: &Delay) -> Result<(), Stop> {
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
            let hours = match hours {
                OpenHours::Organisation => self.business_hours(path)?,
                OpenHours::Days { days, from, to } => OpeningHours::weekly(*days, *from, *to),
            };
            due = hours.open_at(due.max(self.at), &zone).map_err(invalid)?;
        }
        self.record(Some(path), Fact::TimerSet { due });
        if due <= self.at {
            self.record(Some(path), Fact::TimerFired { due });
        } else {
            self.act(Action::SetTimer { key: path.to_string(), due });
        }
        Ok(())
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
        let scope = self.scope(&[record], None, Some(path))?;
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
        let invalid = |message: String| Stop::Failed(StepError::new(ErrorCode::InvalidInput, message));
        match template {
            SpanTemplate::Fixed(span) => Ok(span.add_to(self.at, zone)),
            SpanTemplate::Rendered(template) => {
                let text = as_text(&self.render(template, path)?);
                Ok(Span::parse(&text).map_err(invalid)?.add_to(self.at, zone))
            }
            SpanTemplate::OpenTime(length) => {
                let millis = self.span_end_in(length, path, zone)?.millis_since(self.at);
                let hours = self.business_hours(path)?;
                let zone = moment::zone(zone).map_err(invalid)?;
                hours.after(self.at, millis, &zone).map_err(invalid)
            }
        }
    }

    fn business_hours(&mut self, path: &StepPath) -> Result<OpeningHours, Stop> {
        let hours = self.read_field("org", "business_hours", path)?;
        OpeningHours::parse(&hours).map_err(|problem| Stop::Failed(StepError::new(ErrorCode::InvalidInput, format!("the organisation's hours: {problem}"))))
    }
}
