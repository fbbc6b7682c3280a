//! `onward validate`: finds the mistakes of workflow files, without a database.

use super::{Context, Failure, input};
use crate::{
    terminal::{Look, Paint},
    wiring,
};
use clap::Args;
use onward_core::definition::{self, Problem, Severity};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Find the mistakes of workflow files.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward validate welcome.yaml
  onward validate workflows/*.yaml --json

Exit code 1 when a file has an error; warnings and hints do not count.")]
pub(crate) struct Validate {
    /// Workflow files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Validate {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let catalogue = wiring::catalogue()?;
        let look = Look::of_stdout();
        let mut items = Vec::new();
        let mut text = Vec::new();
        let mut valid_all = true;
        for path in &self.files {
            let file = path.display().to_string();
            let problems = definition::compile(&input::workflow_file(path)?, &catalogue).problems;
            let valid = !has_errors(&problems);
            valid_all &= valid;
            text.push(report(&file, &problems, look));
            items.push(json!({ "file": file, "valid": valid, "problems": problems }));
        }
        context.print(&json!({ "items": items }), |_| text.join("\n"));
        if valid_all { Ok(()) } else { Err(Failure::Shown) }
    }
}

/// Whether one of the problems forbids running.
pub(super) fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// A line for each problem, and one that says whether the file is good.
pub(super) fn report(file: &str, problems: &[Problem], look: Look) -> String {
    let mut lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let paint = if problem.severity == Severity::Error { Paint::Bad } else { Paint::Attention };
            look.paint(paint, &definition::render_problem(file, problem))
        })
        .collect();
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    lines.push(match errors {
        0 => format!("{file}: {}", look.paint(Paint::Good, "valid")),
        1 => format!("{file}: {}", look.paint(Paint::Bad, "1 error")),
        errors => format!("{file}: {}", look.paint(Paint::Bad, &format!("{errors} errors"))),
    });
    lines.join("\n")
}

/// Compiles a file that must be right; prints its problems when it is not.
pub(super) fn compile_or_report(path: &std::path::Path) -> Result<(String, definition::Workflow), Failure> {
    let source = input::workflow_file(path)?;
    let compiled = definition::compile(&source, &wiring::catalogue()?);
    match compiled.workflow {
        Some(workflow) if !has_errors(&compiled.problems) => Ok((source, workflow)),
        _ => Err(Failure::new(format!(
            "the workflow has errors\n{}",
            report(&path.display().to_string(), &compiled.problems, Look { colour: false, ..Look::of_stdout() })
        ))),
    }
}

/// Problems as the API tells them.
pub(super) fn problems_of(document: &Value) -> Vec<String> {
    let text = |problem: &Value, name: &str| problem.get(name).map(super::table::text).unwrap_or_default();
    document
        .get("problems")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|problem| {
            format!(
                "{}:{} {} {}: {}",
                text(problem, "line"),
                text(problem, "column"),
                text(problem, "severity"),
                text(problem, "code"),
                text(problem, "message")
            )
        })
        .collect()
}
