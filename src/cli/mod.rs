//! The command line: parses what was typed, runs the command, and gives the exit code.

mod arguments;
mod asks;
mod backup;
mod completions;
mod connection;
mod doctor;
mod event;
mod failure;
mod input;
mod jobs;
mod migrate;
mod migrate_runs;
mod nodes;
mod publish;
mod repair;
mod replay;
mod resume;
mod retention;
mod run;
mod runs;
mod schema;
mod serve;
mod simulate;
mod table;
mod test;
mod token;
mod user;
mod validate;
mod versions;
mod why;
mod workflows;

#[cfg(test)]
mod tests;

pub(crate) use arguments::{Arguments, Place};
pub(crate) use failure::Failure;

use crate::{client::Client, logging, terminal, traces};
use arguments::Command;
use clap::Parser as _;
use serde_json::Value;
use std::{future::Future, process::ExitCode};

/// What every command is told besides its own arguments.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Where the data is.
    pub(crate) place: Place,
    /// One JSON document instead of text.
    pub(crate) json: bool,
}

impl Context {
    /// A client of the API, wherever the data is.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        Client::connect(&self.place).await
    }

    /// Prints the document, or the text made of it.
    pub(crate) fn print(&self, document: &Value, text: impl FnOnce(&Value) -> String) {
        if self.json { print_json(document) } else { terminal::print(&text(document)) }
    }
}

/// Prints one JSON document.
pub(crate) fn print_json(document: &Value) {
    terminal::print(&format!("{document:#}"));
}

/// Parses the arguments and runs the command.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    // A server tells what it does; any other command only what is wrong.
    let usual = if matches!(arguments.command, Command::Serve(_)) { "info" } else { "warn" };
    let traces = if matches!(arguments.command, Command::Serve(_)) { traces::layer().map_err(Failure::wrong_use)? } else { None };
    logging::start(arguments.log.as_deref().unwrap_or(usual), traces).map_err(Failure::wrong_use)?;
    // The only TLS provider that is compiled in; a second call would find it there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let context = Context { place: arguments.place, json: arguments.json };
    match arguments.command {
        Command::Serve(serve) => block_on(serve.run(context)),
        Command::Validate(validate) => validate.run(&context),
        Command::Run(run) => block_on(run.run(context)),
        Command::Test(test) => test.run(&context),
        Command::Simulate(simulate) => simulate.run(&context),
        Command::Schema(schema) => {
            schema.run();
            Ok(())
        }
        Command::Publish(publish) => block_on(publish.run(context)),
        Command::Workflows(workflows) => block_on(workflows.run(context)),
        Command::Runs(runs) => block_on(runs.run(context)),
        Command::Replay(replay) => block_on(replay.run(context)),
        Command::Pause(pause) => block_on(pause.run(context)),
        Command::Resume(resume) => block_on(resume.run(context)),
        Command::Jobs(jobs) => block_on(jobs.run(context)),
        Command::Retention(retention) => block_on(retention.run(context)),
        Command::Nodes(nodes) => nodes.run(&context),
        Command::Event(event) => block_on(event.run(context)),
        Command::Connection(connection) => block_on(connection.run(context)),
        Command::User(user) => block_on(user.run(context)),
        Command::Token(token) => block_on(token.run(context)),
        Command::Migrate(migrate) => block_on(migrate.run(context)),
        Command::Backup(backup) => block_on(backup.run(context)),
        Command::Restore(restore) => block_on(restore.run(context)),
        Command::Doctor(doctor) => block_on(doctor.run(context)),
        Command::Completions(completions) => {
            completions.run();
            Ok(())
        }
    }
}

/// Runs a command on a runtime of its own.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::because("the runtime cannot start", &error))?;
    let result = runtime.block_on(command);
    // What still runs has had its chance: nothing that was acknowledged depends on it.
    runtime.shutdown_background();
    result
}
