//! The nodes `crm.…` of this room: each calls the record function of its name in the transaction that records the step.

mod companies;
mod contacts;
mod deals;
mod scores;
mod segments;
mod tasks;

pub use contacts::{contact_of, contact_output};

use onward_accounts::{CrmError, nodes::input::Input};
use onward_core::ports::Node;
use onward_database::Tx;
use std::sync::Arc;
use uuid::Uuid;

/// Every node of this room.
pub fn nodes() -> Vec<Arc<dyn Node<Tx>>> {
    [contacts::nodes(), scores::nodes(), companies::nodes(), deals::nodes(), tasks::nodes(), segments::nodes()].into_iter().flatten().collect()
}

/// The record that a field names by its id or as a whole; nothing where it is empty.
fn id_of<T: From<Uuid>>(input: &Input<'_>, key: &str, what: &'static str) -> Result<Option<T>, CrmError> {
    match input.id(key)? {
        None => Ok(None),
        Some(text) => onward_core::ids::parse(&text).map(Some).ok_or_else(|| CrmError::not_found(what, text)),
    }
}

/// The record that a step works on: what its input names as `what` or `id`, else the run's.
fn record_of<T: From<Uuid>>(input: &Input<'_>, what: &'static str, of_run: Option<&str>) -> Result<T, CrmError> {
    for key in [what, "id"] {
        if let Some(id) = id_of(input, key, what)? {
            return Ok(id);
        }
    }
    of_run
        .and_then(onward_core::ids::parse)
        .ok_or_else(|| CrmError::invalid(what, format!("this run has no {what} yet; name one with `{what}`, or let a step that makes or finds one come first")))
}

/// An id of the run's record.
fn of_run<T: From<Uuid>>(id: Option<&str>) -> Option<T> {
    id.and_then(onward_core::ids::parse)
}

/// What an update sets: absent leaves it, an empty value clears it.
fn cleared(input: &Input<'_>, key: &str) -> Result<Option<String>, CrmError> {
    Ok(if input.has(key) { Some(input.text(key)?.unwrap_or_default()) } else { None })
}
