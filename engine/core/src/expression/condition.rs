//! Bare expressions and conditions.

use super::{
    ExpressionError, Scope,
    json_logic::Rule,
    program::{Evaluation, Program, plain_error},
    syntax::References,
    template::Named,
};
use crate::Value;

/// A bare Jinja expression.
#[derive(Debug)]
pub struct Expression {
    program: Program,
    pub(super) named: Named,
}

impl Expression {
    /// Compiles a bare expression; braces around it are an error that says so.
    pub fn compile(text: &str) -> Result<Self, ExpressionError> {
        refuse_braces(text)?;
        let program = Program::compile(text)?;
        let named = Named::new(program.references.clone());
        Ok(Self { program, named })
    }

    /// Evaluates it.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        self.program.evaluate(&Evaluation::new(scope))
    }
}

/// A bare Jinja condition, or `JSONLogic`.
#[derive(Debug)]
pub struct Condition {
    test: Test,
    pub(super) named: Named,
}

#[derive(Debug)]
enum Test {
    Always(bool),
    Jinja(Box<Program>),
    JsonLogic(Box<Rule>),
}

impl Condition {
    /// Compiles a condition: a text is a bare Jinja expression, a map is `JSONLogic`, `true` and `false` are themselves.
    pub fn compile(value: &Value) -> Result<Self, ExpressionError> {
        let (test, references) = match value {
            Value::Bool(value) => (Test::Always(*value), References::default()),
            Value::String(text) => {
                refuse_braces(text)?;
                let program = Program::compile(text)?;
                let references = program.references.clone();
                (Test::Jinja(Box::new(program)), references)
            }
            Value::Object(_) => {
                let rule = Rule::compile(value)?;
                let references = rule.references.clone();
                (Test::JsonLogic(Box::new(rule)), references)
            }
            Value::Null => return Err(plain_error("the condition is empty".into())),
            _ => return Err(plain_error("a condition is a text such as steps.reply.timed_out, or a JSONLogic map".into())),
        };
        Ok(Self { test, named: Named::new(references) })
    }

    /// Evaluates it. Truth is Jinja's: `false`, null, 0 and what is empty do not hold.
    pub fn test(&self, scope: &Scope) -> Result<bool, ExpressionError> {
        match &self.test {
            Test::Always(value) => Ok(*value),
            Test::Jinja(program) => program.test(&Evaluation::new(scope)),
            Test::JsonLogic(rule) => rule.test(scope),
        }
    }

    /// Whether it holds, when that can be told without a run.
    pub fn as_constant(&self) -> Option<bool> {
        match self.test {
            Test::Always(value) => Some(value),
            _ => None,
        }
    }
}

fn refuse_braces(text: &str) -> Result<(), ExpressionError> {
    let trimmed = text.trim();
    if trimmed.starts_with("{{") || trimmed.starts_with("{%") {
        let bare = trimmed.trim_start_matches("{{").trim_start_matches("{%").trim_end_matches("}}").trim_end_matches("%}").trim();
        return Err(ExpressionError {
            message: format!("an expression stands here without braces: write `{bare}`"),
            text: Some(trimmed.chars().take(60).collect()),
            line: Some(1),
        });
    }
    Ok(())
}
