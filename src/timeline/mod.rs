//! A run's timeline, drawn so that a person sees at a glance what happened, when, why it branched, what it waits for.
//!
//! What this module must never know: where the run comes from. It draws documents of the API.

mod moments;
mod phrases;
mod reasons;
mod remedies;

#[cfg(test)]
mod tests;

pub(crate) use phrases::length;

use crate::terminal::{Look, Paint};
use moments::{Mark, Moment, Reader};
use onward_core::{Timestamp, Value, definition::Workflow};
use phrases::Almanac;

/// What is drawn.
pub(crate) struct View<'a> {
    /// The run, as the API gives it.
    pub(crate) run: &'a Value,
    /// Its history, as the API gives it.
    pub(crate) history: &'a [Value],
    /// Its definition: titles, and the lines that decided.
    pub(crate) workflow: Option<&'a Workflow>,
    /// The moment of looking.
    pub(crate) now: Timestamp,
}

/// Columns of a step's name; longer ones push the rest to the right.
const TITLE_COLUMNS: usize = 20;
/// Columns before a note.
const NOTE_INDENT: usize = 16;

/// Draws the run.
pub(crate) fn draw(view: &View<'_>, look: Look) -> String {
    let zone = view.history.first().and_then(|first| first.get("timezone")).and_then(Value::as_str).unwrap_or("UTC");
    let almanac = Almanac::of(zone);
    let moments = Reader::new(view.workflow, &almanac, view.now, look.width.saturating_sub(NOTE_INDENT + 9)).moments(view.history);
    let mut lines = header(view, &almanac, look);
    lines.push(String::new());
    let mut day = None;
    for moment in &moments {
        let today = almanac.day(moment.at);
        if day.as_ref() != Some(&today) {
            lines.push(look.paint(Paint::Faint, &if day.is_none() { format!("{today}, times of {}", almanac.name) } else { today.clone() }));
            day = Some(today);
        }
        lines.extend(drawn(moment, &almanac, look));
    }
    lines.join("\n")
}

fn field<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn moment_of(value: &Value, name: &str) -> Option<Timestamp> {
    field(value, name).parse().ok()
}

/// How a status is painted.
pub(crate) fn paint_status(status: &str) -> Paint {
    match status {
        "completed" => Paint::Good,
        "failed" => Paint::Bad,
        "cancelled" => Paint::Faint,
        _ => Paint::Attention,
    }
}

fn header(view: &View<'_>, almanac: &Almanac, look: Look) -> Vec<String> {
    let run = view.run;
    let status = field(run, "status");
    let version = run.get("version").and_then(Value::as_u64).map_or_else(String::new, |version| format!(" version {version}"));
    let mut lines =
        vec![format!("Run {}  {}{version}  {}", field(run, "id"), look.paint(Paint::Strong, field(run, "workflow")), look.paint(paint_status(status), status))];
    let mut line = |word: &str, text: String| lines.push(format!("{}  {text}", look.paint(Paint::Faint, &format!("{word:<8}"))));
    if !field(run, "key").is_empty() && field(run, "key") != field(run, "id") {
        line("key", phrases::cut(field(run, "key"), look.width));
    }
    if let Some(started) = moment_of(run, "started_at") {
        let (word, end) = match moment_of(run, "ended_at") {
            Some(ended) => ("took", ended),
            None => ("so far", view.now),
        };
        line("started", almanac.moment(started));
        line(word, length(end.millis_since(started)));
    }
    if let Some(waits) = waiting(run.get("waiting_on").unwrap_or(&Value::Null), almanac, view.now) {
        line("waits", look.paint(Paint::Attention, &waits));
    }
    if let Some(error) = run.get("error").filter(|error| error.is_object()) {
        let at = match field(error, "step") {
            "" => String::new(),
            step => format!(" at step `{step}`"),
        };
        line("error", look.paint(Paint::Bad, &phrases::cut(&format!("{}{at}: {}", field(error, "code"), field(error, "message")), look.width)));
    }
    if let Some(exit) = run.get("exit").and_then(Value::as_str) {
        line("exit", format!("on {exit}"));
    }
    lines
}

/// What a run waits for, as a sentence without its first word.
pub(crate) fn waiting_for(waiting_on: &Value, now: Timestamp) -> Option<String> {
    waiting(waiting_on, &Almanac::of("UTC"), now)
}

fn waiting(on: &Value, almanac: &Almanac, now: Timestamp) -> Option<String> {
    let until = moment_of(on, "until").map_or_else(String::new, |due| format!(" until {}", almanac.due(due, now)));
    let step = match field(on, "step") {
        "" => String::new(),
        step => format!(" at step `{step}`"),
    };
    Some(match field(on, "kind") {
        "event" => {
            let events: Vec<&str> = on.get("events").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            format!("for {}{step}{until}", events.join(" or "))
        }
        "timer" => format!("for the time{step}:{until}"),
        "retry" => format!("to try {} again{step}, after {}:{until}", field(on, "node"), field(on, "after")),
        "hold" => format!("{}{step}{until}: {}", field(on, "node"), field(on, "reason")),
        "step" => format!("for {}{step}", field(on, "node")),
        "ask" => {
            let who = on.get("who").and_then(Value::as_object).and_then(|who| who.iter().next());
            let who = who.map(|(kind, name)| format!(" from {kind} {}", name.as_str().unwrap_or_default())).unwrap_or_default();
            format!("for an answer{who}{step}{until}: {}", field(on, "title"))
        }
        "settle" => format!("for calls in flight{until}"),
        "start" => format!("to start{until}: {}", field(on, "reason")),
        "resume" => format!("for someone to resume it (paused by {})", field(on, "paused_by")),
        "" => return None,
        other => format!("for {other}{step}{until}"),
    })
}

fn drawn(moment: &Moment, almanac: &Almanac, look: Look) -> Vec<String> {
    let (unicode, ascii, paint) = moment.mark.look();
    let mark = look.paint(paint, look.either(unicode, ascii));
    let indent = "  ".repeat(moment.depth);
    // The room that the indentation took is given back, so that the third column stays straight.
    let width = TITLE_COLUMNS.saturating_sub(indent.len());
    let title = look.paint(if moment.mark == Mark::Skipped { Paint::Faint } else { Paint::Strong }, &format!("{:<width$}", moment.title));
    let first = format!("{}  {indent}{mark} {title}  {}", look.paint(Paint::Faint, &almanac.time(moment.at)), moment.what);
    let notes =
        moment.notes.iter().map(|(word, text)| format!("{}{indent}{}  {text}", " ".repeat(NOTE_INDENT), look.paint(Paint::Faint, &format!("{word:<6}"))));
    std::iter::once(first.trim_end().to_owned()).chain(notes).collect()
}
