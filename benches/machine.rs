//! The machine, as far as it bears on the figures. No names: the figures are published.

use crate::Result;
use serde_json::{Value, json};
use std::{fmt, fs, path::Path};

/// What the figures were measured on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    file_system: String,
}

impl Machine {
    /// Reads it from `/proc`; `folder` says which file system counts.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned()));
        Ok(Self {
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            kernel: release(&fs::read_to_string("/proc/sys/kernel/osrelease")?),
            file_system: file_system(&folder.canonicalize()?)?,
        })
    }

    /// As it stands in a JSON line.
    pub(crate) fn json(&self) -> Value {
        json!({ "cpu": self.cpu, "cores": self.cores, "kernel": self.kernel, "fs": self.file_system })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores, {}, Linux {}, {}", self.cores, self.cpu, self.kernel, self.file_system)
    }
}

/// The kernel's version without what its builder added.
fn release(text: &str) -> String {
    text.trim().split('-').next().unwrap_or_default().to_owned()
}

/// The type of the file system that holds the folder: of the mounts above it, the nearest.
fn file_system(folder: &Path) -> Result<String> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let nearest = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len());
    Ok(nearest.map_or("unknown", |(_, kind)| kind).to_owned())
}

/// How busy the machine was in the last minute: figures of a busy machine are not those of a quiet one.
pub(crate) fn load_average() -> f64 {
    fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(f64::NAN)
}
