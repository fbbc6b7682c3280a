//! Why a run went where it went: the condition that decided, as its author wrote it.

use onward_core::definition::{Position, Workflow};

/// The condition of the step at this place that led to `branch`, with its line. `None` where there is none to show: the
/// last branch of a `choose`, or a file that is written in another way than one key a line.
pub(super) fn reason(workflow: &Workflow, step: &Position, branch: Option<&str>) -> Option<String> {
    let found = match branch.map(str::parse::<usize>) {
        Some(Ok(number)) => branches(workflow, step).into_iter().filter(|line| line.key == "if").nth(number.checked_sub(1)?),
        _ => keys(workflow, step).into_iter().find(|line| line.key == "if"),
    };
    found.map(|line| format!("{} (line {})", line.text, line.number))
}

/// A line that begins with a key.
struct Line<'a> {
    /// From 1.
    number: usize,
    /// Columns before the key, a list's dash included.
    indent: usize,
    key: &'a str,
    text: &'a str,
}

/// The lines of the file from the step's own on, as far as they belong to it.
fn lines<'a>(workflow: &'a Workflow, step: &Position) -> impl Iterator<Item = Line<'a>> {
    let from = (step.line as usize).saturating_sub(1);
    let column = (step.column as usize).saturating_sub(1);
    workflow
        .source
        .lines()
        .enumerate()
        .skip(from)
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|(index, line)| {
            let text = line.trim_start().trim_start_matches("- ").trim();
            let indent = line.len() - line.trim_start().trim_start_matches("- ").trim_start().len();
            let key = text.split_once(':').map_or("", |(key, _)| key.trim_matches(['"', '\'']));
            (indent, line.trim_start().starts_with("- "), Line { number: index + 1, indent, key, text })
        })
        // A dash at the step's own place begins the next one.
        .enumerate()
        .take_while(move |(nth, (indent, dash, _))| *nth == 0 || *indent > column || (*indent == column && !dash))
        .map(|(_, (_, _, line))| line)
}

fn keys<'a>(workflow: &'a Workflow, step: &Position) -> Vec<Line<'a>> {
    let column = (step.column as usize).saturating_sub(1);
    lines(workflow, step).filter(|line| line.indent == column).collect()
}

/// The branches of a `choose`: the lines at the place of the first one after its key.
fn branches<'a>(workflow: &'a Workflow, step: &Position) -> Vec<Line<'a>> {
    let column = (step.column as usize).saturating_sub(1);
    let mut after = lines(workflow, step).skip_while(|line| !(line.indent == column && line.key == "choose")).skip(1);
    let Some(first) = after.next() else { return Vec::new() };
    let place = first.indent;
    std::iter::once(first).chain(after).take_while(|line| line.indent >= place).filter(|line| line.indent == place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "name: x
on:
  - event: a.b
steps:
  - id: first
    name: Is it?
    # why not
    if: event.data.a > 1
    then:
      - if: inner
        then: []
  - id: second
    choose:
      - if: event.data.b == 1
        steps:
          - if: inner
            then:
              - stop: {}
      - if: event.data.c
        steps: []
      - else: []
  - stop: {}
";

    fn reason_at(line: u32, branch: Option<&str>) -> Option<String> {
        let valid = "name: x\non:\n  - event: a.b\nsteps:\n  - stop: {}\n";
        let mut workflow = onward_core::definition::compile(valid, &crate::wiring::catalogue().unwrap()).workflow.unwrap();
        workflow.source = SOURCE.into();
        reason(&workflow, &Position { line, column: 5, pointer: String::new() }, branch)
    }

    #[test]
    fn the_condition_that_decided() {
        assert_eq!(reason_at(5, Some("then")).as_deref(), Some("if: event.data.a > 1 (line 8)"));
        assert_eq!(reason_at(5, None).as_deref(), Some("if: event.data.a > 1 (line 8)"));
        assert_eq!(reason_at(12, Some("1")).as_deref(), Some("if: event.data.b == 1 (line 14)"));
        assert_eq!(reason_at(12, Some("2")).as_deref(), Some("if: event.data.c (line 19)"));
        assert_eq!(reason_at(12, Some("else")), None);
        assert_eq!(reason_at(22, Some("then")), None);
    }
}
