//! What the benchmark program is told.

use crate::{Result, measures, postgres::Postgres};
use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
cargo bench --bench onward -- [NAME…] [OPTIONS]

Measures the built binary. Without a name everything is measured, which takes about ten minutes.

  --list          the names
  --runs N        how often each figure is measured (default 5); the median and the range are reported
  --seconds S     how long one measurement of a rate lasts (default 4)
  --scale F       a share of the populations (sleeping runs, timers), for trying things out; targets are then not judged
  --folder DIR    where databases are made (default: a folder beside the binary); its disk is what is measured
  --binary FILE   another build of the binary
  --postgres      on a throwaway PostgreSQL that syncs, and not on SQLite (started and ended by scripts/postgres.sh)

Standard output: one JSON line a figure. Standard error: progress, and a table at the end.
";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Arguments {
    /// Print how it is used.
    Help,
    /// Started by something that is not `cargo bench`, such as `cargo test --all-targets`.
    NotABenchmark,
    /// Measure.
    Measure(Settings),
}

/// How it is measured.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What is measured; empty means everything.
    names: Vec<String>,
    /// How often each figure is measured.
    pub(crate) runs: usize,
    /// How long one measurement of a rate lasts.
    pub(crate) seconds: f64,
    /// Share of the populations.
    pub(crate) scale: f64,
    /// Where databases are made.
    pub(crate) folder: PathBuf,
    /// What is measured.
    pub(crate) binary: PathBuf,
    /// The server that databases are made on; none: SQLite files.
    pub(crate) postgres: Option<Postgres>,
}

impl Settings {
    /// Whether this measurement was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }

    /// A population of the real size, scaled.
    pub(crate) fn scaled(&self, population: usize) -> usize {
        ((population as f64 * self.scale) as usize).max(1)
    }
}

impl Arguments {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_onward"));
        let mut settings = Settings {
            names: Vec::new(),
            runs: 5,
            seconds: 4.0,
            scale: 1.0,
            folder: binary.parent().ok_or("the binary has no folder")?.join("bench-data"),
            binary,
            postgres: None,
        };
        let mut postgres = false;
        let mut benchmark = false;
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                // What cargo itself adds.
                "--bench" => benchmark = true,
                "--help" | "-h" => return Ok(Self::Help),
                "--list" => {
                    for measure in measures::all() {
                        println!("{}\t{}", measure.name, measure.about);
                    }
                    return Ok(Self::Help);
                }
                "--runs" => settings.runs = value()?.parse::<usize>()?.max(1),
                "--seconds" => settings.seconds = value()?.parse::<f64>()?.clamp(0.1, 600.0),
                "--scale" => settings.scale = value()?.parse::<f64>()?.clamp(0.0001, 100.0),
                "--folder" => settings.folder = value()?.into(),
                "--postgres" => postgres = true,
                "--binary" => settings.binary = value()?.into(),
                option if option.starts_with('-') => return Err(format!("{option} is unknown; see --help").into()),
                name if measures::all().iter().any(|measure| measure.name == name) => settings.names.push(name.to_owned()),
                name => return Err(format!("there is no measurement `{name}`; see --list").into()),
            }
        }
        if !benchmark {
            return Ok(Self::NotABenchmark);
        }
        settings.postgres = postgres.then(Postgres::start).transpose()?;
        std::fs::create_dir_all(&settings.folder).map_err(|error| format!("{}: {error}", settings.folder.display()))?;
        Ok(Self::Measure(settings))
    }
}
