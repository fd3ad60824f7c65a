//! The build folder of a release: program, world file, pictures, music, publisher's notes.
//!
//! Deterministic: the same edition gives the same bytes. The winter edition keeps every file of the
//! autumn edition but the first level's backdrop and the world file, and adds a level, its music and an
//! enemy; so an update is about a quarter of an installation.

use std::path::{Path, PathBuf};

use image::codecs::png::CompressionType;

use crate::art;
use crate::canvas::{Canvas, dim, hex, mix};
use crate::files::{self, FileError};
use crate::noise::smooth;
use crate::paint::figures::village;
use crate::paint::land::{Needles, Ridge, mist, ridge, wood};
use crate::paint::sky::{Moon, sky};
use crate::paint::{Frame, Mood, finish};
use crate::save::Progress;
use crate::sound::synth::{self, Score};
use crate::sprites;
use crate::world::{FoeKind, FoeRate, Level, World};

/// Width of a backdrop, after which it begins again.
pub const BACKDROP_WIDTH: usize = 2400;
/// Height of a backdrop.
pub const BACKDROP_HEIGHT: usize = 540;

/// What a release holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// 1.0: three levels.
    Autumn,
    /// 1.1 and later: the first level in snow, a fourth level, a new enemy.
    Winter,
}

impl Edition {
    /// The edition of a version: 1.0 and everything that begins with `1.0.` is the first one.
    pub fn of_version(version: &str) -> Self {
        if version == "1.0" || version.starts_with("1.0.") { Self::Autumn } else { Self::Winter }
    }

    /// Its world file.
    pub fn world(self) -> World {
        let level = |name: &str,
                     folder: &str,
                     music: &str,
                     quota,
                     speed,
                     drain,
                     embers_per_second,
                     golden_share,
                     foes: &[(FoeKind, f32)]| Level {
            name: name.into(),
            folder: folder.into(),
            music: music.into(),
            quota,
            speed,
            drain,
            embers_per_second,
            golden_share,
            foes: foes.iter().map(|&(kind, every_seconds)| FoeRate { kind, every_seconds }).collect(),
        };
        let first = match self {
            Self::Autumn => "Valley of Lanterns",
            Self::Winter => "Valley under Snow",
        };
        let mut levels = vec![
            level(
                first,
                "levels/valley",
                "music/valley.wav",
                22,
                150.0,
                0.030,
                1.5,
                0.06,
                &[(FoeKind::Gloom, 4.5)],
            ),
            level(
                "Pines at Midnight",
                "levels/pines",
                "music/pines.wav",
                26,
                180.0,
                0.034,
                1.6,
                0.07,
                &[(FoeKind::Gloom, 4.0), (FoeKind::Crow, 6.0)],
            ),
            level(
                "The Cinder Fields",
                "levels/cinder",
                "music/cinder.wav",
                30,
                215.0,
                0.040,
                2.0,
                0.08,
                &[(FoeKind::Gloom, 3.0), (FoeKind::Crow, 4.0)],
            ),
        ];
        if self == Self::Winter {
            levels[0].foes.push(FoeRate { kind: FoeKind::FrostMoth, every_seconds: 9.0 });
            levels.push(level(
                "Aurora Ridge",
                "levels/aurora",
                "music/aurora.wav",
                34,
                235.0,
                0.042,
                2.2,
                0.12,
                &[(FoeKind::FrostMoth, 4.0), (FoeKind::Crow, 5.0)],
            ));
        }
        World {
            title: "Emberfall".into(),
            subtitle: match self {
                Self::Autumn => "Autumn of the Burning Moon".into(),
                Self::Winter => "First Frost".into(),
            },
            levels,
        }
    }

    fn notes(self) -> &'static str {
        match self {
            Self::Autumn => "The first flight: three valleys, two kinds of darkness, one lantern.",
            Self::Winter => {
                "First Frost: snow over the first valley, the new level Aurora Ridge with its own music, and pale moths that follow your light."
            }
        }
    }
}

/// What to build.
#[derive(Clone, Debug)]
pub struct Build {
    /// Written to `data/version.txt`.
    pub version: String,
    /// The game's program; none = a folder of data alone, for tests.
    pub program: Option<PathBuf>,
    /// The build folder.
    pub out: PathBuf,
}

/// Makes the build folder.
pub fn build(build: &Build) -> Result<(), FileError> {
    let edition = Edition::of_version(&build.version);
    let data = build.out.join("data");
    if let Some(program) = &build.program {
        copy_program(program, &build.out)?;
    }
    text_files(build, edition)?;
    pictures(&data, edition)?;
    for (level, mood, seed) in moods(edition) {
        backdrop(&data.join("levels").join(level), &mood, seed)?;
    }
    sounds(&data, edition)
}

fn copy_program(program: &Path, out: &Path) -> Result<(), FileError> {
    let bytes =
        std::fs::read(program).map_err(|source| FileError::Io { path: program.to_owned(), source })?;
    let target = out.join(program_name());
    files::write(&target, &bytes)?;
    let permissions = std::fs::metadata(program).map(|meta| meta.permissions());
    permissions
        .and_then(|permissions| std::fs::set_permissions(&target, permissions))
        .map_err(|source| FileError::Io { path: target, source })
}

/// The program's name in the build folder.
pub fn program_name() -> String {
    format!("emberfall{}", std::env::consts::EXE_SUFFIX)
}

fn text_files(build: &Build, edition: Edition) -> Result<(), FileError> {
    let out = &build.out;
    let world = serde_json::to_string_pretty(&edition.world())
        .map_err(|source| FileError::Json { path: out.join("data/world.json"), source })?;
    files::write(&out.join("data/world.json"), (world + "\n").as_bytes())?;
    files::write(&out.join("data/version.txt"), format!("{}\n", build.version).as_bytes())?;
    files::write(&out.join("readme.txt"), readme(&build.version, edition).as_bytes())?;
    files::write(&out.join("muster.toml"), publisher_file(edition).as_bytes())?;
    Progress::default().save(&out.join("save/progress.json"))
}

fn readme(version: &str, edition: Edition) -> String {
    format!(
        "Emberfall {version}\n\n{}\n\nArrow keys or WASD  fly\nSpace               let the lantern flare\nEnter               begin\nM                   sound on or off\nEsc                 leave\n\nYour flights are kept in save/progress.json.\n",
        edition.notes()
    )
}

fn publisher_file(edition: Edition) -> String {
    let exe = program_name();
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    format!(
        "title = \"Emberfall\"\nnotes = \"{}\"\nkeep = 3\nignore = [\"*.tmp\"]\n\n[launch.{platform}]\nexecutable = \"{exe}\"\narguments = [\"--from-launcher\"]\n\n[[files]]\nmatch = \"save/**\"\nkind = \"user\"\n",
        edition.notes()
    )
}

fn pictures(data: &Path, edition: Edition) -> Result<(), FileError> {
    let mut list = vec![
        ("hero.png", sprites::hero()),
        ("ember.png", sprites::ember(false)),
        ("ember-golden.png", sprites::ember(true)),
        ("lantern.png", sprites::lantern()),
        (FoeKind::Gloom.picture(), sprites::foe(FoeKind::Gloom)),
        (FoeKind::Crow.picture(), sprites::foe(FoeKind::Crow)),
    ];
    if edition == Edition::Winter {
        list.push((FoeKind::FrostMoth.picture(), sprites::foe(FoeKind::FrostMoth)));
    }
    for (name, canvas) in list {
        files::png_rgba(&data.join("sprites").join(name), &canvas, 0.0, CompressionType::Fast)?;
    }
    files::png_rgba(&data.join("title.png"), &art::wordmark(760, 150), 0.0, CompressionType::Fast)
}

fn moods(edition: Edition) -> Vec<(&'static str, Mood, u32)> {
    let mut list = vec![
        ("valley", if edition == Edition::Winter { Mood::first_frost() } else { Mood::dusk() }, 41),
        ("pines", Mood::midnight(), 77),
        ("cinder", Mood::cinder(), 131),
    ];
    if edition == Edition::Winter {
        list.push(("aurora", Mood::aurora(), 205));
    }
    list
}

/// The four layers of a level, from the sky to what passes before the glider.
fn backdrop(folder: &Path, mood: &Mood, seed: u32) -> Result<(), FileError> {
    let frame = Frame { width: BACKDROP_WIDTH, height: BACKDROP_HEIGHT, wraps: true };
    let light = frame.aspect() * 0.17;
    files::png_rgb(
        &folder.join("sky.png"),
        &sky_layer(frame, mood, light, seed),
        1.6,
        CompressionType::Fast,
    )?;
    files::png_rgba(
        &folder.join("far.png"),
        &far_layer(frame, mood, light, seed),
        1.0,
        CompressionType::Fast,
    )?;
    files::png_rgba(
        &folder.join("mid.png"),
        &mid_layer(frame, mood, light, seed),
        1.0,
        CompressionType::Fast,
    )?;
    files::png_rgba(
        &folder.join("near.png"),
        &near_layer(frame, mood, light, seed),
        0.0,
        CompressionType::Fast,
    )
}

fn sky_layer(frame: Frame, mood: &Mood, light: f32, seed: u32) -> Canvas {
    let mut canvas = Canvas::new(frame.width, frame.height);
    let moon = Moon {
        u: light,
        v: 0.26,
        radius: 0.095,
        face: mix(hex(0xffe3b0), mood.glow, 0.2),
        burning: if seed == 41 { 1.0 } else { 0.0 },
    };
    sky(&mut canvas, frame, mood, &moon, seed);
    finish::brush(&mut canvas, 1, 0.7);
    canvas
}

fn far_layer(frame: Frame, mood: &Mood, light: f32, seed: u32) -> Canvas {
    let mut canvas = Canvas::new(frame.width, frame.height);
    for (index, (base, rise, frequency, nearness)) in
        [(0.74, 0.24, 1.1, 0.0), (0.79, 0.25, 0.95, 0.22)].into_iter().enumerate()
    {
        let range = Ridge {
            seed: seed.wrapping_add(index as u32 * 101),
            base,
            rise,
            frequency,
            crags: 1.0,
            nearness,
        };
        ridge(&mut canvas, frame, mood, &range, light);
        mist(&mut canvas, frame, mood.mist, base + 0.02, 0.03, 0.35, range.seed ^ 0x88);
    }
    finish::brush(&mut canvas, 1, 0.7);
    canvas
}

fn mid_layer(frame: Frame, mood: &Mood, light: f32, seed: u32) -> Canvas {
    let mut canvas = Canvas::new(frame.width, frame.height);
    let range =
        Ridge { seed: seed ^ 0x444, base: 0.88, rise: 0.15, frequency: 1.5, crags: 0.45, nearness: 0.6 };
    let dark = mix(mood.land.0, mood.land.1, 0.72);
    let needles = Needles { color: dark, rim: mood.glow, light_u: light };
    wood(&mut canvas, frame, &range, 0.07, 42.0, needles);
    ridge(&mut canvas, frame, mood, &range, light);
    for start in [0.5, 1.9, 3.2] {
        village(
            &mut canvas,
            frame,
            (start, start + 0.42),
            |u| range.outline(frame, u) + 0.03,
            0.03,
            dim(dark, 0.7),
            seed ^ start.to_bits(),
        );
    }
    mist(&mut canvas, frame, mood.mist, 0.93, 0.03, 0.22, seed ^ 0x99);
    canvas
}

fn near_layer(frame: Frame, mood: &Mood, light: f32, seed: u32) -> Canvas {
    let mut canvas = Canvas::new(frame.width, frame.height);
    let bank = Ridge { seed: seed ^ 0x6f, base: 1.0, rise: 0.075, frequency: 1.2, crags: 0.0, nearness: 1.0 };
    let dark = dim(mood.land.1, 0.5);
    let needles = Needles { color: dark, rim: mood.glow, light_u: light };
    wood(&mut canvas, frame, &bank, 0.19, 5.0, needles);
    wood(&mut canvas, frame, &Ridge { seed: bank.seed, ..bank }, 0.06, 24.0, needles);
    let mut near = mood.clone();
    near.land.1 = dark;
    ridge(&mut canvas, frame, &near, &bank, light);
    // Light from the valley catches the tips.
    for y in 0..frame.height {
        let lift = 1.0 + 1.2 * smooth(0.95, 0.75, y as f32 / frame.height as f32);
        for x in 0..frame.width {
            canvas.scale(x, y, [lift; 3]);
        }
    }
    canvas
}

fn sounds(data: &Path, edition: Edition) -> Result<(), FileError> {
    const MINOR: [i32; 5] = [0, 3, 5, 7, 10];
    const MAJOR: [i32; 5] = [0, 2, 4, 7, 9];
    let score = |root, chords, scale, pace, seed| Score { seconds: 24.0, root, chords, scale, pace, seed };
    let mut list = vec![
        (
            "valley.wav",
            score(110.0, &[[0, 7, 12, 15], [-4, 3, 8, 12], [3, 7, 10, 15], [-2, 5, 10, 14]], &MINOR, 2.5, 1),
        ),
        (
            "pines.wav",
            score(98.0, &[[0, 7, 10, 14], [5, 8, 12, 15], [-2, 5, 10, 12], [0, 3, 7, 14]], &MINOR, 2.0, 2),
        ),
        (
            "cinder.wav",
            score(87.3, &[[0, 7, 12, 15], [1, 8, 13, 17], [-4, 3, 8, 15], [-2, 5, 8, 14]], &MINOR, 3.5, 3),
        ),
    ];
    if edition == Edition::Winter {
        list.push((
            "aurora.wav",
            score(130.8, &[[0, 7, 11, 14], [-3, 4, 9, 12], [5, 9, 12, 16], [-5, 2, 7, 11]], &MAJOR, 3.0, 4),
        ));
    }
    for (name, score) in list {
        files::write(&data.join("music").join(name), &synth::music(&score).encode())?;
    }
    for (name, clip) in synth::effects() {
        files::write(&data.join("sounds").join(name), &clip.encode())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn tree(version: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let order = Build { version: version.into(), program: None, out: folder.path().to_owned() };
        build(&order).unwrap();
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.path().to_owned()];
        while let Some(at) = folders.pop() {
            for entry in std::fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder.path()).unwrap().to_owned();
                    files.insert(name, std::fs::read(path).unwrap());
                }
            }
        }
        files
    }

    #[test]
    fn a_build_is_deterministic_and_an_update_is_small() {
        let (autumn, again, winter) = (tree("1.0"), tree("1.0"), tree("1.1"));
        assert!(autumn == again, "two builds of 1.0 differ");
        let total: usize = winter.values().map(Vec::len).sum();
        let fresh: usize = winter
            .iter()
            .filter(|(path, bytes)| autumn.get(*path) != Some(*bytes))
            .map(|(_, bytes)| bytes.len())
            .sum();
        // Without the program's own megabytes the share is larger than in a real build.
        assert!((20..=40).contains(&(fresh * 100 / total)), "{fresh} of {total} bytes are new");
    }

    #[test]
    fn the_world_file_says_what_the_folder_holds() {
        for edition in [Edition::Autumn, Edition::Winter] {
            let levels = edition.world().levels;
            let folders: Vec<String> =
                moods(edition).iter().map(|(name, _, _)| format!("levels/{name}")).collect();
            assert_eq!(levels.iter().map(|level| level.folder.clone()).collect::<Vec<_>>(), folders);
        }
        assert_eq!(Edition::of_version("1.0"), Edition::Autumn);
        assert_eq!(Edition::of_version("1.10"), Edition::Winter);
    }
}
