//! Problems: what is wrong, where, and what to write in its place.

use super::{Position, Problem, Severity};
use crate::expression::suggest;

/// Problems of one file at the most; the first are the ones to mend.
const MAX_PROBLEMS: usize = 100;

/// A place in the file.
pub(super) type Place = Position;

impl Position {
    /// The first place of a file.
    pub(super) fn start() -> Self {
        Self { line: 1, column: 1, pointer: String::new() }
    }

    /// Goes one deeper.
    pub(super) fn push(&mut self, name: &str) {
        self.pointer.push('/');
        if name.contains(['~', '/']) {
            self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        } else {
            self.pointer.push_str(name);
        }
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    errors: bool,
    /// Lines of the file; 0 while that is not known.
    lines: u32,
}

impl Problems {
    /// It cannot run.
    pub(super) fn error(&mut self, place: &Place, code: &str, message: String) {
        self.add(Severity::Error, place, code, message, None);
    }

    /// It may not do what was meant.
    pub(super) fn warning(&mut self, place: &Place, code: &str, message: String) {
        self.add(Severity::Warning, place, code, message, None);
    }

    /// Worth knowing.
    pub(super) fn hint(&mut self, place: &Place, code: &str, message: String, suggestion: Option<&str>) {
        self.add(Severity::Hint, place, code, message, suggestion);
    }

    /// It cannot run because a name is wrong; the nearest right name is added to the message.
    pub(super) fn wrong_name<'k>(&mut self, place: &Place, code: &str, message: &str, wrong: &str, known: impl IntoIterator<Item = &'k str>) {
        let known: Vec<&str> = known.into_iter().collect();
        let near = suggest::nearest(wrong, known.iter().copied());
        let message = match near {
            Some(near) => format!("{message}; did you mean \"{near}\"?"),
            None if !known.is_empty() && known.len() <= 12 => format!("{message}; there are {}", known.join(", ")),
            None => message.to_owned(),
        };
        self.add(Severity::Error, place, code, message, near);
    }

    /// It cannot run; whoever found it may know what was meant.
    pub(super) fn suggest(&mut self, place: &Place, code: &str, message: String, suggestion: Option<&str>) {
        self.add(Severity::Error, place, code, message, suggestion);
    }

    fn add(&mut self, severity: Severity, place: &Place, code: &str, message: String, suggestion: Option<&str>) {
        self.errors |= severity == Severity::Error;
        let problem = Problem {
            severity,
            code: code.to_owned(),
            message,
            line: place.line,
            column: place.column,
            pointer: place.pointer.clone(),
            suggestion: suggestion.map(str::to_owned),
        };
        if self.list.len() < MAX_PROBLEMS {
            if !self.list.contains(&problem) {
                self.list.push(problem);
            }
        } else if severity == Severity::Error
            && let Some(lesser) = self.list.iter().rposition(|kept| kept.severity != Severity::Error)
        {
            // A file with errors must show one, however many hints there are.
            self.list.remove(lesser);
            self.list.push(problem);
        }
    }

    /// Says how many lines the file has.
    pub(super) fn has_lines(&mut self, source: &str) {
        self.lines = u32::try_from(source.split('\n').count()).unwrap_or(u32::MAX);
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors
    }

    /// In file order.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        // A script in quotes or with folded lines has more lines than its file: what lies beyond is told at the file's end.
        for problem in self.list.iter_mut().filter(|problem| self.lines > 0 && problem.line > self.lines) {
            (problem.line, problem.column) = (self.lines, 1);
        }
        self.list.sort_by_key(|problem| (problem.line, problem.column, problem.severity));
        self.list
    }
}

/// `welcome.yaml:14:44 error unknown_field: …`, as people read it.
pub fn render_problem(file: &str, problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "hint",
    };
    format!("{file}:{}:{} {severity} {}: {}", problem.line, problem.column, problem.code, problem.message)
}
