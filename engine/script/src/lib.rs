//! Scripts in rhai: as a step, and as a whole workflow.
//!
//! A script is a pure function: of the scope, or of what is recorded of its durable calls. It cannot reach the clock, chance,
//! files or the network, and what it may cost is bounded by caps that are the same on every machine.
//!
//! What this crate must never know: an async runtime, the database, the clock. A host's own patience comes in as
//! [`onward_core::ports::ScriptBudget`], and reaching it is never an outcome.

mod analysis;
mod convert;
mod durable;
mod engine;
mod inputs;
mod meter;
mod problems;
mod program;
mod scope;
mod session;
mod stack;
mod standing;
mod step;
#[cfg(test)]
mod tests;

use onward_core::{
    limits,
    ports::{Origin, ScriptProblem, ScriptProgram, ScriptStep, Scripts},
};
use std::sync::Arc;

/// The rhai compiler.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rhai;

impl Scripts for Rhai {
    fn compile_step(&self, source: &str, origin: Origin, names: &[&str]) -> Result<Arc<dyn ScriptStep>, Vec<ScriptProblem>> {
        compiled(source, origin, || step::compile(source, origin, names)).map(|step| Arc::new(step) as Arc<dyn ScriptStep>)
    }

    fn compile_program(&self, source: &str) -> Result<Arc<dyn ScriptProgram>, Vec<ScriptProblem>> {
        compiled(source, Origin::default(), || program::compile(source)).map(|program| Arc::new(program) as Arc<dyn ScriptProgram>)
    }
}

/// Compiles on a stack of its own; hostile text is refused before it costs much.
fn compiled<T: Send>(source: &str, origin: Origin, compile: impl FnOnce() -> Result<T, Vec<ScriptProblem>> + Send) -> Result<T, Vec<ScriptProblem>> {
    let refused = |code, message| vec![ScriptProblem { code, message, line: origin.line, column: origin.column, suggestion: None }];
    if source.len() > limits::DEFINITION_BYTES {
        let message = format!("the script has {} KiB; {} are the most", source.len() >> 10, limits::DEFINITION_BYTES >> 10);
        return Err(refused("too_large", message));
    }
    stack::on_own_stack(compile).unwrap_or_else(|fault| {
        let message = match fault {
            stack::Fault::NoThread => "the script cannot be compiled now: there is no thread to be had",
            stack::Fault::Panicked => "the script's compiler panicked; report this as a bug",
        };
        Err(refused("bad_script", message.to_owned()))
    })
}
