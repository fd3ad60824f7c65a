//! Opening a file by its names from a folder on, following no link.
//!
//! On Unix each name is opened by the handle of the folder before it, so nobody can swap a folder for a link between a look
//! and the opening. Windows has no such call in the standard library: there the folders are looked at before and after, and
//! who may make links there is an administrator. Invariant: what is opened lies in the folder. Whether it is a regular file
//! is for the caller to see.

use super::Access;
use std::{fs::File, io, path::Path};

#[cfg(unix)]
pub(super) fn open(dir: &Path, names: &[&str], access: Access) -> io::Result<File> {
    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};

    let folder_flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let (name, folders) = names.split_last().ok_or(io::ErrorKind::NotFound)?;
    let mut at = openat(CWD, dir, folder_flags, Mode::empty())?;
    for folder in folders {
        at = enter(&at, folder, folder_flags | OFlags::NOFOLLOW, access)?;
    }
    // A look first: some devices do something when they are opened. What is put there afterwards is not followed, and
    // not waited for.
    let stands = match statat(&at, *name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Some(FileType::from_raw_mode(found.st_mode)),
        Err(rustix::io::Errno::NOENT) if access == Access::Create => None,
        Err(error) => return Err(error.into()),
    };
    if stands.is_some_and(|kind| kind != FileType::RegularFile) {
        return Err(super::refused());
    }
    let wanted = match access {
        Access::Read => OFlags::RDONLY,
        Access::Write => OFlags::RDWR,
        Access::Create => OFlags::RDWR | OFlags::CREATE,
    };
    let flags = wanted | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // As the standard library makes files: everybody's rights, less the user's mask.
    match openat(&at, *name, flags, Mode::from_raw_mode(0o666)) {
        Ok(handle) => Ok(handle.into()),
        Err(rustix::io::Errno::LOOP) => Err(super::refused()),
        Err(error) => Err(error.into()),
    }
}

/// The handle of a folder in a folder, made where it is absent and may be.
#[cfg(unix)]
fn enter(
    at: &rustix::fd::OwnedFd,
    name: &str,
    flags: rustix::fs::OFlags,
    access: Access,
) -> io::Result<rustix::fd::OwnedFd> {
    use rustix::{
        fs::{Mode, mkdirat, openat},
        io::Errno,
    };
    let entered = match openat(at, name, flags, Mode::empty()) {
        Err(Errno::NOENT) if access == Access::Create => {
            match mkdirat(at, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => openat(at, name, flags, Mode::empty()),
                Err(error) => Err(error),
            }
        }
        entered => entered,
    };
    // Systems differ in what they say of a link where a folder is wanted.
    entered.map_err(|error| match error {
        Errno::LOOP | Errno::MLINK => io::ErrorKind::NotADirectory.into(),
        error => error.into(),
    })
}

#[cfg(windows)]
pub(super) fn open(dir: &Path, names: &[&str], access: Access) -> io::Result<File> {
    let (name, folders) = names.split_last().ok_or(io::ErrorKind::NotFound)?;
    let walk = |make: bool| -> io::Result<std::path::PathBuf> {
        let mut path = dir.to_owned();
        for folder in folders {
            path.push(folder);
            match std::fs::symlink_metadata(&path) {
                // Neither a link nor a junction is a folder here.
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound && make => {
                    std::fs::create_dir(&path)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(path)
    };
    let path = walk(access == Access::Create)?.join(name);
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(access != Access::Read);
    let file = match super::open_regular(&path, &options) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && access == Access::Create => {
            options.create_new(true).open(&path)?
        }
        opened => opened?,
    };
    walk(false)?;
    Ok(file)
}
