//! `onward schema`: the JSON Schema of workflow and test files, for editors.

use super::print_json;
use clap::{Args, ValueEnum};

/// Print the JSON Schema of workflow or test files, for editors.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward schema > workflow.schema.json
  onward schema test > test.schema.json

Then begin a workflow file with this line, and the editor completes and checks it:
  # yaml-language-server: $schema=./workflow.schema.json")]
pub(crate) struct Schema {
    /// Of which kind of file.
    #[arg(value_enum, default_value_t = Kind::Workflow, value_name = "KIND")]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// `NAME.yaml`.
    Workflow,
    /// `NAME.test.yaml`.
    Test,
}

impl Schema {
    pub(crate) fn run(self) {
        match self.kind {
            Kind::Workflow => print_json(&onward_core::definition::schema()),
            Kind::Test => print_json(&onward_core::definition::testing::schema()),
        }
    }
}
