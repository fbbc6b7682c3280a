//! Any text as a template, as an expression and as a rule: it renders the same twice, and what it gives is no larger than it may be.
use crate::ground::scope;
use onward_core::{
    Value,
    expression::{Condition, Expression, Template},
    limits,
};

/// Any text as an expression.
///
/// # Panics
/// When a promise of the front end does not hold: that is a finding.
pub fn expression(text: &str) {
    let scope = scope();
    let value = Value::String(text.to_owned());
    if let Ok(template) = Template::compile(&value) {
        let first = template.render(&scope).map_err(|error| error.message);
        let again = template.render(&scope).map_err(|error| error.message);
        assert_eq!(first, again);
        if let Ok(Value::String(rendered)) = first {
            assert!(rendered.len() <= limits::RUN_SCOPE_BYTES, "{} bytes", rendered.len());
        }
    }
    if let Ok(expression) = Expression::compile(text) {
        let first = expression.evaluate(&scope).map_err(|error| error.message);
        assert_eq!(first, expression.evaluate(&scope).map_err(|error| error.message));
    }
    // A rule that is data (JSONLogic), where the text is JSON.
    let rule = serde_json::from_str(text).unwrap_or(value);
    if let Ok(condition) = Condition::compile(&rule) {
        let first = condition.test(&scope).map_err(|error| error.message);
        assert_eq!(first, condition.test(&scope).map_err(|error| error.message));
    }
}
