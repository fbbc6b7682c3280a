//! Which processes of this machine have ended.

use onward_core::ports::Processes;
use rustix::{io::Errno, process::Pid};
use std::fs;

/// The processes of this machine, or of this container. A process is called by where it runs, its number there and when it began,
/// since numbers are used again.
#[derive(Debug)]
pub(crate) struct MachineProcesses {
    /// `None` where there is no `/proc` of Linux that shows this process: nothing is known then.
    place: Option<String>,
    own: String,
}

impl MachineProcesses {
    pub(crate) fn new() -> Self {
        let seen = place().zip(began(std::process::id()).filter(|_| proc_is_ours()));
        let own = seen.as_ref().map(|(place, began)| format!("{place} {} {began}", std::process::id())).unwrap_or_default();
        Self { place: seen.map(|(place, _)| place), own }
    }
}

impl Processes for MachineProcesses {
    fn own(&self) -> &str {
        &self.own
    }

    fn has_ended(&self, name: &str) -> bool {
        let mut parts = name.rsplitn(3, ' ');
        let (began_then, id, place) = (parts.next(), parts.next(), parts.next());
        let Some(id) = id.and_then(|id| id.parse::<u32>().ok()).and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else { return false };
        if place.is_none() || place != self.place.as_deref() {
            return false;
        }
        // Files of another user's process may be hidden; that it exists is not.
        match rustix::process::test_kill_process(id) {
            Err(Errno::SRCH) => true,
            _ => began(id.as_raw_nonzero().get().unsigned_abs()).is_some_and(|began| Some(began.as_str()) != began_then),
        }
    }
}

/// The start of the machine, its name (copies of a machine have the start in common), and the namespaces in which processes are
/// numbered and their start is told. A number of a namespace that is used again says that the former one is gone, with all in it.
fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).map(|link| link.to_string_lossy().into_owned());
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // Linux before 5.6 tells all processes one time.
    Some(format!("{} {} {} {}", boot.trim(), name.replace(' ', "_"), space("pid").ok()?, space("time").unwrap_or_default()))
}

/// `/proc` may have been mounted for another numbering.
fn proc_is_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|link| link.to_string_lossy() == std::process::id().to_string())
}

/// When a process began, in ticks of the machine; another text than any time for one that has ended and was not yet asked about
/// by its parent. `None`: it cannot be seen.
fn began(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Its second field is the program's name in brackets, in which anything may stand (proc_pid_stat(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let began = fields.nth(18)?;
    Some(if matches!(state, "Z" | "X") { "ended".to_owned() } else { began.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read as _,
        process::{Command, Stdio},
    };

    fn called(processes: &MachineProcesses, id: u32) -> String {
        format!("{} {id} {}", processes.place.as_deref().unwrap(), began(id).unwrap())
    }

    #[test]
    fn a_process_that_was_killed_has_ended() {
        let processes = MachineProcesses::new();
        assert!(!processes.own().is_empty() && !processes.has_ended(processes.own()), "it runs: {processes:?}");
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let name = called(&processes, child.id());
        assert!(!processes.has_ended(&name));
        child.kill().unwrap();
        // The end of what it wrote is heard as it ends; its parent has not asked for its end yet.
        let mut nothing = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut nothing).unwrap();
        let exited = rustix::process::waitid(
            rustix::process::WaitId::Pid(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()),
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
        );
        assert!(exited.is_ok_and(|status| status.is_some()));
        assert!(processes.has_ended(&name), "not yet buried");
        child.wait().unwrap();
        assert!(processes.has_ended(&name), "gone");
    }

    #[test]
    fn of_others_nothing_is_known() {
        let processes = MachineProcesses::new();
        let own = processes.own();
        let (rest, began) = own.rsplit_once(' ').unwrap();
        assert!(processes.has_ended(&format!("{rest} {began}0")), "its number was used again");
        assert!(!processes.has_ended(&format!("elsewhere {own}")), "another machine");
        let here = processes.place.as_deref().unwrap();
        for nonsense in ["", " ", "1", "a b c", "4194304 1", &format!("{here} 0 1"), &format!("{here} -1 1"), &format!("{here} 99999999999 1")] {
            assert!(!processes.has_ended(nonsense), "{nonsense:?}");
        }
        let blind = MachineProcesses { place: None, own: String::new() };
        assert!(!blind.has_ended(own) && !blind.has_ended(&format!("{rest} {began}0")));
    }
}
