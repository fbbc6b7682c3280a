//! What can be typed: one parser for the whole command line (DESIGN.md, "Command line").

use super::{
    backup, completions, connection, doctor, event, jobs, migrate, nodes, publish, replay, resume, retention, run, runs, schema, serve, simulate, test, token,
    user, validate, workflows,
};
use clap::{Args, Parser, Subcommand, builder::BoolishValueParser};

/// A durable workflow engine with a CRM on top, in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "onward",
    version,
    about = "A durable workflow engine with a CRM on top, in one binary",
    after_help = "Examples:
  onward serve --demo                       try everything, with no outside account
  onward validate welcome.yaml              find the mistakes of a workflow
  onward run welcome.yaml --input '{}'      run it once, on a temporary database
  onward test                               play the tests of workflows in virtual time
  onward publish welcome.yaml               make it live
  onward runs list --status waiting         what waits?
  onward runs show RUN_ID                   what happened, when, and why?

Exit codes: 0 good, 1 the thing asked about failed, 2 wrong use.
Every option can be set in the environment as well; `onward COMMAND --help` names the variable.",
    disable_help_subcommand = true,
    propagate_version = true,
    max_term_width = 110
)]
pub(crate) struct Arguments {
    /// What is to be done.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Where the data is.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print one JSON document on standard output.
    #[arg(long, global = true, env = "ONWARD_JSON", value_parser = BoolishValueParser::new(), help_heading = "Output")]
    pub(crate) json: bool,
    /// What is logged: `info`, `debug`, or `onward_runtime=debug,warn`; to standard error, as JSON unless it is a terminal.
    #[arg(long, global = true, env = "ONWARD_LOG", value_name = "FILTER", help_heading = "Output")]
    pub(crate) log: Option<String>,
}

/// Where the data is. `--server` wins over `--database`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// A running server, over the network; needs a token.
    #[arg(long, global = true, env = "ONWARD_SERVER", value_name = "URL", help_heading = "Where the data is")]
    pub(crate) server: Option<String>,
    /// The API token for `--server`.
    #[arg(long, global = true, env = "ONWARD_TOKEN", value_name = "TOKEN", hide_env_values = true, help_heading = "Where the data is")]
    pub(crate) token: Option<String>,
    /// The database. Beside a server that runs on the file, its socket next to the file is used.
    #[arg(
        long,
        global = true,
        env = "ONWARD_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://onward.db",
        hide_env_values = true,
        help_heading = "Where the data is"
    )]
    pub(crate) database: String,
    /// The organisation; left out, the only one there is.
    #[arg(long, global = true, env = "ONWARD_ORG", value_name = "NAME", help_heading = "Where the data is")]
    pub(crate) org: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Serve),
    Validate(validate::Validate),
    Run(run::Run),
    Test(test::Test),
    Simulate(simulate::Simulate),
    Schema(schema::Schema),
    Publish(publish::Publish),
    #[command(subcommand)]
    Workflows(workflows::Workflows),
    #[command(subcommand)]
    Runs(runs::Runs),
    Replay(replay::Replay),
    Pause(resume::Pause),
    Resume(resume::Resume),
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    #[command(subcommand)]
    Retention(retention::Retention),
    #[command(subcommand)]
    Nodes(nodes::Nodes),
    #[command(subcommand)]
    Event(event::Event),
    #[command(subcommand)]
    Connection(connection::Connection),
    #[command(subcommand)]
    User(user::User),
    #[command(subcommand)]
    Token(token::Token),
    Migrate(migrate::Migrate),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
}
