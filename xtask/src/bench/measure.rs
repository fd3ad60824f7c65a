//! What a running process has used so far, as the kernel counts it.

use crate::{
    failure::{AtPath, Failure},
    process::{Running, capture, command},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Processor seconds, user and system, of a live process.
pub(crate) fn cpu_seconds(id: u32) -> Result<f64, Failure> {
    let path = format!("/proc/{id}/stat");
    let stat = std::fs::read_to_string(&path).at(&path)?;
    // The name may hold spaces; the fields after it do not. utime and stime are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let per_second: f64 = capture(command("getconf").arg("CLK_TCK"))?.trim().parse().unwrap_or(100.0);
    Ok((ticks(11) + ticks(12)) / per_second)
}

/// Peak resident memory in MiB of a live process.
pub(crate) fn peak_mib(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Anonymous memory in MiB of a live process now: its own, without the files it maps.
pub(crate) fn anonymous_mib(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Waits for the end of a program; returns its seconds and its peak memory in MiB.
pub(crate) fn to_the_end(mut running: Running, limit: Duration) -> Result<(f64, f64), Failure> {
    let (started, mut peak) = (Instant::now(), 0.0_f64);
    loop {
        if let Some(status) = running.ended() {
            let seconds = started.elapsed().as_secs_f64();
            if status.success() {
                return Ok((seconds, peak));
            }
            return Err(Failure::Unexpected { what: format!("a measured program ended with {status}") });
        }
        peak = peak.max(peak_mib(running.id()).unwrap_or(0.0));
        if started.elapsed() > limit {
            return Err(Failure::Late { what: "a measured program's end".into(), seconds: limit.as_secs() });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Proportional resident memory in MiB of a process and all its descendants, by program name.
pub(crate) fn tree_mib(id: u32) -> Result<BTreeMap<String, f64>, Failure> {
    let table = capture(command("ps").args(["-eo", "pid=,ppid=,comm="]))?;
    let rows: Vec<(u32, u32, String)> = table.lines().filter_map(process_row).collect();
    let mut wanted = vec![id];
    let mut found = BTreeMap::new();
    while let Some(next) = wanted.pop() {
        wanted.extend(rows.iter().filter(|(_, parent, _)| *parent == next).map(|(id, _, _)| *id));
        let name = rows.iter().find(|(id, _, _)| *id == next).map_or("?", |(_, _, name)| name.as_str());
        *found.entry(name.to_owned()).or_insert(0.0) += proportional_mib(next).unwrap_or(0.0);
    }
    Ok(found)
}

fn process_row(line: &str) -> Option<(u32, u32, String)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.to_owned()))
}

fn proportional_mib(id: u32) -> Option<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// The middle of three or more.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
