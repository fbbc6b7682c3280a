//! `onward test`: plays test files in virtual time and judges them.

mod find;
mod junit;
mod told;

use super::{Context, Failure, input};
use crate::{terminal::Look, wiring};
use clap::Args;
use onward_core::definition::{self, Problem, Severity, Workflow, testing::TestFile};
use onward_runtime::play::{CaseReport, CaseSetup, Coverage, CoverageReport, Previews, Stage, harden, test_case};
use serde::Serialize;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Play the tests of workflows in virtual time, with nodes mocked: months pass in milliseconds, and nothing leaves.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward test                                 every *.test.yaml below this folder
  onward test welcome.yaml                    the tests beside a workflow
  onward test workflows --junit report.xml    for a build server
  onward test --filter unsubscribed --harden

--harden plays each case again: with the process dying before every turn and after every commit, with everything delivered
twice, and with every call failing in turn.

Exit code 1 when a case fails or a file cannot be read; 2 when there is nothing to test.")]
pub(crate) struct Test {
    /// Test files, workflow files, or folders.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Play each case again under crashes, repeats and failures.
    #[arg(long)]
    harden: bool,
    /// Write a report for build servers, too (`JUnit` XML).
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// What came of one file.
#[derive(Debug, Serialize)]
pub(super) struct FileReport {
    /// The test file.
    file: String,
    /// Its cases.
    cases: Vec<CaseReport>,
    /// Why it could not be read, or what its workflow lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<FileProblem>,
    /// What its cases went through; left out when cases were filtered.
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<CoverageReport>,
    /// The workflow's file, for places of gaps.
    #[serde(skip)]
    workflow: String,
}

/// A problem of a file: the test's own, or one of a workflow that it names.
#[derive(Debug, Serialize)]
struct FileProblem {
    file: String,
    #[serde(flatten)]
    problem: Problem,
}

impl FileReport {
    fn is_script(&self) -> bool {
        std::path::Path::new(&self.workflow).extension().is_some_and(|extension| extension == "rhai")
    }

    fn has_passed(&self) -> bool {
        self.problems.iter().all(|problem| problem.problem.severity != Severity::Error) && self.cases.iter().all(|case| case.passed)
    }
}

impl Test {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let files = find::test_files(&self.paths)?;
        let registry = wiring::catalogue()?;
        let mut reports = Vec::with_capacity(files.len());
        for file in &files {
            let report = self.file(file, &registry)?;
            if self.filter.is_none() || !report.cases.is_empty() || !report.problems.is_empty() {
                reports.push(report);
            }
        }
        if let Some(path) = &self.junit {
            fs::write(path, junit::document(&reports)).map_err(|error| Failure::because(format!("{} cannot be written", path.display()), &error))?;
        }
        context.print(&json!({ "files": reports }), |_| told::report(&reports, Look::of_stdout()));
        if reports.is_empty() {
            return Err(Failure::wrong_use(format!("no case's name contains {:?}", self.filter.unwrap_or_default())));
        }
        if reports.iter().all(FileReport::has_passed) { Ok(()) } else { Err(Failure::Shown) }
    }

    fn file(&self, path: &Path, previews: &dyn Previews) -> Result<FileReport, Failure> {
        let shown = path.display().to_string();
        let mut report = FileReport { file: shown.clone(), cases: Vec::new(), problems: Vec::new(), coverage: None, workflow: String::new() };
        let read = TestFile::parse(&input::workflow_file(path)?);
        report.add(&shown, read.problems);
        let Some(file) = read.value else { return Ok(report) };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut workflows = Vec::new();
        for named in std::iter::once(&file.workflow).chain(&file.workflows) {
            let place = folder.join(&named.value);
            let source = match input::workflow_file(&place) {
                Ok(source) => source,
                Err(failure) => {
                    let message = match failure {
                        Failure::WrongUse(message) | Failure::Failed(message) => message,
                        Failure::Shown => "it cannot be read".into(),
                    };
                    report.add(&shown, vec![problem("no_file", message, &named.position)]);
                    continue;
                }
            };
            let compiled = definition::compile(&source, previews);
            let errors: Vec<Problem> = compiled.problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
            report.add(&place.display().to_string(), errors);
            workflows.extend(compiled.workflow.map(Arc::new));
        }
        report.workflow = folder.join(&file.workflow.value).display().to_string();
        if !report.has_passed() {
            return Ok(report);
        }
        let borrowed: Vec<&Workflow> = workflows.iter().map(AsRef::as_ref).collect();
        report.add(&shown, file.check(&borrowed, previews));
        if report.has_passed() {
            self.play(&file, &workflows, previews, &mut report);
        }
        Ok(report)
    }

    fn play(&self, file: &TestFile, workflows: &[Arc<Workflow>], previews: &dyn Previews, report: &mut FileReport) {
        let mut coverage = Coverage::default();
        for case in &file.cases {
            if self.filter.as_ref().is_some_and(|filter| !case.name.contains(filter.as_str())) {
                continue;
            }
            let setup = CaseSetup::new(Stage::new(workflows.to_vec()), file, case, previews);
            let mut played = test_case(&setup);
            coverage.merge(&played.coverage);
            if self.harden {
                played.hardened(harden(&setup));
            }
            report.cases.push(played);
        }
        if let (None, Some(workflow)) = (&self.filter, workflows.first()) {
            report.coverage = Some(coverage.report(workflow));
        }
    }
}

impl FileReport {
    fn add(&mut self, file: &str, problems: Vec<Problem>) {
        self.problems.extend(problems.into_iter().map(|problem| FileProblem { file: file.to_owned(), problem }));
    }
}

fn problem(code: &str, message: String, position: &definition::Position) -> Problem {
    Problem {
        severity: Severity::Error,
        code: code.to_owned(),
        message,
        line: position.line,
        column: position.column,
        pointer: position.pointer.clone(),
        suggestion: None,
    }
}
