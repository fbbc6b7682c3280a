//! One compiled piece of Jinja: a literal path, an expression, or a text with code in it.

use super::{
    ExpressionError, Scope, convert, environment,
    follow::{self, Found},
    lookup::Session,
    syntax::{self, References},
};
use crate::{Value as Json, limits};
use minijinja::{Environment, Value};
use std::{cell::OnceCell, io, sync::Arc};

/// One evaluation; its parts share what they may move.
pub(super) struct Evaluation<'a> {
    pub(super) scope: &'a Scope,
    session: OnceCell<Arc<Session>>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(scope: &'a Scope) -> Self {
        Self { scope, session: OnceCell::new() }
    }
    fn root(&self) -> Value {
        Value::from_dyn_object(self.session.get_or_init(|| Session::new(self.scope)).clone())
    }
}

/// An expression that gives a value.
#[derive(Debug)]
pub(super) struct Program {
    code: Code,
    pub(super) references: References,
}

#[derive(Debug)]
enum Code {
    /// Only names and points: followed without minijinja.
    Path(Vec<String>),
    /// Anything else.
    Jinja { expression: minijinja::Expression<'static, 'static>, source: String },
}

impl Program {
    /// Compiles a bare expression.
    pub(super) fn compile(text: &str) -> Result<Self, ExpressionError> {
        check_length(text)?;
        if text.trim().is_empty() {
            return Err(ExpressionError { message: "the expression is empty".into(), text: None, line: None });
        }
        let read = syntax::expression(text)?;
        if let [path] = read.references.paths.as_slice()
            && path.join(".") == text.trim()
        {
            return Ok(Self { code: Code::Path(path.clone()), references: read.references });
        }
        let expression = environment::shared().compile_expression_owned(read.source.clone()).map_err(|error| {
            let mut explained = environment::explain(&error, true);
            explained.text.get_or_insert_with(|| excerpt(text));
            explained
        })?;
        Ok(Self { code: Code::Jinja { expression, source: read.source }, references: read.references })
    }

    /// The value; an error where it is missing.
    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Result<Json, ExpressionError> {
        match &self.code {
            Code::Path(path) => match follow::follow(evaluation.scope, path).map_err(plain_error)? {
                Found::Value(value) => Ok(value.into_owned()),
                Found::Missing(names) => Err(missing(path, names)),
            },
            Code::Jinja { .. } => convert::json(&self.value(evaluation)?).map_err(|error| environment::explain(&error, false)),
        }
    }

    /// Whether the value is true in the sense of Jinja: not `false`, null, 0, or empty.
    pub(super) fn test(&self, evaluation: &Evaluation<'_>) -> Result<bool, ExpressionError> {
        match &self.code {
            Code::Path(path) => match follow::follow(evaluation.scope, path).map_err(plain_error)? {
                Found::Value(value) => Ok(truthy(&value)),
                Found::Missing(names) => Err(missing(path, names)),
            },
            Code::Jinja { .. } => Ok(self.value(evaluation)?.is_true()),
        }
    }

    fn value(&self, evaluation: &Evaluation<'_>) -> Result<Value, ExpressionError> {
        let Code::Jinja { expression, source } = &self.code else { return Ok(Value::from(())) };
        let value = expression.eval(evaluation.root()).map_err(|error| environment::explain(&error, false))?;
        if value.is_undefined() {
            // A missing value as the very result is not noticed by minijinja, and `a if b` without `else` gives the same kind:
            // comparing tells them apart, and names the path.
            let probe = format!("({source}) == 0");
            environment::shared()
                .compile_expression(&probe)
                .and_then(|probe| probe.eval(evaluation.root()))
                .map_err(|error| environment::explain(&error, false))?;
            return Ok(Value::from(()));
        }
        Ok(value)
    }
}

/// A text with code in it.
#[derive(Debug)]
pub(super) struct Text {
    environment: Environment<'static>,
    pub(super) references: References,
}

/// The name under which the text lies in its environment.
const NAME: &str = "text";

impl Text {
    /// Compiles a text.
    pub(super) fn compile(text: &str) -> Result<Self, ExpressionError> {
        check_length(text)?;
        let read = syntax::template(text)?;
        let mut environment = environment::shared().clone();
        environment.add_template_owned(NAME, read.source).map_err(|error| {
            let mut explained = environment::explain(&error, true);
            explained.text.get_or_insert_with(|| excerpt(text));
            explained
        })?;
        Ok(Self { environment, references: read.references })
    }

    /// The text with its code replaced.
    pub(super) fn render(&self, evaluation: &Evaluation<'_>) -> Result<String, ExpressionError> {
        let mut out = Bounded(Vec::new());
        let template = self.environment.get_template(NAME).map_err(|error| environment::explain(&error, false))?;
        template.render_captured_to(evaluation.root(), &mut out).map_err(|error| environment::explain(&error, false))?;
        String::from_utf8(out.0).map_err(|_| plain_error("the text is not UTF-8".into()))
    }
}

/// Collects a text up to [`limits::EXPRESSION_OUTPUT_BYTES`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > limits::EXPRESSION_OUTPUT_BYTES {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check_length(text: &str) -> Result<(), ExpressionError> {
    if text.len() > limits::EXPRESSION_TEXT_BYTES {
        return Err(ExpressionError {
            message: format!("a text with code in it is {} KiB long at the most", limits::EXPRESSION_TEXT_BYTES >> 10),
            text: None,
            line: None,
        });
    }
    Ok(())
}

fn excerpt(text: &str) -> String {
    text.trim().chars().take(60).collect()
}

pub(super) fn plain_error(message: String) -> ExpressionError {
    ExpressionError { message, text: None, line: None }
}

fn missing(path: &[String], names: usize) -> ExpressionError {
    let shown = path[..names.min(path.len())].join(".");
    let message = if names > 1 && super::RECORD_NAMES.contains(&path[0].as_str()) && names == 2 {
        format!("`{shown}` is missing: the run has no {0}, or the {0} has no such field; give a stand-in with `| default(…)` if that is all right", path[0])
    } else {
        format!("`{shown}` is missing; give a stand-in with `| default(…)` if that is all right")
    };
    ExpressionError { message, text: Some(path.join(".")), line: None }
}

/// Truth of a JSON value in the sense of Jinja.
pub(super) fn truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64().is_none_or(|number| number != 0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(list) => !list.is_empty(),
        Json::Object(map) => !map.is_empty(),
    }
}
