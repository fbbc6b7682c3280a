//! Programs that were compiled before: all worlds have the same nodes and publish the same files, and most of a seed's time would
//! go into compiling them again, for each world and each engine in it.

use onward_core::definition::{Catalogue, Compiled, Problem, Workflow, compile};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A program, unless a problem is an error, and the problems.
pub(crate) type Program = (Option<Arc<Workflow>>, Vec<Problem>);
type Programs = BTreeMap<(String, String), Program>;

fn programs() -> MutexGuard<'static, Programs> {
    static PROGRAMS: Mutex<Programs> = Mutex::new(Programs::new());
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a program depends on besides its text.
fn nodes(catalogue: &dyn Catalogue) -> String {
    let mut text = String::new();
    for id in catalogue.node_ids() {
        let effect = catalogue.node(id).map(|node| node.effect);
        let _ = write!(text, "{id} {effect:?} ");
    }
    let _ = write!(text, "{}", catalogue.scripts().is_some());
    text
}

/// What compiling a text gives, compiled once in this process.
pub(crate) fn compiled_once(source: &str, catalogue: &dyn Catalogue) -> Program {
    let key = (source.to_owned(), nodes(catalogue));
    if let Some(known) = programs().get(&key) {
        return known.clone();
    }
    let Compiled { workflow, problems } = compile(source, catalogue);
    let program = (workflow.map(Arc::new), problems);
    programs().insert(key, program.clone());
    program
}
