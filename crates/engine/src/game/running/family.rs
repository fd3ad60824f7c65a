//! Which processes of this machine belong to a run.

use super::{MARKER, Record};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    thread,
    time::Duration,
};
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// A game that starts processes as fast as they are ended is given up after so many rounds.
const ROUNDS_MAX: u32 = 50;
/// The time that processes have to be gone.
const ROUND_INTERVAL: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Family {
    system: System,
    marker: OsString,
    /// Who belonged to it at the last look, with when it began: a number alone may be another's by now.
    known: BTreeMap<Pid, u64>,
}

impl Family {
    /// `None`, with a line in the log, where the system does not tell its processes.
    pub(super) fn of(record: &Record) -> Option<Self> {
        let system = System::new().inspect_err(|error| {
            tracing::warn!(%error, "the system does not tell its processes");
        });
        let known = record.born.map(|born| (Pid::from_u32(record.pid), born)).into_iter().collect();
        Some(Self { system: system.ok()?, marker: format!("{MARKER}={}", record.run).into(), known })
    }

    /// What runs of it now, by name and number. A game may start a launcher: where we carry its mark ourselves, neither we nor what we
    /// started belongs to it.
    pub(super) fn look(&mut self) -> Vec<String> {
        self.refresh();
        let ours = self.ours_that_are_marked();
        let lives = |process: &&Process| {
            !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead)
                && !ours.contains(&process.pid())
        };
        let processes: Vec<&Process> = self.system.processes().values().filter(lives).collect();
        let known = |process: &Process| self.known.get(&process.pid()) == Some(&process.start_time());
        let marked = |process: &Process| process.environ().contains(&self.marker);
        let mut members: BTreeMap<Pid, &Process> = processes
            .iter()
            .filter(|process| known(process) || marked(process))
            .map(|process| (process.pid(), *process))
            .collect();
        // Whoever takes an environment of its own is still the child of its parent.
        loop {
            let child = |process: &&&Process| {
                !members.contains_key(&process.pid())
                    && process.parent().is_some_and(|parent| members.contains_key(&parent))
            };
            let children: Vec<&Process> = processes.iter().filter(child).copied().collect();
            if children.is_empty() {
                break;
            }
            members.extend(children.into_iter().map(|process| (process.pid(), process)));
        }
        let name = |process: &&Process| format!("{} ({})", process.name().to_string_lossy(), process.pid());
        let names = members.values().map(name).collect();
        self.known = members.into_iter().map(|(pid, process)| (pid, process.start_time())).collect();
        names
    }

    /// Ends all of them at once, and again what they started meanwhile.
    pub(super) fn end(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.look().is_empty() {
                return;
            }
            for pid in self.known.keys() {
                if let Some(process) = self.system.process(*pid)
                    && !process.kill()
                {
                    tracing::warn!(%pid, "a process of the game could not be ended");
                }
            }
            thread::sleep(ROUND_INTERVAL);
        }
    }

    fn refresh(&mut self) {
        let what = ProcessRefreshKind::nothing().with_environ(UpdateKind::OnlyIfNotSet).without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    }

    /// We and all that we started, if we carry the mark.
    fn ours_that_are_marked(&self) -> BTreeSet<Pid> {
        let we = sysinfo::get_current_pid().ok().and_then(|pid| self.system.process(pid));
        let Some(we) = we.filter(|we| we.environ().contains(&self.marker)) else { return BTreeSet::new() };
        let mut found = BTreeSet::from([we.pid()]);
        loop {
            let before = found.len();
            let child = |process: &&Process| process.parent().is_some_and(|parent| found.contains(&parent));
            let children: Vec<Pid> =
                self.system.processes().values().filter(child).map(Process::pid).collect();
            found.extend(children);
            if found.len() == before {
                return found;
            }
        }
    }
}

/// When a process began, in the system's words, to tell it from a later one with its number.
pub(super) fn born(pid: u32) -> Option<u64> {
    let mut system = System::new().ok()?;
    let pid = Pid::from_u32(pid);
    let what = ProcessRefreshKind::nothing().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
    system.process(pid).map(Process::start_time)
}
