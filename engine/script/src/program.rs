//! A script that is a whole workflow. A turn runs it from its beginning: calls that are recorded give their outcomes at once,
//! the first one that is not ends its branch. A parked run costs no thread and no memory here.

use crate::{
    analysis, convert,
    durable::{DURABLE, MODULE},
    engine::{self, OFF},
    meter::Meter,
    problems::Places,
    scope::Wanted,
    session::Session,
    stack::{Fault, on_own_stack},
};
use onward_core::{
    ErrorCode, StepError, limits,
    ports::{
        Interrupted, Journal, Origin, PROGRAM_NAMES, ScriptBudget, ScriptEnd, ScriptInput, ScriptLiteral, ScriptProblem, ScriptProgram, ScriptReference,
        ScriptStart, ScriptTurn, ScriptWait,
    },
};
use rhai::{AST, Dynamic, Engine, Shared};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

static FUNCTIONS: LazyLock<analysis::Functions> = LazyLock::new(|| {
    let mut functions = analysis::functions_of(&durable_engine());
    for (name, _) in OFF {
        functions.remove(name);
    }
    functions
});

/// A compiled script that is a whole workflow.
#[derive(Debug)]
pub(crate) struct RhaiProgram {
    ast: AST,
    places: Places,
    references: Vec<ScriptReference>,
    literals: Vec<ScriptLiteral>,
    inputs: Vec<ScriptInput>,
    waits: Vec<ScriptWait>,
    wanted: BTreeMap<String, Wanted>,
}

fn durable_engine() -> Engine {
    let mut engine = engine::engine();
    engine.register_global_module(Shared::clone(&MODULE));
    engine
}

/// Compiles a program. Its header is comments to the language, so places are places of the file.
pub(crate) fn compile(source: &str) -> Result<RhaiProgram, Vec<ScriptProblem>> {
    let places = Places::new(Origin::default());
    let mut engine = engine::compiler(OFF.iter().map(|(name, _)| *name));
    engine::name_calls(&mut engine);
    let mut scope = rhai::Scope::new();
    for name in PROGRAM_NAMES {
        scope.push(name, ());
    }
    let ast = engine.compile_with_scope(&scope, source).map_err(|error| vec![places.parse_error(&error, &PROGRAM_NAMES)])?;
    let analysis = analysis::analyse(&ast, places, &PROGRAM_NAMES, &FUNCTIONS, &DURABLE);
    if !analysis.problems.is_empty() {
        return Err(analysis.problems);
    }
    let wanted = Wanted::of(&analysis.references);
    Ok(RhaiProgram { ast, places, references: analysis.references, literals: analysis.literals, inputs: analysis.inputs, waits: analysis.waits, wanted })
}

impl RhaiProgram {
    fn turn(&self, start: &ScriptStart, journal: Arc<dyn Journal>, budget: &ScriptBudget) -> Result<ScriptTurn, Interrupted> {
        let failed = |message: String| ScriptEnd::Failed(StepError::new(ErrorCode::InvalidInput, message));
        let ended = |end: ScriptEnd| ScriptTurn { calls: Vec::new(), known: Vec::new(), end };
        let mut engine = durable_engine();
        let meter = Arc::new(Meter::default());
        meter.attach(&mut engine, budget);
        let session = Session::new(journal, start.seed, start.started_at, Arc::clone(&meter));
        engine.set_default_tag(Dynamic::from(session.clone()));
        let mut constants = rhai::Scope::new();
        for (name, wanted) in &self.wanted {
            let value = match name.as_str() {
                "event" => wanted.convert(&start.event),
                "input" => wanted.convert(&start.input),
                "run" => wanted.convert(&start.run),
                _ => wanted.convert_map(&start.vars),
            };
            match value {
                Ok(value) => constants.push_constant_dynamic(name.as_str(), value),
                Err(why) => return Ok(ended(failed(format!("`{name}` cannot be handed to the script: {why}")))),
            };
        }
        let result = engine.eval_ast_with_scope::<Dynamic>(&mut constants, &self.ast);
        if meter.was_interrupted() {
            return Err(Interrupted);
        }
        Ok(session.finish(|| {
            if meter.was_exhausted() {
                return failed(format!(
                    "the script takes more than {} operations between two durable calls; does a loop never end?",
                    limits::SCRIPT_OPERATIONS
                ));
            }
            match result {
                Ok(value) => match convert::to_json(&value) {
                    Ok(value) => ScriptEnd::Finished(value),
                    Err(why) => failed(format!("what the script gives cannot be kept: {why}")),
                },
                Err(error) => ScriptEnd::Failed(self.places.failure(*error)),
            }
        }))
    }
}

impl ScriptProgram for RhaiProgram {
    fn references(&self) -> &[ScriptReference] {
        &self.references
    }

    fn literals(&self) -> &[ScriptLiteral] {
        &self.literals
    }

    fn inputs(&self) -> &[ScriptInput] {
        &self.inputs
    }

    fn waits(&self) -> &[ScriptWait] {
        &self.waits
    }

    fn advance(&self, start: &ScriptStart, journal: Arc<dyn Journal>, budget: &ScriptBudget) -> Result<ScriptTurn, Interrupted> {
        match on_own_stack(|| self.turn(start, journal, budget)) {
            Ok(turn) => turn,
            Err(Fault::NoThread) => Err(Interrupted),
            Err(Fault::Panicked) => {
                let error = StepError::new(ErrorCode::Internal, "the script's interpreter panicked; report this as a bug");
                Ok(ScriptTurn { calls: Vec::new(), known: Vec::new(), end: ScriptEnd::Failed(error) })
            }
        }
    }
}
