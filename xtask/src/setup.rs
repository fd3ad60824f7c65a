//! Set-up: what is missing is brought, what is there is left alone.

mod debian;
mod node;
mod python;
mod toolchain;

use crate::{
    failure::{AtPath, Failure},
    place,
    step::Steps,
};
use std::path::Path;

pub(crate) use debian::Packages;
pub(crate) use python::{inputs, with_older_libtorrent};

/// `cargo xtask setup`.
pub(crate) fn command(privileged: bool) -> Result<(), Failure> {
    let mut steps = Steps::new();
    everything(&mut steps, privileged)?;
    steps.table();
    Ok(())
}

/// Everything that `test` needs.
pub(crate) fn everything(steps: &mut Steps, privileged: bool) -> Result<(), Failure> {
    steps.run("Rust and Node", toolchain::check)?;
    if privileged {
        steps.run("Debian packages", || debian::bring(Packages::All))?;
    }
    steps.run("Python packages", python::bring)?;
    steps.run("npm packages", node::bring)?;
    steps.run("real game engine as input", python::bring_inputs)
}

/// What `bench swarm` needs: the programs it runs beside ours.
pub(crate) fn for_bench(steps: &mut Steps) -> Result<(), Failure> {
    steps.run("Debian packages", || debian::bring(Packages::Bench))?;
    steps.run("Python packages", python::bring)
}

/// What `bench updates` needs: the programs it runs beside ours.
pub(crate) fn for_updates(steps: &mut Steps) -> Result<(), Failure> {
    steps.run("Debian packages", || debian::bring(Packages::Updates))?;
    steps.run("Python packages", python::bring)
}

/// What `demo` needs: no test drivers, no Python.
pub(crate) fn for_demo(steps: &mut Steps) -> Result<(), Failure> {
    steps.run("Rust and Node", toolchain::check)?;
    steps.run("Debian packages", || debian::bring(Packages::Demo))?;
    steps.run("npm packages", node::bring)
}

/// Does `work` when `key` (what it depends on) differs from the last time it was done.
fn once_per(
    name: &str,
    key: &str,
    still_there: &Path,
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stamp = place::ours("stamps")?.join(name);
    if still_there.exists() && std::fs::read_to_string(&stamp).is_ok_and(|old| old == key) {
        println!("{name}: as it was");
        return Ok(());
    }
    work()?;
    std::fs::write(&stamp, key).at(&stamp)
}
