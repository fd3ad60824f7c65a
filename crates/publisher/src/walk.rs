//! What lies in a build. Refuses links, special files and names that some player's system cannot hold; what is ignored
//! may be anything.

use std::path::{Path, PathBuf};

use release::path::GamePath;

use crate::config::{self, Config};
use crate::disk::{self, Entry, EntryKind, Stamp};
use crate::{DiskError, PublishError};

/// A file to publish.
#[derive(Debug, Clone)]
pub(crate) struct BuildFile {
    pub(crate) path: GamePath,
    pub(crate) on_disk: PathBuf,
    pub(crate) stamp: Stamp,
}

/// What a build holds, in the order of the tree.
#[derive(Debug, Default)]
pub(crate) struct Build {
    pub(crate) files: Vec<BuildFile>,
    pub(crate) empty_folders: Vec<GamePath>,
}

impl Build {
    pub(crate) fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.stamp.size).sum()
    }

    /// Fails if a file does not look as it did when the build was walked.
    pub(crate) fn refuse_changes(&self) -> Result<(), PublishError> {
        for file in &self.files {
            if disk::stamp(&file.on_disk)? != file.stamp {
                return Err(PublishError::Changed { path: file.on_disk.clone() });
            }
        }
        Ok(())
    }
}

/// Walks `folder`. `config_file` is left out wherever it lies.
pub(crate) fn walk(
    folder: &Path,
    config: &Config,
    config_file: Option<&Path>,
) -> Result<Build, PublishError> {
    let config_file = config_file.map(disk::canonical).transpose()?;
    let mut build = Build::default();
    let mut walker = Walker { config, config_file, build: &mut build };
    walker.folder(folder, None)?;
    if build.files.is_empty() {
        return Err(PublishError::EmptyBuild { path: folder.to_owned() });
    }
    build.files.sort_by(|a, b| a.path.cmp(&b.path));
    build.empty_folders.sort();
    Ok(build)
}

struct Walker<'a> {
    config: &'a Config,
    config_file: Option<PathBuf>,
    build: &'a mut Build,
}

impl Walker<'_> {
    /// `path` is the folder's own path in the release; `None` for the build itself. The depth of the recursion is
    /// bounded by that of a path.
    fn folder(&mut self, folder: &Path, path: Option<&GamePath>) -> Result<(), PublishError> {
        let entries = disk::list(folder)?;
        if let (Some(path), true) = (path, entries.is_empty()) {
            self.build.empty_folders.push(path.clone());
        }
        entries.iter().try_for_each(|entry| self.entry(entry, path))
    }

    fn entry(&mut self, entry: &Entry, parent: Option<&GamePath>) -> Result<(), PublishError> {
        if self.is_configuration(entry, parent)? {
            return Ok(());
        }
        // Asked before the name is checked: what is not shipped may be called anything.
        if self.is_ignored(entry, parent) {
            return Ok(());
        }
        let path = game_path(&entry.path, parent)?;
        match entry.kind {
            EntryKind::Link => Err(PublishError::Link { path: entry.path.clone() }),
            EntryKind::Other => Err(PublishError::Special { path: entry.path.clone() }),
            EntryKind::Folder => self.folder(&entry.path, Some(&path)),
            EntryKind::File => {
                let stamp = disk::stamp(&entry.path)?;
                self.build.files.push(BuildFile { path, on_disk: entry.path.clone(), stamp });
                Ok(())
            }
        }
    }

    fn is_ignored(&self, entry: &Entry, parent: Option<&GamePath>) -> bool {
        let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
        match parent {
            Some(parent) => self.config.ignores(&format!("{parent}/{name}")),
            None => self.config.ignores(&name),
        }
    }

    fn is_configuration(&self, entry: &Entry, parent: Option<&GamePath>) -> Result<bool, DiskError> {
        if parent.is_none() && entry.path.file_name().is_some_and(|name| name == config::FILE) {
            return Ok(true);
        }
        match &self.config_file {
            // Compared by name first: resolving every path of a large build would cost a call each.
            Some(file) if entry.kind == EntryKind::File && file.file_name() == entry.path.file_name() => {
                Ok(disk::canonical(&entry.path)? == *file)
            }
            _ => Ok(false),
        }
    }
}

fn game_path(on_disk: &Path, parent: Option<&GamePath>) -> Result<GamePath, PublishError> {
    let name = on_disk.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| PublishError::NotUnicode { path: on_disk.to_owned() })?;
    let components = parent.into_iter().flat_map(GamePath::components).chain([name]);
    GamePath::from_components(components)
        .map_err(|source| PublishError::Name { path: on_disk.to_owned(), source })
}
