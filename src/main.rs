//! The binary `onward`: the command line, and the wiring of the rooms into one process.
//!
//! What it must never hold: rules of the product. Commands that need stored data are clients of the API
//! ([`client`]); [`wiring`] is the only place that names concrete stores and connectors.

mod cli;
mod client;
mod demonstration;
mod gallery;
mod logging;
mod server;
mod terminal;
mod timeline;
mod traces;
mod wiring;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
