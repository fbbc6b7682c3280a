//! A node that calls a record function in the transaction that records its step.

use super::input::Input;
use crate::CrmError;
use onward_core::{
    StepError, Value,
    ports::{BoxFuture, Effect, Node, NodeDescriptor, Outcome, StepContext},
};
use onward_database::Tx;
use std::sync::Arc;

/// What differs between the descriptors of such nodes.
#[derive(Clone, Debug)]
pub struct Described<'a> {
    /// `crm.deal.create`.
    pub id: &'a str,
    /// For people.
    pub title: &'a str,
    /// One or two sentences.
    pub description: &'a str,
    /// The palette's group.
    pub category: &'a str,
    /// JSON Schema of the input.
    pub input: Value,
    /// An input that works.
    pub example: Value,
    /// JSON Schema of the output, and an example of it.
    pub output: (Value, Value),
    /// The order of the form's fields.
    pub order: &'a [&'a str],
    /// The run's record that the output becomes.
    pub binds: Option<&'a str>,
}

impl Described<'_> {
    /// As a descriptor: transactional, and personal, since records are about people.
    pub fn transactional(self) -> NodeDescriptor {
        NodeDescriptor {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            description: self.description.to_owned(),
            category: self.category.to_owned(),
            effect: Effect::Transactional,
            input: self.input,
            output: self.output.0,
            example: self.example,
            example_output: self.output.1,
            ui: serde_json::json!({ "order": self.order }),
            connector: None,
            personal: true,
            binds: self.binds.map(str::to_owned),
        }
    }
}

/// The work of a node.
pub type Work = for<'a> fn(&'a mut Tx, &'a StepContext, Input<'a>) -> BoxFuture<'a, Result<Value, CrmError>>;

/// A transactional node made of a descriptor and a function.
pub struct RecordNode {
    descriptor: NodeDescriptor,
    work: Work,
}

impl RecordNode {
    /// The node: `RecordNode::of(described, |tx, ctx, input| Box::pin(create(tx, ctx, input)))`.
    pub fn of(described: Described<'_>, work: Work) -> Arc<dyn Node<Tx>> {
        Arc::new(Self { descriptor: described.transactional(), work })
    }
}

#[onward_core::async_trait]
impl Node<Tx> for RecordNode {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }

    async fn apply(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Outcome {
        let done = match Input::new(input) {
            Ok(input) => (self.work)(tx, ctx, input).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(output) => Outcome::done(output),
            Err(error) => StepError::from(error).into(),
        }
    }
}
