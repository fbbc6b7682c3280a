//! Engines: one for each compilation and evaluation, over modules that are built once. What an engine can do stands here.

use onward_core::limits;
use rhai::{
    Engine, OptimizationLevel, Position, Shared,
    packages::{Package, StandardPackage},
};
use std::sync::{LazyLock, Mutex};

/// Functions of the language that scripts do not have, and what to do instead.
pub(crate) const OFF: [(&str, &str); 4] = [
    ("eval", "a script cannot make code out of text"),
    ("print", "a script has no output besides its value; a script that is a whole workflow has log(…)"),
    ("debug", "a script has no output besides its value; a script that is a whole workflow has log(…)"),
    ("timestamp", "a script has no clock; use `now`"),
];
/// As [`OFF`], for scripts that are a step: they are pure.
pub(crate) const OFF_IN_STEPS: [(&str, &str); 1] = [("sleep", "a script step is pure; put a delay step before or after it")];

/// Under this name the function `call` of workflows is known to the interpreter, which has another `call` of its own.
pub(crate) const CALL_WORKFLOW: &str = "call_workflow";

static STANDARD: LazyLock<Shared<rhai::Module>> = LazyLock::new(|| StandardPackage::new().as_shared_module());

/// An engine with the functions of the language and every cap.
pub(crate) fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(Shared::clone(&STANDARD));
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_max_call_levels(limits::SCRIPT_CALL_DEPTH)
        .set_max_expr_depths(limits::SCRIPT_EXPRESSION_DEPTH, limits::SCRIPT_EXPRESSION_DEPTH)
        .set_max_string_size(limits::SCRIPT_TEXT_BYTES)
        .set_max_array_size(limits::SCRIPT_ELEMENTS)
        .set_max_map_size(limits::SCRIPT_ELEMENTS)
        .set_max_variables(limits::SCRIPT_VARIABLES);
    engine
}

/// An engine that compiles: what is off is off.
pub(crate) fn compiler(off: impl IntoIterator<Item = &'static str>) -> Engine {
    let mut engine = engine();
    for name in off {
        engine.disable_symbol(name);
    }
    engine
}

/// Lets the compiler read `call("other-workflow", …)` as a function of ours; `closure.call(…)` stays the language's.
pub(crate) fn name_calls(engine: &mut Engine) {
    let after_point = Mutex::new(false);
    #[expect(deprecated, reason = "not deprecated, says its note, but volatile: the version is pinned")]
    engine.on_parse_token(move |token: rhai::Token, _: Position, _| {
        let Ok(mut after_point) = after_point.lock() else { return token };
        let method = *after_point;
        *after_point = matches!(token, rhai::Token::Period | rhai::Token::Elvis);
        match &token {
            rhai::Token::Reserved(name) if name.as_str() == "call" && !method => rhai::Token::Identifier(Box::new(CALL_WORKFLOW.into())),
            _ => token,
        }
    });
}
