//! Simulations for people.

use crate::{
    terminal::{Look, Paint},
    timeline::{self, View},
};
use onward_core::{Value, definition::Workflow};
use onward_runtime::{
    grouped,
    play::{Counts, StepCounts, Timeline},
};
use std::{collections::BTreeMap, sync::Arc};

/// One play: every run's timeline, then what would leave.
pub(super) fn timeline(played: &Timeline, workflows: &[Arc<Workflow>], look: Look) -> String {
    let mut parts = Vec::new();
    for run in &played.runs {
        let mut shown = serde_json::to_value(run).unwrap_or_default();
        let history = shown.get_mut("history").map(Value::take).and_then(|history| history.as_array().cloned()).unwrap_or_default();
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("id".into(), run.run_id.to_string().into());
        }
        let workflow = workflows.iter().find(|workflow| workflow.name == run.workflow).map(AsRef::as_ref);
        parts.push(timeline::draw(&View { run: &shown, history: &history, workflow, now: played.now }, look));
    }
    let mut lines: Vec<String> = played.refused.iter().map(|refused| format!("{} did not start: {}", refused.workflow, refused.reason)).collect();
    if played.runs.is_empty() && lines.is_empty() {
        lines.push("nothing was started: no trigger listens for this event".into());
    }
    if played.held > 0 {
        lines.push(format!("{} starts are held", played.held));
    }
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for call in &played.calls {
        *calls.entry(&call.node).or_default() += 1;
    }
    lines.push(format!(
        "{} would be sent; calls: {}",
        counted(played.messages.len() as u64, "message"),
        listed(calls.iter().map(|(node, count)| (*node, *count)))
    ));
    if !played.emitted.is_empty() {
        let kinds: Vec<&str> = played.emitted.iter().map(|event| event.kind.as_str()).collect();
        lines.push(format!("events: {}", kinds.join(", ")));
    }
    lines.extend(warnings(u64::from(played.given_up), &played.faults, look));
    parts.push(lines.join("\n"));
    parts.join("\n\n")
}

/// A crowd.
pub(super) fn crowd(counts: &Counts, look: Look) -> String {
    let mut lines = vec![format!("{}, {}", counted(counts.contacts, "contact"), counted(counts.runs, "run"))];
    let mut line = |word: &str, text: String| lines.push(format!("  {}  {text}", look.paint(Paint::Faint, &format!("{word:<10}"))));
    line("ended", listed(counts.statuses.iter().map(|(status, count)| (status.as_str(), *count))));
    for (word, map) in
        [("not", &counts.not_started), ("exits", &counts.exits), ("errors", &counts.errors), ("events", &counts.emitted), ("calls", &counts.calls)]
    {
        if !map.is_empty() {
            line(word, listed(map.iter().map(|(name, count)| (name.as_str(), *count))));
        }
    }
    line("messages", grouped(counts.messages));
    if let Some(took) = counts.took {
        let length = timeline::length;
        line("took", format!("half within {}, nine of ten within {}, the longest {}", length(took.median_ms), length(took.p90_ms), length(took.longest_ms)));
    }
    lines.extend(held_back(counts, look));
    lines.push(String::new());
    lines.push(look.paint(Paint::Faint, &format!("  {:>5}  {:<34} {:>10} {:>10}", "line", "step", "reached", "messages")));
    lines.extend(counts.steps.iter().map(|step| of_step(step, look)));
    lines.extend(warnings(counts.given_up, &counts.faults, look));
    lines.join("\n")
}

/// What held starts back, and how long.
fn held_back(counts: &Counts, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    if counts.together {
        lines.push(format!("  {}  in one world: they meet in a key or a limit", look.paint(Paint::Faint, &format!("{:<10}", "played"))));
    }
    for (gate, delays) in &counts.delays {
        let mut parts = vec![format!("{gate} {}", grouped(delays.held))];
        if let Some(waited) = delays.waited {
            let length = timeline::length;
            let (median, p90, longest) = (length(waited.median_ms), length(waited.p90_ms), length(waited.longest_ms));
            parts.push(format!("let through {}: half within {median}, nine of ten within {p90}, the last after {longest}", grouped(delays.let_through)));
        }
        for (word, count) in [("suppressed", delays.suppressed), ("held still", delays.still_held)] {
            if count > 0 {
                parts.push(format!("{word} {}", grouped(count)));
            }
        }
        lines.push(format!("  {}  {}", look.paint(Paint::Faint, &format!("{:<10}", "held back")), parts.join("; ")));
    }
    lines
}

fn of_step(step: &StepCounts, look: Look) -> String {
    let name = format!("{}{}", "  ".repeat(step.depth), step.step);
    let messages = if step.messages > 0 { grouped(step.messages) } else { String::new() };
    let mut line = format!("  {:>5}  {name:<34} {:>10} {messages:>10}", step.line, grouped(step.entered));
    let taken: u64 = step.branches.values().sum();
    let branches: Vec<String> = step
        .branches
        .iter()
        .map(|(branch, count)| format!("{branch} {} ({:.0} %)", grouped(*count), if taken == 0 { 0.0 } else { *count as f64 * 100.0 / taken as f64 }))
        .collect();
    if !branches.is_empty() {
        line = format!("{line}  {}", branches.join(", "));
    }
    if step.skipped > 0 {
        line = format!("{line}  skipped {}", grouped(step.skipped));
    }
    if step.failed > 0 {
        line = format!("{line}  {}", look.paint(Paint::Bad, &format!("failed {}", grouped(step.failed))));
    }
    line.trim_end().to_owned()
}

fn warnings(given_up: u64, faults: &[String], look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    if given_up > 0 {
        let message = format!("{} went round and round and was given up; watch it for a while only (--for 30d)", counted(given_up, "play"));
        lines.push(look.paint(Paint::Bad, &message));
    }
    lines.extend(faults.iter().map(|fault| look.paint(Paint::Bad, &format!("{fault}; report this as a bug"))));
    lines
}

fn listed<'n>(counts: impl Iterator<Item = (&'n str, u64)>) -> String {
    let all: Vec<String> = counts.map(|(name, count)| format!("{name} {}", grouped(count))).collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

fn counted(number: u64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{} {word}s", grouped(number)) }
}
