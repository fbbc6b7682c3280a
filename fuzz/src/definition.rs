//! Any text as a workflow or as its test file: every problem has its place in the text, and compiling twice finds the same.
use crate::ground::Nodes;
use onward_core::definition::{self, Severity};

/// Any text as a workflow.
///
/// # Panics
/// When a promise of the front end does not hold: that is a finding.
pub fn definition(text: &str) {
    let first = definition::compile(text, &Nodes);
    let lines = u32::try_from(text.split('\n').count()).unwrap_or(u32::MAX);
    for problem in &first.problems {
        assert!((1..=lines.max(1)).contains(&problem.line), "{problem:?} lies outside {lines} lines");
        assert!(problem.column >= 1 && !problem.message.contains("panicked"), "{problem:?}");
    }
    let is_wrong = first.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(first.workflow.is_none(), is_wrong, "{:?}", first.problems);
    let again = definition::compile(text, &Nodes);
    assert_eq!(format!("{:?}", first.problems), format!("{:?}", again.problems));
}
