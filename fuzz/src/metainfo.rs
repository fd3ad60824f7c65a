//! F3: metainfo of BitTorrent v2 (BEP 52). What is accepted names only paths that no system misreads, has one meaning (its
//! infohash is that of the bytes that came) and survives being written again.

use crate::paths;
use release::{
    hash::sha256,
    metainfo::{Metainfo, MetainfoError},
};

pub(crate) fn run(data: &[u8]) {
    let metainfo = match Metainfo::parse(data) {
        Ok(metainfo) => metainfo,
        Err(error) => return said(&error),
    };
    paths::nobody_misreads(&metainfo.name);
    let files = metainfo.layout.files();
    files.iter().for_each(|file| paths::nobody_misreads(file.path.as_str()));
    paths::no_two_are_one(files.iter().map(|file| file.path.as_str()));
    assert_eq!(metainfo.infohash, sha256(&metainfo.info_bytes));
    let total: u64 = files.iter().map(|file| file.length).sum();
    assert_eq!(total, metainfo.layout.total());
    let again = Metainfo::parse(&metainfo.encode()).expect("what was read can be written and read again");
    assert_eq!(again, metainfo);
    pieces_lie_in_their_files(&metainfo);
    let rebuilt = Metainfo::build(
        &metainfo.name,
        metainfo.layout.clone(),
        metainfo.layers.clone(),
        metainfo.announce.clone(),
        metainfo.url_list.clone(),
    );
    let rebuilt = rebuilt.expect("a name that was read can be built with");
    let canonical = Metainfo::parse(&rebuilt.encode()).expect("what we build, we read");
    assert_eq!(canonical.layout, metainfo.layout);
    let _single = metainfo.is_single_file();
}

/// First and last piece of every file, and those at its ends.
fn pieces_lie_in_their_files(metainfo: &Metainfo) {
    let layout = &metainfo.layout;
    for (index, file) in layout.files().iter().enumerate() {
        let pieces = layout.pieces_of(index);
        for piece in
            [pieces.start, pieces.end.saturating_sub(1)].into_iter().filter(|piece| pieces.contains(piece))
        {
            let place = layout.piece(piece);
            assert_eq!(place.file, index);
            assert!(place.length > 0 && place.offset + u64::from(place.length) <= file.length);
            assert!(layout.leaf_width(piece) >= layout.block_count(piece) as usize);
            let _hash = metainfo.layers.piece_hash(layout, piece);
        }
    }
}

/// A refusal is a sentence.
fn said(error: &MetainfoError) {
    assert!(!error.to_string().is_empty());
}
