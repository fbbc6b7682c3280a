//! Correlation: equality on one to four literal paths, as a hash (SEMANTICS.md 10).

use crate::{OrganisationId, Value, ports::Correlation};
use std::collections::BTreeMap;

/// The correlation of a wait whose values are rendered. `Err` names a path whose value is null or empty: such a wait
/// never matches and its step fails with `invalid_input`.
pub fn correlation_of(_organisation: OrganisationId, _event: &str, _values: &BTreeMap<String, Value>) -> Result<Correlation, String> {
    todo!()
}

/// The correlations under which an event can be found, given the shapes (paths) that waits for its type use. A shape with
/// a null, missing or empty value in the event gives none.
pub fn correlations_of_event(_organisation: OrganisationId, _event: &str, _data: &Value, _shapes: &[Vec<String>]) -> Vec<Correlation> {
    todo!()
}
