//! Reports for people.

use super::FileReport;
use crate::terminal::{Look, Paint};
use onward_core::definition::{Severity, render_problem};
use onward_runtime::play::Gap;

/// Gaps that are told of one file.
const GAPS: usize = 20;

pub(super) fn report(files: &[FileReport], look: Look) -> String {
    let mut lines: Vec<String> = files.iter().flat_map(|file| told(file, look)).collect();
    let cases: usize = files.iter().map(|file| file.cases.len()).sum();
    let failed = files.iter().flat_map(|file| &file.cases).filter(|case| !case.passed).count();
    let broken = files.iter().filter(|file| !file.problems.is_empty() && !file.has_passed() && file.cases.is_empty()).count();
    let mut sum = format!("{} in {}: {} passed", counted(cases, "case"), counted(files.len(), "file"), cases - failed);
    if failed > 0 {
        sum.push_str(&look.paint(Paint::Bad, &format!(", {failed} failed")));
    }
    if broken > 0 {
        sum.push_str(&look.paint(Paint::Bad, &format!(", {} cannot be played", counted(broken, "file"))));
    }
    lines.push(sum);
    lines.join("\n")
}

fn told(file: &FileReport, look: Look) -> Vec<String> {
    let mut lines = vec![look.paint(Paint::Strong, &file.file)];
    for problem in &file.problems {
        let paint = if problem.problem.severity == Severity::Error { Paint::Bad } else { Paint::Attention };
        lines.push(format!("  {}", look.paint(paint, &render_problem(&problem.file, &problem.problem))));
    }
    for case in &file.cases {
        let (mark, paint) = if case.passed { (look.either("✓", "ok"), Paint::Good) } else { (look.either("✗", "FAILED"), Paint::Bad) };
        lines.push(format!("  {} {}", look.paint(paint, mark), case.name));
        lines.extend(case.problems.iter().map(|problem| format!("      {}", look.paint(Paint::Bad, &render_problem(&file.file, problem)))));
    }
    if let Some(coverage) = &file.coverage {
        let (steps, branches) = (coverage.steps, coverage.branches);
        let covered = if file.is_script() {
            format!("  covered: {} of {} calls of durable functions", steps.covered, steps.all)
        } else {
            format!("  covered: {} of {} steps, {} of {} branches", steps.covered, steps.all, branches.covered, branches.all)
        };
        lines.push(look.paint(Paint::Faint, &covered));
        let line_of = |gap: &Gap| match &gap.branch {
            Some(branch) => format!("      {}:{} step {}: never {branch}", file.workflow, gap.line, gap.step),
            None if file.is_script() => format!("      {}:{} {} is not called", file.workflow, gap.line, gap.step),
            None => format!("      {}:{} step {} is not reached", file.workflow, gap.line, gap.step),
        };
        lines.extend(coverage.uncovered.iter().take(GAPS).map(|gap| look.paint(Paint::Attention, &line_of(gap))));
        if coverage.uncovered.len() > GAPS {
            lines.push(format!("      and {} more", coverage.uncovered.len() - GAPS));
        }
    }
    lines
}

fn counted(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
