//! Which images a large file is looked for in: its own old version, the old versions of other large files, and the new
//! large files that are made before it.

use super::map::{self, Found, Mapped};
use super::{Changed, Images, span};
use crate::PublishError;

/// Other files of one release that a file is compared with.
const KIN_MAX: usize = 6;
/// Larger files are compared with their own old version only.
const KIN_BYTES: u64 = 256 << 20;
/// Another image counts if so many bytes are found there and in no image before it …
const SHARED_MIN: u64 = 64 << 10;
/// … and so large a share of the file.
const SHARED_SHARE: u64 = 256;

/// A whole file of either release, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Image {
    Old(usize, u64),
    New(usize, u64),
}

impl Image {
    pub(super) fn size(self) -> u64 {
        match self {
            Self::Old(_, size) | Self::New(_, size) => size,
        }
    }
}

/// The images that `large[index]` is found in, its own old version first.
pub(super) fn map(large: &[Changed], index: usize, images: &Images<'_>) -> Result<Vec<Mapped>, PublishError> {
    let one = large[index];
    let mut mapped = Vec::new();
    if let Some((file, size)) = one.origin {
        let found = map::strips(&one, (file, size), images)?;
        mapped.push(Mapped { image: Image::Old(file, size), found });
    }
    if one.size > KIN_BYTES {
        return Ok(mapped);
    }
    let others = candidates(large, index);
    if others.is_empty() {
        return Ok(mapped);
    }
    let new = images.read_new(&[span(one.file, &(0..one.size))])?;
    let mut known = map::Covered::new(one.size);
    mapped.iter().flat_map(|mapped| &mapped.found).for_each(|found| known.add(found));
    for image in others {
        let bytes = match image {
            Image::Old(file, size) => images.read_old(&[span(file, &(0..size))])?,
            Image::New(file, size) => images.read_new(&[span(file, &(0..size))])?,
        };
        let found: Vec<Found> = delta::matches(&bytes, &new).iter().map(|run| Found::of(run, 0, 0)).collect();
        let fresh: u64 = found.iter().map(|found| known.fresh(found)).sum();
        if fresh >= SHARED_MIN.max(one.size / SHARED_SHARE) {
            found.iter().for_each(|found| known.add(found));
            mapped.push(Mapped { image, found });
        }
    }
    Ok(mapped)
}

/// Old versions of other files, and files that come before this one, the most like in size first.
fn candidates(large: &[Changed], index: usize) -> Vec<Image> {
    let one = large[index];
    let mut images = Vec::new();
    for (at, other) in large.iter().enumerate().filter(|(at, other)| *at != index && other.size <= KIN_BYTES)
    {
        let origin = other.origin.filter(|origin| origin.1 <= KIN_BYTES && one.origin != Some(*origin));
        images.extend(origin.map(|(file, size)| Image::Old(file, size)));
        if at < index {
            images.push(Image::New(other.file, other.size));
        }
    }
    images.sort_by_key(|image| image.size().abs_diff(one.size));
    let (mut old, mut new): (Vec<Image>, Vec<Image>) =
        images.into_iter().partition(|image| matches!(image, Image::Old(..)));
    old.dedup();
    for side in [&mut old, &mut new] {
        side.truncate(KIN_MAX);
    }
    // What was there needs nothing to be made first.
    old.extend(new);
    old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_before_may_be_taken_from_the_new_release() {
        let one = |file, size, old| Changed { file, size, origin: Some((file + 10, old)) };
        let large = [one(0, 300, 290), one(1, 280, 270), one(2, 200, 500)];
        assert_eq!(candidates(&large, 0), [Image::Old(11, 270), Image::Old(12, 500)]);
        assert_eq!(candidates(&large, 1), [Image::Old(10, 290), Image::Old(12, 500), Image::New(0, 300)]);
        let last = candidates(&large, 2);
        assert_eq!(last[2..], [Image::New(1, 280), Image::New(0, 300)]);
    }
}
