//! A picture (SVG) of which files the bytes of a download go to: a treemap, folders around their files.
//!
//! Area is bytes on the wire; colour is how they come. Each rectangle has its path and bytes as a tooltip, and the few
//! that are large enough bear their name. It needs no script and no font of its own.

mod treemap;

use std::collections::BTreeMap;

use release::manifest::Manifest;

use crate::share::{Share, Way};
use treemap::{Rect, squarify};

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 800.0;
/// Room for title and legend.
const HEAD: f64 = 84.0;
const MARGIN: f64 = 12.0;
/// Room for a folder's name.
const FOLDER_HEAD: f64 = 17.0;
/// Folders that are drawn apart; the rest share one.
const FOLDERS_MAX: usize = 24;
/// Files that a folder shows apart.
const FILES_MAX: usize = 150;
/// Width of a letter of the small text, roughly.
const LETTER: f64 = 6.4;

/// What is drawn.
pub(crate) struct Picture<'a> {
    pub(crate) title: String,
    pub(crate) manifest: &'a Manifest,
    pub(crate) shares: &'a [Share],
}

/// Rectangles of one folder.
struct Folder {
    name: String,
    bytes: u64,
    tiles: Vec<Tile>,
}

struct Tile {
    name: String,
    path: String,
    bytes: u64,
    way: Way,
}

impl Picture<'_> {
    /// The SVG document.
    pub(crate) fn draw(&self) -> String {
        let folders = self.folders();
        let mut svg = String::new();
        head(&mut svg, &self.title, self.shares);
        let weights: Vec<u64> = folders.iter().map(|folder| folder.bytes).collect();
        let within = Rect { x: MARGIN, y: HEAD, width: WIDTH - 2.0 * MARGIN, height: HEIGHT - HEAD - MARGIN };
        for (folder, rect) in folders.iter().zip(squarify(&weights, within)) {
            folder.draw(&mut svg, rect);
        }
        svg += "</svg>\n";
        svg
    }

    /// Files by the first folder of their path, the heaviest first.
    fn folders(&self) -> Vec<Folder> {
        let mut by_name: BTreeMap<String, Vec<Tile>> = BTreeMap::new();
        for share in self.shares.iter().filter(|share| share.bytes > 0) {
            let path = &self.manifest.files[share.file].path;
            let mut components = path.components();
            let first = components.next().unwrap_or_default().to_owned();
            let folder = if components.next().is_some() { first } else { String::from(".") };
            let tile = Tile {
                name: path.file_name().to_owned(),
                path: path.to_string(),
                bytes: share.bytes,
                way: share.way,
            };
            by_name.entry(folder).or_default().push(tile);
        }
        let mut folders: Vec<Folder> =
            by_name.into_iter().map(|(name, tiles)| Folder::new(name, tiles)).collect();
        folders.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        if folders.len() > FOLDERS_MAX {
            let rest = folders.split_off(FOLDERS_MAX - 1);
            let name = format!("{} other folders", rest.len());
            folders.push(Folder::new(name, rest.into_iter().flat_map(|folder| folder.tiles).collect()));
            folders.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        }
        folders
    }
}

impl Folder {
    fn new(name: String, mut tiles: Vec<Tile>) -> Self {
        tiles.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
        if tiles.len() > FILES_MAX {
            let mut ways: BTreeMap<Way, (u64, u64)> = BTreeMap::new();
            for tile in tiles.split_off(FILES_MAX - 3) {
                let (files, bytes) = ways.entry(tile.way).or_default();
                (*files, *bytes) = (*files + 1, *bytes + tile.bytes);
            }
            tiles.extend(ways.into_iter().map(|(way, (files, bytes))| {
                let name = format!("{files} smaller files");
                Tile { path: name.clone(), name, bytes, way }
            }));
            tiles.sort_by_key(|tile| std::cmp::Reverse(tile.bytes));
        }
        Self { bytes: tiles.iter().map(|tile| tile.bytes).sum(), name, tiles }
    }

    fn draw(&self, svg: &mut String, rect: Rect) {
        let title = format!("{} · {}", self.name, said(self.bytes));
        frame(svg, rect, "folder", &title);
        let labelled = rect.height > 2.5 * FOLDER_HEAD && rect.width > 40.0;
        if labelled {
            label(svg, rect.x + 5.0, rect.y + 12.5, rect.width - 10.0, "name", &title);
        }
        let within = rect.inside(2.0, if labelled { FOLDER_HEAD } else { 2.0 });
        let weights: Vec<u64> = self.tiles.iter().map(|tile| tile.bytes).collect();
        for (tile, rect) in self.tiles.iter().zip(squarify(&weights, within)) {
            if rect.width * rect.height < 0.05 {
                continue;
            }
            frame(svg, rect, class(tile.way), &format!("{} · {}", tile.path, said(tile.bytes)));
            if rect.height > 30.0 && rect.width > 44.0 {
                label(svg, rect.x + 4.0, rect.y + 13.0, rect.width - 8.0, "file", &tile.name);
                label(svg, rect.x + 4.0, rect.y + 26.0, rect.width - 8.0, "size", &said(tile.bytes));
            }
        }
    }
}

/// Title, what each colour stands for, and how much of it there is.
fn head(svg: &mut String, title: &str, shares: &[Share]) {
    *svg += &format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" role=\"img\" aria-label=\"{}\">\n{STYLE}\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n",
        escape(title)
    );
    label(svg, MARGIN, 30.0, WIDTH - 2.0 * MARGIN, "title", title);
    let mut x = MARGIN;
    for way in [Way::Patch, Way::Blocks, Way::New] {
        let of_way = || shares.iter().filter(|share| share.way == way);
        let (files, bytes) = (of_way().count(), of_way().map(|share| share.bytes).sum());
        if files == 0 {
            continue;
        }
        let words = format!("{}: {} in {files} files", meaning(way), said(bytes));
        frame(svg, Rect { x, y: 48.0, width: 16.0, height: 16.0 }, class(way), &words);
        label(svg, x + 22.0, 61.0, WIDTH, "legend", &words);
        x += 60.0 + words.chars().count() as f64 * 7.4;
    }
}

const STYLE: &str = "<style>\
    .title{font-size:20px;font-weight:600;fill:#1b1f24}\
    .legend{font-size:13px;fill:#1b1f24}\
    .name{font-size:11px;font-weight:600;fill:#1b1f24}\
    .file{font-size:11px;fill:#fff}\
    .size{font-size:10px;fill:#fff;fill-opacity:.85}\
    rect.folder{fill:#e9ecf0;stroke:#fff;stroke-width:2}\
    rect.patch{fill:#1f6f54}rect.blocks{fill:#b3471b}rect.new{fill:#2b5ea8}\
    rect.patch,rect.blocks,rect.new{stroke:#fff;stroke-width:.6}\
    </style>\n";

fn meaning(way: Way) -> &'static str {
    match way {
        Way::Patch => "by patch",
        Way::Blocks => "changed, fetched whole",
        Way::New => "new files",
    }
}

fn class(way: Way) -> &'static str {
    match way {
        Way::Patch => "patch",
        Way::Blocks => "blocks",
        Way::New => "new",
    }
}

fn frame(svg: &mut String, rect: Rect, class: &str, tooltip: &str) {
    let Rect { x, y, width, height } = rect;
    *svg += &format!(
        "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\">\
         <title>{}</title></rect>\n",
        escape(tooltip)
    );
}

/// Text that is cut to fit.
fn label(svg: &mut String, x: f64, y: f64, width: f64, class: &str, text: &str) {
    let room = (width / LETTER).max(1.0) as usize;
    let cut: String = if text.chars().count() > room {
        text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
    } else {
        text.to_owned()
    };
    *svg += &format!("<text class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\">{}</text>\n", escape(&cut));
}

/// Bytes for people.
pub(crate) fn said(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// For text and attributes of XML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
