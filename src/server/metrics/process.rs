//! What the system knows of this process; where there is no `/proc`, nothing.

use metrics::{counter, gauge};
use std::fs;

/// Clock ticks of `/proc` in a second: fixed by the kernel's interface, whatever the hardware.
const TICKS: u64 = 100;
const PAGE_BYTES: u64 = 4_096;

/// Reads memory, processor time and open files.
pub(super) fn look_up() {
    if let Some(pages) = fs::read_to_string("/proc/self/statm").ok().as_deref().and_then(resident_pages) {
        gauge!("process_resident_memory_bytes").set((pages * PAGE_BYTES) as f64);
    }
    if let Some(ticks) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(processor_ticks) {
        counter!("process_cpu_seconds_total").absolute(ticks / TICKS);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(open.count() as f64);
    }
}

fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time; the command's name before them may hold blanks and brackets.
fn processor_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says() {
        assert_eq!(resident_pages("51234 12345 3000 1 0 2 0\n"), Some(12_345));
        assert_eq!(processor_ticks("77 (on) ward (x) S 1 77 77 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 5 1 2"), Some(300));
        assert_eq!((resident_pages(""), processor_ticks("no brackets")), (None, None));
    }
}
