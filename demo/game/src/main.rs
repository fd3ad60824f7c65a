//! Emberfall: the window, the keys and the clock around the rules.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use demo_game::audio::Audio;
use demo_game::files::FileError;
use demo_game::pilot;
use demo_game::rules::{Event, Game, HEIGHT, Input, Phase, STEP, WIDTH};
use demo_game::save::Progress;
use demo_game::view::View;
use demo_game::world::World;
use minifb::{InputCallback, Key, Scale, ScaleMode, Window, WindowOptions};

/// Steps caught up after a long pause of the machine; the rest of the time is dropped.
const STEPS_MAX: u32 = 5;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("emberfall: {message}");
            return ExitCode::from(2);
        }
    };
    match play(&options) {
        Ok(()) => ExitCode::from(options.exit_code),
        Err(error) => {
            eprintln!("emberfall: {error}");
            ExitCode::from(3)
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum PlayError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("no window: {0}")]
    Window(#[from] minifb::Error),
    #[error("the folder of the program is unknown: {0}")]
    Place(std::io::Error),
}

struct Options {
    /// Plays by itself for so many seconds, then leaves.
    autoplay: Option<f64>,
    /// Exit code of a normal end.
    exit_code: u8,
    /// Data folder; by default `data` beside the program.
    data: Option<PathBuf>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { autoplay: None, exit_code: 0, data: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--autoplay" => {
                    options.autoplay = Some(value()?.parse().map_err(|_| "--autoplay takes seconds")?)
                }
                "--exit-code" => {
                    options.exit_code = value()?.parse().map_err(|_| "--exit-code takes 0 to 255")?
                }
                "--data" => options.data = Some(value()?.into()),
                // The launcher says who started the game; nothing depends on it.
                "--from-launcher" => {}
                other => return Err(format!("unknown argument {other}")),
            }
        }
        Ok(options)
    }
}

fn play(options: &Options) -> Result<(), PlayError> {
    let data = match &options.data {
        Some(data) => data.clone(),
        None => std::env::current_exe().map_err(PlayError::Place)?.with_file_name("data"),
    };
    let version_file = data.join("version.txt");
    let version = std::fs::read_to_string(&version_file)
        .map_err(|source| FileError::Io { path: version_file, source })?;
    let world = World::load(&data)?;
    let title = format!("{} {}", world.title, version.trim());
    let mut window = open_window(&title)?;
    let view = View::load(&data, &world, version.trim())?;
    let music: Vec<String> = world.levels.iter().map(|level| level.music.clone()).collect();
    let audio = Audio::open(&data, &music)
        .inspect_err(|error| eprintln!("emberfall: playing without sound: {error}"))
        .ok();
    let save = PathBuf::from("save/progress.json");
    let progress = read_progress(&save);
    let seed = if options.autoplay.is_some() { 7 } else { fastrand::u64(..) };
    let (taps, tapped) = channel();
    window.set_input_callback(Box::new(Taps(taps)));
    let mut table = Table {
        game: Game::new(world, seed),
        view,
        audio,
        progress,
        save,
        autoplay: options.autoplay.is_some(),
        tapped,
    };
    table.run(&mut window, options.autoplay)
}

fn open_window(title: &str) -> Result<Window, minifb::Error> {
    let options = WindowOptions {
        resize: true,
        scale: Scale::X1,
        scale_mode: ScaleMode::AspectRatioStretch,
        ..WindowOptions::default()
    };
    let mut window = Window::new(title, WIDTH as usize, HEIGHT as usize, options)?;
    window.set_target_fps(60);
    Ok(window)
}

/// A save that cannot be read is put aside, never overwritten.
fn read_progress(save: &std::path::Path) -> Progress {
    Progress::load(save).unwrap_or_else(|error| {
        eprintln!("emberfall: {error}; it is kept as progress.json.broken");
        if let Err(error) = std::fs::rename(save, save.with_extension("json.broken")) {
            eprintln!("emberfall: {}: {error}", save.display());
        }
        Progress::default()
    })
}

struct Table {
    game: Game,
    view: View,
    audio: Option<Audio>,
    progress: Progress,
    save: PathBuf,
    autoplay: bool,
    tapped: Receiver<Key>,
}

/// Every key that went down, even one that was up again before the next picture.
struct Taps(Sender<Key>);

impl InputCallback for Taps {
    fn add_char(&mut self, _letter: u32) {}

    fn set_key_state(&mut self, key: Key, down: bool) {
        // The receiver lives as long as the game: without one nobody waits for keys.
        if down && self.0.send(key).is_err() {
            eprintln!("emberfall: a key came after the end");
        }
    }
}

impl Table {
    fn run(&mut self, window: &mut Window, autoplay: Option<f64>) -> Result<(), PlayError> {
        let start = Instant::now();
        let (mut last, mut owed) = (start, Duration::ZERO);
        let step = Duration::from_secs_f32(STEP);
        let (mut enter, mut space) = (false, false);
        while window.is_open() {
            let taps: Vec<Key> = self.tapped.try_iter().collect();
            if taps.contains(&Key::Escape) {
                break;
            }
            if autoplay.is_some_and(|seconds| start.elapsed().as_secs_f64() >= seconds) {
                break;
            }
            let now = Instant::now();
            owed = (owed + (now - last)).min(step * STEPS_MAX);
            last = now;
            if taps.contains(&Key::M) {
                self.audio.iter_mut().for_each(Audio::toggle);
            }
            let mut input = keys(window);
            // A tap waits for the next step, which a fast screen does not have in every picture.
            enter |= taps.contains(&Key::Enter);
            space |= taps.contains(&Key::Space);
            input.start = enter;
            input.flare |= space;
            while owed >= step {
                owed -= step;
                self.step(input)?;
                (enter, space, input.start) = (false, false, false);
            }
            let screen = self.view.draw(&self.game, &self.progress);
            window.update_with_buffer(screen.pixels(), screen.width(), screen.height())?;
        }
        if self.game.phase() == Phase::Flying {
            self.keep()?;
        }
        Ok(())
    }

    fn step(&mut self, input: Input) -> Result<(), PlayError> {
        let input = if self.autoplay { pilot::steer(&self.game) } else { input };
        let events = self.game.step(input);
        self.view.react(&events);
        if let Some(audio) = &mut self.audio {
            audio.music(&self.game.level().music);
            events.iter().for_each(|event| audio.event(event));
        }
        if events.contains(&Event::WentOut) {
            self.keep()?;
        }
        Ok(())
    }

    fn keep(&mut self) -> Result<(), PlayError> {
        self.progress.record(self.game.score, self.game.reached, self.game.caught_in_all);
        Ok(self.progress.save(&self.save)?)
    }
}

fn keys(window: &Window) -> Input {
    let any = |keys: &[Key]| keys.iter().any(|key| window.is_key_down(*key));
    Input {
        left: any(&[Key::Left, Key::A]),
        right: any(&[Key::Right, Key::D]),
        up: any(&[Key::Up, Key::W]),
        down: any(&[Key::Down, Key::S]),
        flare: any(&[Key::Space]),
        start: false,
    }
}
