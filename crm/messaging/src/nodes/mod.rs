//! The nodes of this room: `message.send` and `draft`, `crm.conversation.…`, `crm.contact.merge`, `notify.user`.

mod conversations;
mod merge;
mod notify;
mod write;

use crate::{Channels, send::SendNode};
use onward_core::ports::Node;
use onward_database::Tx;
use std::sync::Arc;
use write::{AddressNode, Work};

/// Every node of this room.
pub fn nodes(channels: Channels) -> Vec<Arc<dyn Node<Tx>>> {
    let mut nodes: Vec<Arc<dyn Node<Tx>>> = vec![
        Arc::new(SendNode::new(channels.clone())),
        Arc::new(AddressNode::new(Work::Draft, channels.clone())),
        Arc::new(AddressNode::new(Work::Open, channels)),
        merge::node(),
        notify::node(),
    ];
    nodes.extend(conversations::nodes());
    nodes
}
