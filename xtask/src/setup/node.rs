//! npm packages of the user interface and of the demo's identity provider, as their lock files say.

use super::once_per;
use crate::{
    failure::{AtPath, Failure},
    place,
    process::{command, run},
};

const PROJECTS: [&str; 2] = ["ui", "demo/idp"];

/// Installs both where their lock file changed since the last time.
pub(super) fn bring() -> Result<(), Failure> {
    for project in PROJECTS {
        let dir = place::root().join(project);
        let lock = dir.join("package-lock.json");
        let key = std::fs::read_to_string(&lock).at(&lock)?;
        let name = format!("npm-{}", project.replace('/', "-"));
        once_per(&name, &key, &dir.join("node_modules"), || {
            run(command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&dir))
        })?;
    }
    Ok(())
}
