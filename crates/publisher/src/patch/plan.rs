//! Cuts the files to make into jobs.
//!
//! Small files go together, sorted by kind and path, with their old versions as sources: what they share is said once.
//! Large files and programs stand alone, because what helps them is their own old version, whole. What is too large for
//! the memory of a player's machine is cut in windows.

use std::cmp::Reverse;

use release::path::GamePath;

use super::images::{Images, whole};
use super::job::{Job, fits};
use super::origins::{Changed, extension};
use super::window;
use crate::PublishError;

/// From this size on a file stands alone.
const LARGE_BYTES: u64 = 1 << 20;
/// From this size on a program does: its parts refer to each other by address.
const PROGRAM_BYTES: u64 = 16 << 10;
/// A small file whose origin is larger than this is no business of a group's.
const GROUP_ORIGIN_BYTES: u64 = 4 << 20;
/// New bytes of a group.
const GROUP_NEW_BYTES: u64 = 16_000_000;
/// Old bytes of a group.
const GROUP_OLD_BYTES: u64 = 24_000_000;

/// The jobs in rounds, of which a later one may take what earlier ones make; in a round those that take longest first.
pub(super) fn rounds(changed: &[Changed], images: &Images<'_>) -> Result<Vec<Vec<Job>>, PublishError> {
    let (mut alone, mut small, mut large) = (Vec::new(), Vec::new(), Vec::new());
    for one in changed {
        let program = is_program(one, images)?;
        if !stands_alone(one, program) {
            small.push(*one);
        } else if fits(one.origin.map_or(0, |(_, size)| size), one.size, program) {
            alone.push(*one);
        } else {
            large.push(*one);
        }
    }
    for files in [&mut alone, &mut large] {
        files.sort_by_key(|one| (Reverse(one.size), one.file));
    }
    small.sort_by_cached_key(|one| order(&images.new.manifest.files[one.file].path));
    let mut rounds = window::rounds(&large, images)?;
    if rounds.is_empty() {
        rounds.push(Vec::new());
    }
    rounds[0].extend(alone.iter().map(|one| group(&[*one], images)));
    rounds[0].extend(groups(&small).into_iter().map(|members| group(members, images)));
    Ok(rounds)
}

/// Programs too small to gain from being known as such are none here.
fn is_program(one: &Changed, images: &Images<'_>) -> Result<bool, PublishError> {
    if one.size < PROGRAM_BYTES {
        return Ok(false);
    }
    let magic = images.read_new(&[whole(one.file, 4)])?;
    Ok(magic == *b"\x7fELF" || magic.starts_with(b"MZ"))
}

fn stands_alone(one: &Changed, program: bool) -> bool {
    program || one.size >= LARGE_BYTES || one.origin.is_some_and(|(_, size)| size > GROUP_ORIGIN_BYTES)
}

fn order(path: &GamePath) -> (String, GamePath) {
    (extension(path), path.clone())
}

/// Cuts a row of small files where old or new bytes get too many.
fn groups(small: &[Changed]) -> Vec<&[Changed]> {
    let (mut groups, mut start, mut old, mut new) = (Vec::new(), 0, 0, 0);
    for (index, one) in small.iter().enumerate() {
        let origin = one.origin.map_or(0, |(_, size)| size);
        (old, new) = (old + origin, new + one.size);
        if index > start && (old > GROUP_OLD_BYTES || new > GROUP_NEW_BYTES || !fits(old, new, false)) {
            groups.push(&small[start..index]);
            (start, old, new) = (index, origin, one.size);
        }
    }
    if start < small.len() {
        groups.push(&small[start..]);
    }
    groups
}

/// Whole files in one segment, with each old version once.
fn group(members: &[Changed], images: &Images<'_>) -> Job {
    let mut sources = Vec::new();
    for (file, size) in members.iter().filter_map(|one| one.origin) {
        let source = whole(file, size);
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    Job {
        sources,
        made: Vec::new(),
        targets: members.iter().map(|one| whole(one.file, one.size)).collect(),
        piece_length: u64::from(images.new.manifest.piece_length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_cut_by_old_and_by_new_bytes() {
        let one = |file, size, old| Changed { file, size, origin: Some((file, old)) };
        let sizes = |small: &[Changed]| groups(small).iter().map(|group| group.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&[one(0, 10, 10), one(1, 10, 10)]), [2]);
        assert_eq!(sizes(&[one(0, 1, 20_000_000), one(1, 1, 20_000_000)]), [1, 1]);
        let many: Vec<Changed> = (0..100).map(|file| one(file, 900_000, 900_000)).collect();
        let cut = groups(&many);
        assert_eq!(cut.concat(), many);
        let bytes = |group: &[Changed]| group.iter().map(|one| one.size).sum::<u64>();
        assert!(
            cut.iter()
                .all(|group| bytes(group) <= GROUP_NEW_BYTES && fits(bytes(group), bytes(group), false))
        );
    }
}
