//! Figures: JSON lines for programs, a table for people.

use crate::{limits::Limits, machine, machine::Machine, statistics};
use serde_json::{Value, json};

/// What a figure ought to be, by the median of its runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Target {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
    fn number(self) -> f64 {
        let (Self::AtLeast(number) | Self::AtMost(number)) = self;
        number
    }
    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {}", shown(least)),
            Self::AtMost(most) => format!("≤ {}", shown(most)),
        }
    }
}

/// Which of the machine's limits a figure is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// Rows in a second, batched.
    BatchedRows,
    /// Transactions of one row in a second.
    OneRow,
    /// The median time of one `fdatasync`; for figures in milliseconds.
    FdatasyncMillis,
}

impl Limit {
    /// Its name, and its value: of the database that is measured on.
    fn of(self, limits: &Limits) -> (&'static str, f64) {
        match (self, limits.postgres) {
            (Self::BatchedRows, None) => ("sqlite_batched_rows_per_s", limits.sqlite_batched_rows_per_second),
            (Self::BatchedRows, Some(postgres)) => ("postgres_batched_rows_per_s", postgres.batched_rows_per_second),
            (Self::OneRow, None) => ("sqlite_one_row_tx_per_s", limits.sqlite_one_row_per_second),
            (Self::OneRow, Some(postgres)) => ("postgres_one_row_tx_per_s", postgres.one_row_per_second),
            (Self::FdatasyncMillis, _) => ("fdatasync_p50_us", limits.fdatasync_p50_micros / 1000.0),
        }
    }
}

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    name: &'static str,
    unit: &'static str,
    runs: Vec<f64>,
    settings: Value,
    target: Option<Target>,
    limit: Option<Limit>,
}

impl Figure {
    /// A figure with the result of each run.
    pub(crate) fn new(name: &'static str, unit: &'static str, runs: Vec<f64>) -> Self {
        Self { name, unit, runs, settings: json!({}), target: None, limit: None }
    }
    /// How it was measured.
    #[must_use]
    pub(crate) fn with(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }
    /// What it ought to be; `None` when the population was scaled.
    #[must_use]
    pub(crate) fn target(mut self, target: Option<Target>) -> Self {
        self.target = target;
        self
    }
    /// Which limit it is compared with.
    #[must_use]
    pub(crate) fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Machine,
    limits: Limits,
    lines: Vec<[String; 6]>,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(machine: Machine, limits: Limits) -> Self {
        Self { machine, limits, lines: Vec::new() }
    }

    /// The machine's limits.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Prints the figure's JSON line and keeps it for the table.
    pub(crate) fn add(&mut self, figure: Figure) {
        let Figure { name, unit, runs, settings, target, limit } = figure;
        let (Some(median), min, max) =
            (statistics::median(&runs), runs.iter().copied().fold(f64::INFINITY, f64::min), runs.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        else {
            eprintln!("  {name}: nothing was measured");
            return;
        };
        let met = target.map(|target| target.met(median));
        let limit = limit.map(|limit| limit.of(&self.limits));
        let ratio = limit.map(|(_, limit)| median / limit);
        println!(
            "{}",
            json!({
                "name": name, "unit": unit, "median": rounded(median), "min": rounded(min), "max": rounded(max), "runs": runs.len(),
                "settings": settings, "machine": self.machine.json(), "load_average": machine::load_average(), "limits": self.limits.json(),
                "ratio_to_limit": ratio.map(rounded), "limit": limit.map(|(name, _)| name),
                "target": target.map(Target::number), "met": met,
            })
        );
        let line = [
            name.to_owned(),
            format!("{} {unit}", shown(median)),
            format!("{} … {}", shown(min), shown(max)),
            target.map(Target::text).unwrap_or_default(),
            met.map_or("", |met| if met { "met" } else { "MISSED" }).to_owned(),
            ratio.zip(limit).map(|(ratio, (name, _))| format!("{ratio:.2} × {name}")).unwrap_or_default(),
        ];
        eprintln!("  {}  {} ({}) {} {}", line[0], line[1], line[2], line[3], line[4]);
        self.lines.push(line);
    }

    /// All figures, in columns.
    pub(crate) fn table(&self) -> String {
        let head = ["figure", "median", "range", "target", "", "of the machine's limit"].map(str::to_owned);
        let lines: Vec<&[String; 6]> = std::iter::once(&head).chain(&self.lines).collect();
        let widths: Vec<usize> = (0..head.len()).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for line in lines {
            for (cell, width) in line.iter().zip(&widths) {
                let pad = width.saturating_sub(cell.chars().count()) + 2;
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', pad));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

/// Three decimals are enough for any of them.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// A number as a person reads it.
fn shown(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => {
            let digits = format!("{number:.0}");
            let mut text = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}
