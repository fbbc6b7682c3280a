//! A script that is a whole workflow. A turn runs it from its beginning: calls that are recorded give their outcomes at once,
//! the first one that is not ends its branch. A parked run needs no thread and no memory here; a few that went on lately keep
//! theirs for a moment ([`crate::standing`]).

use crate::{
    analysis, convert,
    durable::{DURABLE, MODULE},
    engine::{self, OFF},
    meter::Meter,
    problems::Places,
    scope::Wanted,
    session::Session,
    stack::{Fault, start_on_own_stack},
    standing::{self, Held, Host, Next, Reply},
};
use onward_core::{
    ErrorCode, StepError, limits,
    ports::{
        Interrupted, Journal, Origin, PROGRAM_NAMES, ScriptBudget, ScriptEnd, ScriptInput, ScriptLiteral, ScriptProblem, ScriptProgram, ScriptReference,
        ScriptSite, ScriptStanding, ScriptStart, ScriptTurn, ScriptWait,
    },
};
use rhai::{AST, Dynamic, Engine, Shared};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, mpsc},
    time::Duration,
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
    code: Arc<Code>,
    references: Vec<ScriptReference>,
    literals: Vec<ScriptLiteral>,
    inputs: Vec<ScriptInput>,
    waits: Vec<ScriptWait>,
    sites: Vec<ScriptSite>,
    /// How long its runs keep their threads.
    patience: Duration,
}

/// What is run of it.
#[derive(Debug)]
struct Code {
    number: u64,
    ast: AST,
    places: Places,
    wanted: BTreeMap<String, Wanted>,
}

fn durable_engine() -> Engine {
    let mut engine = engine::engine();
    engine.register_global_module(Shared::clone(&MODULE));
    engine
}

/// Compiles a program. Its header is comments to the language, so places are places of the file.
pub(crate) fn compile(source: &str) -> Result<RhaiProgram, Vec<ScriptProblem>> {
    compile_with(source, standing::PATIENCE)
}

/// The same, with another patience of its threads.
pub(crate) fn compile_with(source: &str, patience: Duration) -> Result<RhaiProgram, Vec<ScriptProblem>> {
    let places = Places::new(source, Origin::default());
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
    let mut sites = analysis.sites;
    sites.sort_by_key(|site| (site.line, site.column));
    let wanted = Wanted::of(&analysis.references);
    let code = Arc::new(Code { number: standing::number(), ast, places, wanted });
    Ok(RhaiProgram { code, references: analysis.references, literals: analysis.literals, inputs: analysis.inputs, waits: analysis.waits, sites, patience })
}

impl Code {
    /// Runs the script to its end, turn by turn.
    fn run(&self, start: &ScriptStart, Next { journal, budget }: Next, host: Host) {
        let meter = Arc::new(Meter::default());
        let mut engine = durable_engine();
        meter.attach(&mut engine, &budget);
        let session = Session::new(journal, host, start.seed, start.started_at, Arc::clone(&meter));
        engine.set_default_tag(Dynamic::from(session.clone()));
        let end = match self.constants(start) {
            Ok(mut constants) => engine.eval_ast_with_scope::<Dynamic>(&mut constants, &self.ast),
            Err(message) => return session.end(Ok(session.finish(|| failed(message)))),
        };
        if meter.was_interrupted() {
            return session.end(Err(Interrupted));
        }
        let turn = session.finish(|| {
            if meter.was_exhausted() {
                return failed(format!(
                    "the script takes more than {} operations between two durable calls; does a loop never end?",
                    limits::SCRIPT_OPERATIONS
                ));
            }
            match end {
                Ok(value) => match convert::to_json(&value) {
                    Ok(value) => ScriptEnd::Finished(value),
                    Err(why) => failed(format!("what the script gives cannot be kept: {why}")),
                },
                Err(error) => ScriptEnd::Failed(self.places.failure(*error)),
            }
        });
        session.end(Ok(turn));
    }

    /// What the script sees of its run. The error says what cannot be handed to it.
    fn constants(&self, start: &ScriptStart) -> Result<rhai::Scope<'static>, String> {
        let mut constants = rhai::Scope::new();
        for (name, wanted) in &self.wanted {
            let value = match name.as_str() {
                "event" => wanted.convert(&start.event),
                "input" => wanted.convert(&start.input),
                "run" => wanted.convert(&start.run),
                _ => wanted.convert_map(&start.vars),
            };
            let value = value.map_err(|why| format!("`{name}` cannot be handed to the script: {why}"))?;
            constants.push_constant_dynamic(name.as_str(), value);
        }
        Ok(constants)
    }
}

fn failed(message: String) -> ScriptEnd {
    ScriptEnd::Failed(StepError::new(ErrorCode::InvalidInput, message))
}

impl RhaiProgram {
    /// Lets the script that stands go on, or a new one begin; what it gives, and what to ask it again with.
    fn reply(&self, start: &ScriptStart, next: Next, standing: &mut ScriptStanding) -> Result<(Held, Reply), Fault> {
        let again = Next { journal: Arc::clone(&next.journal), budget: next.budget.clone() };
        // A thread that does not answer was let go just now, or its script panicked: from its beginning that shows.
        if let Some(held) = standing::take(standing, self.code.number)
            && held.to.send(next).is_ok()
            && let Ok(reply) = held.from.recv()
        {
            return Ok((held, reply));
        }
        let (to, inbox) = mpsc::channel();
        let (outbox, from) = mpsc::channel();
        let (code, start, patience) = (Arc::clone(&self.code), start.clone(), self.patience);
        start_on_own_stack(move || code.run(&start, again, Host { inbox, outbox: Some(outbox), patience }))?;
        let reply = from.recv().map_err(|_| Fault::Panicked)?;
        Ok((Held { code: self.code.number, to, from }, reply))
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

    fn sites(&self) -> &[ScriptSite] {
        &self.sites
    }

    fn advance(&self, start: &ScriptStart, journal: Arc<dyn Journal>, standing: &mut ScriptStanding, budget: &ScriptBudget) -> Result<ScriptTurn, Interrupted> {
        match self.reply(start, Next { journal, budget: budget.clone() }, standing) {
            Ok((held, reply)) => {
                if reply.waits {
                    standing::keep(standing, held);
                }
                reply.turn
            }
            Err(Fault::NoThread) => Err(Interrupted),
            Err(Fault::Panicked) => {
                let error = StepError::new(ErrorCode::Internal, "the script's interpreter panicked; report this as a bug");
                Ok(ScriptTurn { calls: Vec::new(), known: Vec::new(), end: ScriptEnd::Failed(error) })
            }
        }
    }
}
