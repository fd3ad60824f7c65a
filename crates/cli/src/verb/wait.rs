//! `muster wait FILE`: for a game that runs while the rest of it comes, and for scripts around it.

use crate::{Context, Done, error::CliError};
use clap::Args;
use engine::game::wait_for_file;
use release::path::GamePath;
use serde_json::{Map, json};
use std::{
    env,
    path::{Component, Path, PathBuf},
    time::Duration,
};

/// Words of `wait`.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// A file of the game: relative to the game folder, or an absolute path in it
    file: PathBuf,
    /// The game folder; without it, the one that FILE or the current folder lies in
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
    /// Give up after so many seconds; without it, never
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl Wait {
    pub(crate) async fn run(self, context: &Context) -> Result<Done, CliError> {
        let here = env::current_dir().map_err(|error| CliError::file(Path::new("."), &error))?;
        let near = if self.file.is_absolute() { &self.file } else { &here };
        let dir = match &self.dir {
            Some(dir) => here.join(dir),
            None => game_folder_of(near).ok_or_else(|| {
                CliError::usage("FILE lies in no game folder; name the game folder with --dir")
            })?,
        };
        let path = path_in(&dir, &self.file)?;
        let limit = self.timeout.map(Duration::from_secs);
        let waited = tokio::select! {
            waited = wait_for_file(&dir, &path, limit) => waited,
            signal = context.signals.wait() => return Err(CliError::interrupted(signal)),
        };
        waited.map_err(|error| CliError::from(engine::snapshot::Failure::from(&error)))?;
        context.output.say(format!("{path} is here"));
        Ok(Done { fields: Map::from_iter([("file".to_owned(), json!(path))]), exit: 0 })
    }
}

/// The nearest folder above `path` that is a game's.
fn game_folder_of(path: &Path) -> Option<PathBuf> {
    let is_game = |dir: &&Path| dir.join(".muster").join("state.json").is_file();
    path.ancestors().find(is_game).map(Path::to_owned)
}

/// `file` as the release names it.
fn path_in(dir: &Path, file: &Path) -> Result<GamePath, CliError> {
    let not_listed =
        || CliError::new("FILE_NOT_LISTED", format!("{} is no file of this game", file.display()));
    let relative = match file.strip_prefix(dir) {
        Ok(relative) => relative,
        Err(_) if file.is_absolute() => return Err(not_listed()),
        Err(_) => file,
    };
    let mut parts = Vec::new();
    for part in relative.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().ok_or_else(not_listed)?),
            Component::CurDir => {}
            _ => return Err(not_listed()),
        }
    }
    GamePath::parse(&parts.join("/")).map_err(|_| not_listed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_path_in_the_game_and_nothing_else() {
        let dir = Path::new(if cfg!(windows) { r"C:\games\ember" } else { "/games/ember" });
        for (file, expected) in [
            ("data/a.pak", Some("data/a.pak")),
            ("./data/a.pak", Some("data/a.pak")),
            ("../other/a.pak", None),
            (".muster/state.json", None),
            ("", None),
        ] {
            let path = path_in(dir, Path::new(file));
            assert_eq!(path.as_ref().ok().map(GamePath::as_str), expected, "{file}");
        }
        assert_eq!(path_in(dir, &dir.join("data/a.pak")).unwrap().as_str(), "data/a.pak");
        assert_eq!(path_in(dir, &dir.join("../x")).unwrap_err().code, "FILE_NOT_LISTED");
    }
}
