//! What nodes give without an effect.

use crate::Registry;
use onward_core::{
    Value,
    definition::Catalogue,
    ports::{Effect, Outcome, Transaction},
};

/// What nodes give without an effect: the result of a pure node, the preview of any other.
pub trait Previews: Catalogue {
    /// `None` for a node that is not known.
    fn preview(&self, node: &str, input: &Value) -> Option<Outcome>;
}

impl<T: Transaction> Previews for Registry<T> {
    fn preview(&self, node: &str, input: &Value) -> Option<Outcome> {
        let node = self.get(node)?;
        Some(match node.descriptor().effect {
            Effect::Pure => node.eval(input),
            Effect::Transactional | Effect::External | Effect::AtMostOnce => Outcome::done(node.preview(input)),
        })
    }
}
