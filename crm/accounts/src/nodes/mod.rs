//! What the transactional nodes of the CRM's rooms share, and this room's own: `crm.user.pick`.

mod described;
pub mod input;
mod pick;
pub mod schema;

pub use described::{Described, RecordNode, Work};
pub use pick::Workload;

use onward_core::ports::Node;
use onward_database::Tx;
use std::sync::Arc;

/// Every node of this room. `workload` counts what users have to do, which rooms above know.
pub fn nodes(workload: Arc<dyn Workload>) -> Vec<Arc<dyn Node<Tx>>> {
    vec![Arc::new(pick::PickNode::new(workload))]
}
