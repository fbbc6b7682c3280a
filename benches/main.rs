//! Benchmarks: what the built binary does under load, over real HTTP and WebSocket, on the disk it is run on.
//!
//! `cargo bench --bench onward -- [NAME…]` prints one JSON line a figure on standard output and a table on standard error.
//! Every figure stands beside the machine's own limits, measured in the same run on the same file system, so that results
//! of different machines can be compared. docs/benchmarks.md says what each figure means.
//!
//! What this program must never do: take part in `make test`. Nothing here asserts a time; a target that is missed is
//! reported as missed.

mod arguments;
mod clock;
mod http;
mod limits;
mod load;
mod machine;
mod measures;
mod postgres;
mod process;
mod report;
mod server;
mod statistics;
mod watch;
mod whatsapp;
mod workflows;

use arguments::Arguments;
use measures::Bench;
use report::Report;
use std::process::ExitCode;

/// The product's allocator: what is measured in this process is measured as it runs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What goes wrong in a benchmark is told to a person and ends it.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A result that fails with a sentence.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Arguments::Help) => {
            eprint!("{}", arguments::HELP);
            ExitCode::SUCCESS
        }
        Ok(Arguments::NotABenchmark) => {
            eprintln!("benchmarks are measured by `cargo bench --bench onward` alone; nothing was done");
            ExitCode::SUCCESS
        }
        Ok(Arguments::Measure(settings)) => {
            // One thread: the load generator shares the cores with what it measures.
            let outcome =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Into::into).and_then(|runtime| runtime.block_on(measure(settings)));
            match outcome {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => {
                    eprintln!("bench: {failure}");
                    ExitCode::FAILURE
                }
            }
        }
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::from(2)
        }
    }
}

async fn measure(settings: arguments::Settings) -> Result<()> {
    let machine = machine::Machine::read(&settings.folder)?;
    eprintln!("machine: {machine}");
    let mut limits = limits::measure(&settings.folder)?;
    if let Some(postgres) = &settings.postgres {
        limits.postgres = Some(postgres.limits(&settings.folder)?);
    }
    eprintln!("limits:  {limits}");
    let mut bench = Bench { report: Report::new(machine, limits), settings };
    let mut failed = Vec::new();
    for measure in measures::all() {
        if !bench.settings.wants(measure.name) {
            continue;
        }
        eprintln!("\n{}: {}", measure.name, measure.about);
        // One measurement that fails must not cost the others their figures.
        if let Err(failure) = (measure.run)(&mut bench).await {
            eprintln!("  failed: {failure}");
            failed.push(measure.name);
        }
    }
    eprintln!("\n{}", bench.report.table());
    if failed.is_empty() { Ok(()) } else { Err(format!("not measured: {}", failed.join(", ")).into()) }
}
