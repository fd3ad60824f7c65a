//! Metainfo files of BitTorrent v2 (BEP 52): parsed strictly, built canonically.
//!
//! v1 and hybrid torrents are refused with a sentence: a hybrid's v1 half needs pad files that our
//! folders do not have.

use crate::{
    bencode::{BencodeError, Dict, Value, Writer},
    hash::{Hash32, sha256},
    layout::{FileEntry, LayerError, Layout, LayoutError, PieceLayers},
    limits::{FILES_MAX, METAINFO_BYTES_MAX, PATH_DEPTH_MAX},
    path::{GamePath, PathError},
};
use std::collections::BTreeMap;

/// A parsed or built metainfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metainfo {
    /// Name of the torrent: a single portable path component.
    pub name: String,
    /// Files and pieces.
    pub layout: Layout,
    /// Piece layers the file carries.
    pub layers: PieceLayers,
    /// SHA-256 of the info dictionary.
    pub infohash: Hash32,
    /// The info dictionary as it came or was built.
    pub info_bytes: Vec<u8>,
    /// Tracker tiers (BEP 12).
    pub announce: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub url_list: Vec<String>,
}

/// Why a metainfo was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// Larger than [`METAINFO_BYTES_MAX`].
    #[error("larger than {METAINFO_BYTES_MAX} bytes")]
    TooLarge,
    /// Not canonical bencode.
    #[error("not canonical bencode: {0}")]
    Bencode(#[from] BencodeError),
    /// A field is missing or of the wrong kind.
    #[error("{0:?} is missing or malformed")]
    Field(&'static str),
    /// v1 or hybrid.
    #[error("a {0} torrent: only BitTorrent v2 (BEP 52, `meta version` 2 alone) is supported")]
    Version(&'static str),
    /// A path that some system misreads.
    #[error("unsafe path: {0}")]
    Path(#[from] PathError),
    /// Two paths that some file system takes for one, or a file where a folder is.
    #[error("{0} and {1} collide on some file systems")]
    Collision(GamePath, GamePath),
    /// Sizes or order.
    #[error("{0}")]
    Layout(#[from] LayoutError),
    /// A piece layer that does not match its file.
    #[error("{0}")]
    Layer(#[from] LayerError),
}

impl Metainfo {
    /// Parses a `.torrent`.
    ///
    /// # Errors
    /// [`MetainfoError`] for anything not canonical, not v2, unsafe or inconsistent.
    pub fn parse(input: &[u8]) -> Result<Self, MetainfoError> {
        if input.len() > METAINFO_BYTES_MAX {
            return Err(MetainfoError::TooLarge);
        }
        let value = Value::decode(input)?;
        let top = value.dict().ok_or(MetainfoError::Field("torrent"))?;
        let info = top.find("info").and_then(Value::dict).ok_or(MetainfoError::Field("info"))?;
        let (name, layout) = parse_info(info)?;
        let layers = parse_layers(top, &layout)?;
        Ok(Self {
            name,
            layout,
            layers,
            infohash: sha256(info.raw()),
            info_bytes: info.raw().to_vec(),
            announce: parse_announce(top)?,
            url_list: parse_url_list(top)?,
        })
    }

    /// Builds the canonical metainfo of `layout` under `name` (checked as a path component).
    ///
    /// # Errors
    /// [`MetainfoError::Path`] for a name that is no portable component.
    pub fn build(
        name: &str,
        layout: Layout,
        layers: PieceLayers,
        announce: Vec<Vec<String>>,
        url_list: Vec<String>,
    ) -> Result<Self, MetainfoError> {
        GamePath::from_components([name])?;
        let info_bytes = build_info(name, &layout);
        let infohash = sha256(&info_bytes);
        Ok(Self { name: name.to_owned(), layout, layers, infohash, info_bytes, announce, url_list })
    }

    /// The `.torrent` file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.dict();
        if let Some(first) = self.announce.first().and_then(|tier| tier.first()) {
            out.bytes("announce").bytes(first);
            out.bytes("announce-list").list();
            for tier in &self.announce {
                out.list();
                for url in tier {
                    out.bytes(url);
                }
                out.end();
            }
            out.end();
        }
        out.bytes("info").raw(&self.info_bytes);
        out.bytes("piece layers").dict();
        for (root, layer) in self.layers.iter() {
            let row: Vec<u8> = layer.iter().flat_map(|node| node.0).collect();
            out.bytes(root.0).bytes(row);
        }
        out.end();
        if !self.url_list.is_empty() {
            out.bytes("url-list").list();
            for url in &self.url_list {
                out.bytes(url);
            }
            out.end();
        }
        out.end();
        out.finish()
    }

    /// Whether the torrent is one file that bears the torrent's name, which then lies directly in
    /// the download folder rather than in a folder of that name.
    #[must_use]
    pub fn is_single_file(&self) -> bool {
        matches!(self.layout.files(), [only] if only.path.as_str() == self.name)
    }
}

fn parse_info(info: &Dict) -> Result<(String, Layout), MetainfoError> {
    if info.find("pieces").is_some() {
        let hybrid = info.find("meta version").is_some();
        return Err(MetainfoError::Version(if hybrid { "hybrid (v1 and v2)" } else { "version 1" }));
    }
    match info.find("meta version").and_then(Value::integer) {
        Some(2) => {}
        Some(_) => return Err(MetainfoError::Version("newer version's")),
        None => return Err(MetainfoError::Field("meta version")),
    }
    let name = info.find("name").and_then(Value::text).ok_or(MetainfoError::Field("name"))?;
    GamePath::from_components([name])?;
    let piece_length = info.find("piece length").and_then(Value::integer);
    let piece_length =
        piece_length.and_then(|n| u32::try_from(n).ok()).ok_or(MetainfoError::Field("piece length"))?;
    let tree = info.find("file tree").and_then(Value::dict).ok_or(MetainfoError::Field("file tree"))?;
    let mut files = Vec::new();
    walk(tree, &mut Vec::new(), &mut files)?;
    if files.is_empty() {
        return Err(MetainfoError::Field("file tree"));
    }
    check_collisions(files.iter().map(|file| &file.path))?;
    Ok((name.to_owned(), Layout::new(piece_length, files)?))
}

fn walk<'a>(
    tree: &Dict<'a>,
    parents: &mut Vec<&'a str>,
    files: &mut Vec<FileEntry>,
) -> Result<(), MetainfoError> {
    if parents.len() >= PATH_DEPTH_MAX || files.len() > FILES_MAX {
        return Err(MetainfoError::Layout(LayoutError::TooLarge));
    }
    for (key, value) in tree.entries() {
        let name = std::str::from_utf8(key).map_err(|_| MetainfoError::Field("file tree"))?;
        let node = value.dict().ok_or(MetainfoError::Field("file tree"))?;
        parents.push(name);
        match node.find("") {
            Some(leaf) if node.entries().len() == 1 => {
                let leaf = leaf.dict().ok_or(MetainfoError::Field("file tree"))?;
                files.push(parse_file(leaf, GamePath::from_components(parents.iter().copied())?)?);
            }
            Some(_) => return Err(MetainfoError::Field("file tree")),
            None => walk(node, parents, files)?,
        }
        parents.pop();
    }
    Ok(())
}

fn parse_file(leaf: &Dict, path: GamePath) -> Result<FileEntry, MetainfoError> {
    let attributes = match leaf.find("attr") {
        None => &[][..],
        Some(value) => value.bytes().ok_or(MetainfoError::Field("attr"))?,
    };
    if attributes.contains(&b'l') || leaf.find("symlink path").is_some() {
        return Err(MetainfoError::Field("attr"));
    }
    let length = leaf.find("length").and_then(Value::integer).and_then(|n| u64::try_from(n).ok());
    let length = length.ok_or(MetainfoError::Field("length"))?;
    let pieces_root = match leaf.find("pieces root") {
        None => None,
        Some(value) => {
            Some(value.bytes().and_then(Hash32::from_slice).ok_or(MetainfoError::Field("pieces root"))?)
        }
    };
    Ok(FileEntry { path, length, pieces_root, executable: attributes.contains(&b'x') })
}

fn parse_layers(top: &Dict, layout: &Layout) -> Result<PieceLayers, MetainfoError> {
    let mut layers = PieceLayers::default();
    let Some(value) = top.find("piece layers") else { return Ok(layers) };
    let dict = value.dict().ok_or(MetainfoError::Field("piece layers"))?;
    let mut files = BTreeMap::new();
    for (index, file) in layout.files().iter().enumerate() {
        if let Some(root) = file.pieces_root.filter(|_| layout.has_layer(index)) {
            files.entry(root).or_insert(index);
        }
    }
    for (key, value) in dict.entries() {
        let root = Hash32::from_slice(key).ok_or(MetainfoError::Field("piece layers"))?;
        let row =
            value.bytes().filter(|row| row.len() % 32 == 0).ok_or(MetainfoError::Field("piece layers"))?;
        let file = *files.get(&root).ok_or(MetainfoError::Field("piece layers"))?;
        layers.insert(layout, file, row.chunks(32).filter_map(Hash32::from_slice).collect())?;
    }
    Ok(layers)
}

fn parse_announce(top: &Dict) -> Result<Vec<Vec<String>>, MetainfoError> {
    if let Some(list) = top.find("announce-list") {
        let tiers = list.list().ok_or(MetainfoError::Field("announce-list"))?;
        return tiers.iter().map(|tier| texts(tier, "announce-list")).collect();
    }
    match top.find("announce") {
        None => Ok(Vec::new()),
        Some(url) => Ok(vec![vec![url.text().ok_or(MetainfoError::Field("announce"))?.to_owned()]]),
    }
}

fn parse_url_list(top: &Dict) -> Result<Vec<String>, MetainfoError> {
    match top.find("url-list") {
        None => Ok(Vec::new()),
        Some(Value::Bytes(b"")) => Ok(Vec::new()),
        Some(one @ Value::Bytes(_)) => {
            Ok(vec![one.text().ok_or(MetainfoError::Field("url-list"))?.to_owned()])
        }
        Some(many) => texts(many, "url-list"),
    }
}

fn texts(value: &Value, field: &'static str) -> Result<Vec<String>, MetainfoError> {
    let items = value.list().ok_or(MetainfoError::Field(field))?;
    items.iter().map(|item| item.text().map(str::to_owned).ok_or(MetainfoError::Field(field))).collect()
}

/// Refuses paths that a file system which folds case or normalization takes for one, and files
/// that stand where another path needs a folder.
///
/// # Errors
/// [`MetainfoError::Collision`] with both paths.
pub fn check_collisions<'a>(paths: impl Iterator<Item = &'a GamePath>) -> Result<(), MetainfoError> {
    // In the order of folded trees whatever collides stands side by side. No path has a NUL, which comes before all else.
    let in_tree = |path: &'a GamePath| (path.folded().replace('/', "\0"), path);
    let mut folded: Vec<(String, &GamePath)> = paths.map(in_tree).collect();
    folded.sort_unstable();
    for two in folded.windows(2) {
        let [(one_folded, one), (other_folded, other)] = two else { continue };
        if collide(one_folded, one, other_folded, other) {
            return Err(MetainfoError::Collision((*one).clone(), (*other).clone()));
        }
    }
    Ok(())
}

/// Whether two paths are one somewhere, or need folders that are, or the first stands where the second needs a folder. The
/// first comes before the second in the order of folded trees.
fn collide(one_folded: &str, one: &GamePath, other_folded: &str, other: &GamePath) -> bool {
    let mut others = other_folded.split('\0').zip(other.components());
    for (folded, name) in one_folded.split('\0').zip(one.components()) {
        match others.next() {
            Some((other_folded, other_name)) if other_folded == folded => {
                if other_name != name {
                    return true;
                }
            }
            _ => return false,
        }
    }
    true
}

fn build_info(name: &str, layout: &Layout) -> Vec<u8> {
    let mut out = Writer::new();
    out.dict().bytes("file tree").dict();
    let mut open: Vec<&str> = Vec::new();
    for file in layout.files() {
        let parts: Vec<&str> = file.path.components().collect();
        let (name, folders) = parts.split_last().map_or(("", &[][..]), |(name, folders)| (*name, folders));
        let common = open.iter().zip(folders).take_while(|(a, b)| a == b).count();
        for _ in open.drain(common..) {
            out.end();
        }
        for folder in &folders[common..] {
            out.bytes(folder).dict();
            open.push(folder);
        }
        out.bytes(name).dict().bytes("").dict();
        if file.executable {
            out.bytes("attr").bytes("x");
        }
        out.bytes("length").integer(file.length as i64);
        if let Some(root) = file.pieces_root {
            out.bytes("pieces root").bytes(root.0);
        }
        out.end().end();
    }
    for _ in open.drain(..) {
        out.end();
    }
    out.end();
    out.bytes("meta version").integer(2);
    out.bytes("name").bytes(name);
    out.bytes("piece length").integer(i64::from(layout.piece_length()));
    out.end();
    out.finish()
}
