//! The nodes that a server knows, and the event types that somebody declares.

use crate::patience::PatientScripts;
use onward_core::{
    definition::Catalogue,
    machine,
    ports::{Node, NodeDescriptor, Scripts, Transaction},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Two nodes of one id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two nodes have the id {0}")]
pub struct DuplicateNode(pub String);

/// Every node, by id. Cheap to clone.
pub struct Registry<T: Transaction> {
    nodes: Arc<BTreeMap<String, Arc<dyn Node<T>>>>,
    event_types: Arc<BTreeSet<String>>,
}

impl<T: Transaction> Clone for Registry<T> {
    fn clone(&self) -> Self {
        Self { nodes: Arc::clone(&self.nodes), event_types: Arc::clone(&self.event_types) }
    }
}

impl<T: Transaction> Registry<T> {
    /// From nodes and declared event types, besides the engine's own. Two nodes of one id are refused.
    pub fn new(nodes: impl IntoIterator<Item = Arc<dyn Node<T>>>, event_types: impl IntoIterator<Item = String>) -> Result<Self, DuplicateNode> {
        let mut by_id = BTreeMap::new();
        for node in nodes {
            let id = node.descriptor().id.clone();
            if by_id.insert(id.clone(), node).is_some() {
                return Err(DuplicateNode(id));
            }
        }
        let own = [machine::ASKED, machine::REMINDED, machine::ANSWERED].map(str::to_owned);
        Ok(Self { nodes: Arc::new(by_id), event_types: Arc::new(event_types.into_iter().chain(own).collect()) })
    }
    /// The node of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<dyn Node<T>>> {
        self.nodes.get(id)
    }
    /// What is to be known of every node, by id.
    pub fn descriptors(&self) -> impl Iterator<Item = &NodeDescriptor> {
        self.nodes.values().map(|node| node.descriptor())
    }
}

impl<T: Transaction> Catalogue for Registry<T> {
    fn node(&self, id: &str) -> Option<&NodeDescriptor> {
        self.nodes.get(id).map(|node| node.descriptor())
    }
    fn node_ids(&self) -> Vec<&str> {
        self.nodes.keys().map(String::as_str).collect()
    }
    fn event_types(&self) -> Vec<&str> {
        self.event_types.iter().map(String::as_str).collect()
    }
    fn scripts(&self) -> Option<&dyn Scripts> {
        Some(&PatientScripts)
    }
}
