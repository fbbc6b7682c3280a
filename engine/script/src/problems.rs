//! What rhai says is wrong, in words and places of the file.

use crate::engine::{CALL_WORKFLOW, OFF, OFF_IN_STEPS};
use onward_core::{
    ErrorCode, StepError,
    expression::suggest,
    ports::{Origin, ScriptProblem},
};
use rhai::{Dynamic, EvalAltResult, LexError, ParseError, ParseErrorType, Position};

/// Places of a script as places of the file that it stands in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places {
    origin: Origin,
    /// Line and column, in the script, right behind its last letter: what is missing at the end is told there, and not on an empty
    /// line after it.
    end: (u32, u32),
}

impl Places {
    pub(crate) fn new(source: &str, origin: Origin) -> Self {
        let text = source.trim_end();
        let last = text.rsplit('\n').next().unwrap_or_default();
        Self { origin, end: (text.matches('\n').count() as u32 + 1, last.chars().count() as u32 + 1) }
    }

    /// Line and column in the file.
    pub(crate) fn of(self, position: Position) -> (u32, u32) {
        let line = position.line().unwrap_or(1).max(1) as u32;
        let column = position.position().unwrap_or(1).max(1) as u32;
        let (line, column) = (line, column).min(self.end);
        (self.origin.line + line - 1, self.origin.column + column - 1)
    }

    pub(crate) fn problem(self, position: Position, code: &'static str, message: String, suggestion: Option<&str>) -> ScriptProblem {
        let (line, column) = self.of(position);
        ScriptProblem { code, message, line, column, suggestion: suggestion.map(str::to_owned) }
    }

    /// A name that does not exist; the nearest that does is added.
    pub(crate) fn wrong_name<'k>(
        self,
        position: Position,
        code: &'static str,
        message: &str,
        wrong: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> ScriptProblem {
        let near = suggest::nearest(wrong, known);
        let message = near.map_or_else(|| message.to_owned(), |near| format!("{message}; did you mean `{near}`?"));
        self.problem(position, code, message, near)
    }

    /// A mistake that the parser found. `names` are the names of the scope.
    pub(crate) fn parse_error(self, error: &ParseError, names: &[&str]) -> ScriptProblem {
        let position = error.position();
        match error.err_type() {
            ParseErrorType::VariableUndefined(name) => {
                self.wrong_name(position, "unknown_name", &format!("there is no variable `{name}`"), name, names.iter().copied())
            }
            ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, _)) if why_off(symbol).is_some() => {
                self.problem(position, "unknown_function", format!("there is no `{symbol}` here: {}", why_off(symbol).unwrap_or_default()), None)
            }
            ParseErrorType::Reserved(word) if word == "import" || word == "export" => {
                self.problem(position, "bad_script", format!("`{word}` does not exist in scripts: each stands alone"), None)
            }
            ParseErrorType::Reserved(word) => self.problem(position, "bad_script", format!("`{word}` is reserved by the language; take another name"), None),
            ParseErrorType::ExprTooDeep => {
                self.problem(position, "too_large", "the script is nested too deep; put parts of it into variables or functions".into(), None)
            }
            ParseErrorType::LiteralTooLarge(what, most) => self.problem(position, "too_large", format!("{what} is larger than {most}"), None),
            other => self.problem(position, "bad_script", sentence(&other.to_string()), None),
        }
    }

    /// Why a script failed, as its step's error.
    pub(crate) fn failure(self, error: EvalAltResult) -> StepError {
        let mut inner = innermost(error);
        let position = inner.take_position();
        let (line, column) = self.of(position);
        let at = |message: String| if position.is_none() { message } else { format!("{message} (line {line}, column {column})") };
        let details = if position.is_none() { serde_json::Value::Null } else { serde_json::json!({ "line": line, "column": column }) };
        match &inner {
            EvalAltResult::ErrorRuntime(thrown, _) => thrown_error(thrown, &at, details),
            other => StepError::new(ErrorCode::InvalidInput, at(said(other))).with_details(details),
        }
    }
}

/// What a script threw: `throw #{ code, message }`, or anything that has a text.
fn thrown_error(thrown: &Dynamic, at: &dyn Fn(String) -> String, place: serde_json::Value) -> StepError {
    let value = crate::convert::to_json(thrown).unwrap_or_else(|_| thrown.to_string().into());
    let Some(fields) = value.as_object() else {
        let message = match &value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => "the script threw an error without saying why".to_owned(),
            other => other.to_string(),
        };
        return StepError::new(ErrorCode::InvalidInput, at(message)).with_details(place);
    };
    let text = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
    let code = text("code").map_or(ErrorCode::InvalidInput, ErrorCode::parse);
    let message = text("message").map_or_else(|| value.to_string(), str::to_owned);
    let mut error = StepError::new(code, message);
    // An error of a durable call that nobody caught keeps its own facts; it names its step, which has a place.
    error.step = text("step").map(str::to_owned);
    if error.step.is_none() {
        error.message = at(error.message);
    }
    error.details = fields.get("details").cloned().unwrap_or(place);
    error
}

/// The error that the calls around it only passed on.
fn innermost(mut error: EvalAltResult) -> EvalAltResult {
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, _, cause, _) | EvalAltResult::ErrorInModule(_, cause, _) => error = *cause,
            inner => return inner,
        }
    }
}

fn said(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorDataTooLarge(what, _) => format!("{} passes the limit of scripts", lower(what)),
        EvalAltResult::ErrorStackOverflow(_) => {
            format!("functions call each other more than {} deep", onward_core::limits::SCRIPT_CALL_DEPTH)
        }
        EvalAltResult::ErrorTooManyVariables(_) => format!("the script has more than {} variables", onward_core::limits::SCRIPT_VARIABLES),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let signature = signature.replace(CALL_WORKFLOW, "call");
            format!("nothing fits the call {signature}")
        }
        EvalAltResult::ErrorDotExpr(what, _) => sentence(what),
        other => sentence(&other.to_string()),
    }
}

/// Why a function of the language is off.
pub(crate) fn why_off(symbol: &str) -> Option<&'static str> {
    OFF.iter().chain(&OFF_IN_STEPS).find(|(name, _)| *name == symbol).map(|(_, why)| *why)
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Rhai's words as the middle of a message of ours.
fn sentence(text: &str) -> String {
    lower(text.trim()).replace(CALL_WORKFLOW, "call")
}
