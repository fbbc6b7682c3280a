//! What the kernel says of a process: memory and processor time.

use crate::Result;
use std::{fs, time::Duration};

/// Clock ticks in a second, as `/proc/PID/stat` counts them; fixed on Linux.
const TICKS: u64 = 100;

/// Memory of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident now, in bytes.
    pub(crate) resident: u64,
    /// The most that was ever resident, in bytes.
    pub(crate) peak: u64,
}

/// Reads the memory of a process.
pub(crate) fn memory(id: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("/proc/{id}/status has no {name}"))?;
        let kibibytes: u64 = line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse()?;
        Ok(kibibytes * 1024)
    };
    Ok(Memory { resident: field("VmRSS")?, peak: field("VmHWM")? })
}

/// Processor time that a process has used so far, in all its threads.
pub(crate) fn processor_time(id: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name in brackets may hold spaces; the fields after it do not.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/PID/stat cannot be read")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |index: usize| -> Result<u64> { Ok(fields.get(index).ok_or("/proc/PID/stat is too short")?.parse()?) };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1000 / TICKS))
}
