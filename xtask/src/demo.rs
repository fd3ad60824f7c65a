//! `cargo xtask demo`: a studio, its servers and three players, all on loopback, and the launcher before them.

mod cast;
mod desktop;
mod feed;
mod state;

pub(crate) use desktop::{Bus, Display};

use crate::{
    failure::{AtPath, Failure},
    place,
    process::{Running, cargo, run},
    setup,
    step::Steps,
    test::npm,
};
use cast::Cast;
use desktop::Desktop;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

/// Longest until the launcher's window stands.
const WINDOW_LIMIT: Duration = Duration::from_secs(60);
/// How long the window paints and asks the origin before its picture is taken.
const PAINT: Duration = Duration::from_secs(8);

/// Where everything of the demo lies; removed at the start of the next one.
fn folder() -> PathBuf {
    place::root().join(".demo")
}

/// Publishes, serves, seeds, and opens the launcher; ends with it, on Ctrl-C, or with `once` after
/// the first picture.
pub(crate) fn command(once: bool) -> Result<(), Failure> {
    let stop = stop_flag()?;
    println!(
        "The demo: a game is published and served on loopback, three players seed it, the launcher opens."
    );
    println!("The first time takes some minutes to compile; later ones about half a minute.");
    let mut steps = Steps::new();
    setup::for_demo(&mut steps)?;
    steps.run("user interface", || npm("ui", &["run", "build"]))?;
    steps.run("programs", || run(&mut cargo(&["build", "--workspace", "--exclude", "xtask", "--bins"])))?;
    let mut cast = None;
    steps.run("studio, servers and players", || {
        clear(&folder())?;
        cast = Some(Cast::enter(&folder())?);
        Ok(())
    })?;
    let Some(cast) = cast else { return Ok(()) };
    let desktop = Desktop::open(once)?;
    let mut launcher = cast.launcher(&desktop)?;
    state::write(&folder())?;
    invite(&cast);
    if desktop.is_virtual() {
        let picture = folder().join("launcher.png");
        desktop.display().wait_for_window(WINDOW_LIMIT)?;
        std::thread::sleep(PAINT);
        desktop.display().picture(&picture)?;
        println!(
            "no display here, so the launcher runs in a virtual one; its picture: {}",
            picture.display()
        );
    }
    if !once {
        watch(&mut launcher, &stop)?;
    }
    launcher.end();
    state::remove(&folder());
    println!("the demo has ended; what it made is in .demo");
    Ok(())
}

/// Publishes 1.1 into the demo that runs.
pub(crate) fn release_next() -> Result<(), Failure> {
    state::check_running(&folder())?;
    cast::publish(&folder(), "1.1")?;
    println!("1.1 is published; the launcher offers the update when it next looks");
    Ok(())
}

fn invite(cast: &Cast) {
    println!("\n  repository         {}", cast.repository_url());
    println!("  identity provider  {}  (any name, any password)", cast.issuer());
    println!("  news feed          {}", cast.feed_url());
    println!("\n  n, Enter           publish 1.1 (or: cargo xtask demo --release-next)");
    println!("  Ctrl-C             end the demo\n");
}

/// Until the window is closed or a signal comes; `n` publishes 1.1.
fn watch(launcher: &mut Running, stop: &AtomicBool) -> Result<(), Failure> {
    let keys = keys();
    let mut published = false;
    while launcher.ended().is_none() && !stop.load(Ordering::Relaxed) {
        if keys.try_recv().is_ok_and(|line| line.trim() == "n") {
            if published {
                println!("1.1 is out already");
            } else {
                release_next()?;
                published = true;
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Lines typed at the terminal.
fn keys() -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Set by SIGINT and SIGTERM; a second one ends us at once.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second one ends us at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .map_err(|source| Failure::NotStarted { program: "signal handler".into(), source })?;
    }
    Ok(flag)
}

fn clear(dir: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at(dir),
        _ => std::fs::create_dir_all(dir).at(dir),
    }
}
