//! The launcher: how long until its window stands, what it keeps in memory, how large it is.

use super::{
    measure::{median, tree_mib},
    payload::Scratch,
    publish::Places,
    table::Row,
};
use crate::{
    demo::{Bus, Display},
    failure::{AtPath, Failure},
    place,
    process::{Running, capture, cargo, command, run},
    test::npm,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

const STARTS: usize = 5;
const WINDOW_LIMIT: Duration = Duration::from_secs(30);
/// How long the window rests before its memory is read.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) fn rows() -> Result<Vec<Row>, Failure> {
    npm("ui", &["run", "build"])?;
    run(&mut cargo(&["build", "--release", "--package", "muster-launcher"]))?;
    let binary = place::built("release", "muster-launcher");
    let size = |path: &Path| std::fs::metadata(path).at(path).map(|file| file.len() as f64 / 1_048_576.0);
    let (display, bus) = (Display::open()?, Bus::open()?);
    // An origin that answers, and the demo's face: what a player's launcher meets at its start.
    let studio = Scratch::new("launcher-studio")?;
    let places = Places::init(&studio)?;
    let origin = super::origin::serve(&places)?;
    let (mut times, mut memory) = (Vec::new(), String::new());
    for start in 0..STARTS {
        let scratch = Scratch::new("launcher")?;
        let mut launcher = command(&binary);
        launcher.env("DISPLAY", display.name()).env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
        launcher
            .env("MUSTER_REPOSITORY", &origin.url)
            .env("MUSTER_BRAND_DIR", place::root().join("demo/brand"));
        launcher.env("MUSTER_ROOT", places.repository.join("metadata/1.root.json"));
        launcher.stderr(std::process::Stdio::null());
        place::at_home(&mut launcher, &scratch.folder("home")?);
        let started = Instant::now();
        let running = Running::start("muster-launcher", &mut launcher)?;
        display.wait_for_window(WINDOW_LIMIT)?;
        times.push(started.elapsed().as_secs_f64());
        if start + 1 == STARTS {
            std::thread::sleep(SETTLE);
            memory = describe(running.id())?;
        }
    }
    Ok(vec![
        Row::new("launcher: time to first window", format!("{:.2} s", median(times)))
            .beside(format!("median of {STARTS} starts under Xvfb, without a GPU")),
        Row::new("launcher: resident memory", memory).beside("proportional share (PSS), web view included"),
        Row::new("launcher: release binary", format!("{:.1} MiB", size(&binary)?))
            .beside("stripped, UI inside"),
        Row::new("muster: release binary", format!("{:.1} MiB", size(&place::built("release", "muster"))?)),
        Row::new("UI bundle: scripts and styles", format!("{:.1} KiB", bundle_kib()?)).beside("gzip -9"),
    ])
}

fn describe(id: u32) -> Result<String, Failure> {
    let parts = tree_mib(id)?;
    let sum: f64 = parts.values().sum();
    let each: Vec<String> = parts.iter().map(|(name, mib)| format!("{name} {mib:.0}")).collect();
    Ok(format!("{sum:.0} MiB ({})", each.join(", ")))
}

fn bundle_kib() -> Result<f64, Failure> {
    let list = "find ui/dist -name '*.js' -o -name '*.css' | sort | xargs cat | gzip -9 | wc -c";
    let bytes = capture(command("sh").args(["-c", list]))?;
    Ok(bytes.trim().parse::<f64>().unwrap_or(f64::NAN) / 1024.0)
}
