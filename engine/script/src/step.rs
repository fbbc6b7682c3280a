//! A `script:` step: a pure function of the scope.

use crate::{
    analysis, convert,
    engine::{self, OFF, OFF_IN_STEPS},
    meter::Meter,
    problems::Places,
    scope::{Wanted, value_of},
    stack::{Fault, on_own_stack},
};
use onward_core::{
    ErrorCode, StepError, Value,
    expression::Scope,
    limits,
    ports::{Interrupted, Origin, ScriptBudget, ScriptProblem, ScriptReference, ScriptStep},
};
use rhai::AST;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

static FUNCTIONS: LazyLock<analysis::Functions> = LazyLock::new(|| {
    let mut functions = analysis::functions_of(&engine::engine());
    for (name, _) in OFF.iter().chain(&OFF_IN_STEPS) {
        functions.remove(*name);
    }
    functions
});

/// A compiled `script:` step.
#[derive(Debug)]
pub(crate) struct RhaiStep {
    ast: AST,
    places: Places,
    references: Vec<ScriptReference>,
    wanted: BTreeMap<String, Wanted>,
}

/// Compiles a step; `names` are the names of the scope.
pub(crate) fn compile(source: &str, origin: Origin, names: &[&str]) -> Result<RhaiStep, Vec<ScriptProblem>> {
    let places = Places::new(source, origin);
    let engine = engine::compiler(OFF.iter().chain(&OFF_IN_STEPS).map(|(name, _)| *name));
    let mut scope = rhai::Scope::new();
    for name in names {
        scope.push(*name, ());
    }
    let ast = engine.compile_with_scope(&scope, source).map_err(|error| vec![places.parse_error(&error, names)])?;
    let analysis = analysis::analyse(&ast, places, names, &FUNCTIONS, &[]);
    if !analysis.problems.is_empty() {
        return Err(analysis.problems);
    }
    let wanted = Wanted::of(&analysis.references);
    Ok(RhaiStep { ast, places, references: analysis.references, wanted })
}

impl RhaiStep {
    fn run(&self, scope: &Scope, budget: &ScriptBudget) -> Result<Result<Value, StepError>, Interrupted> {
        let failed = |message: String| Ok(Err(StepError::new(ErrorCode::InvalidInput, message)));
        let mut engine = engine::engine();
        let meter = Arc::new(Meter::default());
        meter.attach(&mut engine, budget);
        let mut constants = rhai::Scope::new();
        for (name, wanted) in &self.wanted {
            match value_of(scope, name, wanted) {
                Ok(value) => constants.push_constant_dynamic(name.as_str(), value),
                Err(message) => return failed(message),
            };
        }
        let result = engine.eval_ast_with_scope::<rhai::Dynamic>(&mut constants, &self.ast);
        if meter.was_interrupted() {
            return Err(Interrupted);
        }
        if meter.was_exhausted() {
            return failed(format!("the script takes more than {} operations; does a loop never end?", limits::SCRIPT_OPERATIONS));
        }
        match result {
            Ok(value) => match convert::to_json(&value) {
                Ok(value) => Ok(Ok(value)),
                Err(why) => failed(format!("what the script gives cannot be kept: {why}")),
            },
            Err(error) => Ok(Err(self.places.failure(*error))),
        }
    }
}

impl ScriptStep for RhaiStep {
    fn references(&self) -> &[ScriptReference] {
        &self.references
    }

    fn evaluate(&self, scope: &Scope, budget: &ScriptBudget) -> Result<Result<Value, StepError>, Interrupted> {
        match on_own_stack(|| self.run(scope, budget)) {
            Ok(outcome) => outcome,
            Err(Fault::NoThread) => Err(Interrupted),
            Err(Fault::Panicked) => Ok(Err(StepError::new(ErrorCode::Internal, "the script's interpreter panicked; report this as a bug"))),
        }
    }
}
