//! Going through the steps of a definition.

use super::{Block, Step, Verb};

impl Block {
    /// Every step of the block and of the blocks inside it, in file order.
    pub fn each_step<'w>(&'w self, act: &mut dyn FnMut(&'w Step)) {
        for step in &self.steps {
            act(step);
            for block in step.verb.blocks() {
                block.each_step(act);
            }
        }
    }
}

impl Verb {
    /// The branches that the step can take, as histories name them; none for a verb that does not branch.
    pub fn branches(&self) -> Vec<String> {
        match self {
            Self::If { .. } => vec!["then".into(), "else".into()],
            Self::Choose { branches, .. } => (1..=branches.len()).map(|number| number.to_string()).chain(["else".to_owned()]).collect(),
            Self::Split { variants, .. } => variants.iter().map(|variant| variant.name.clone()).collect(),
            Self::Try { catch, finally, .. } => {
                let clauses = (1..=catch.len()).map(|number| format!("catch:{number}"));
                ["try".to_owned()].into_iter().chain(clauses).chain(finally.iter().map(|_| "finally".to_owned())).collect()
            }
            _ => Vec::new(),
        }
    }
}
