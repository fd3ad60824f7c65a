//! What the player sees of a [`Game`]: layers of land, lights, sparks, gauge and words.
//!
//! The view reads the game and never changes it. Its own state (sparks, cached words, levels that are
//! still being read) has no influence on the rules.

mod backdrop;
mod words;

use std::path::{Path, PathBuf};

use crate::canvas::{Canvas, hex};
use crate::files::FileError;
use crate::pixels::{Screen, Sprite};
use crate::rules::{Event, Game, HEIGHT, Phase, WIDTH};
use crate::save::Progress;
use crate::sprites::FRAMES;
use crate::world::{FoeKind, World};
use backdrop::Backdrops;
use words::{Align, Words};

struct Spark {
    at: (f32, f32),
    velocity: (f32, f32),
    left: f32,
    pale: bool,
}

/// Everything needed to draw the game.
pub struct View {
    screen: Screen,
    backdrops: Backdrops,
    hero: Sprite,
    ember: Sprite,
    golden: Sprite,
    lantern: Sprite,
    title: Sprite,
    foes: Vec<(FoeKind, Sprite)>,
    warm: Sprite,
    wide: Sprite,
    cold: Sprite,
    words: Words,
    sparks: Vec<Spark>,
    random: fastrand::Rng,
    version: String,
    subtitle: String,
    ticks: u32,
    shake: f32,
}

impl View {
    /// Reads the pictures of a data folder; the levels' backdrops go on being read meanwhile.
    pub fn load(data: &Path, world: &World, version: &str) -> Result<Self, FileError> {
        let sprite = |name: &str, frames| Sprite::load(&data.join("sprites").join(name), frames);
        let foes = FoeKind::ALL
            .into_iter()
            .filter(|kind| world.levels.iter().any(|level| level.foes.iter().any(|foe| foe.kind == *kind)))
            .map(|kind| Ok((kind, sprite(kind.picture(), FRAMES)?)))
            .collect::<Result<_, FileError>>()?;
        let folders: Vec<PathBuf> = world.levels.iter().map(|level| data.join(&level.folder)).collect();
        Ok(Self {
            screen: Screen::new(WIDTH as usize, HEIGHT as usize),
            backdrops: Backdrops::read(folders)?,
            hero: sprite("hero.png", FRAMES)?,
            ember: sprite("ember.png", FRAMES)?,
            golden: sprite("ember-golden.png", FRAMES)?,
            lantern: sprite("lantern.png", 1)?,
            title: Sprite::load(&data.join("title.png"), 1)?,
            foes,
            warm: light(64, 0xff8c3a),
            wide: light(340, 0xb05a20),
            cold: light(72, 0x6fb8ff),
            words: Words::default(),
            sparks: Vec::new(),
            random: fastrand::Rng::with_seed(1),
            version: version.to_owned(),
            subtitle: world.subtitle.clone(),
            ticks: 0,
            shake: 0.0,
        })
    }

    /// Lets sparks fly for what happened.
    pub fn react(&mut self, events: &[Event]) {
        for event in events {
            match *event {
                Event::Caught { at, golden } => self.burst(at, if golden { 26 } else { 9 }, 120.0, false),
                Event::Hurt { at } => {
                    self.shake = 1.0;
                    self.burst(at, 22, 190.0, true);
                }
                Event::Dispersed { at } => self.burst(at, 20, 160.0, true),
                _ => {}
            }
        }
    }

    /// Draws one picture and returns its pixels.
    pub fn draw(&mut self, game: &Game, progress: &Progress) -> &Screen {
        self.ticks += 1;
        self.shake *= 0.88;
        self.land(game);
        self.air(game);
        self.backdrops.near(&mut self.screen, game.level_index(), game.travelled);
        if game.phase() == Phase::Flying && game.light < 0.75 {
            self.screen.darken(game.hero, 130.0 + 420.0 * game.light);
        }
        match game.phase() {
            Phase::Title => self.title_page(progress),
            Phase::Flying => self.gauges(game),
            Phase::Over => self.end_page(game, progress),
        }
        &self.screen
    }

    fn land(&mut self, game: &Game) {
        let sway = (self.ticks as f32 * 1.9).sin() * self.shake * 9.0;
        self.backdrops.land(&mut self.screen, game.level_index(), (game.travelled + sway).max(0.0));
    }

    fn air(&mut self, game: &Game) {
        let ticks = self.ticks;
        let frame = |pace: u32, shift: usize| (ticks as usize / pace as usize + shift) % FRAMES;
        for (index, ember) in game.embers.iter().enumerate() {
            let picture = if ember.golden { &self.golden } else { &self.ember };
            self.screen.shine(&self.warm, ember.at, 0.4);
            self.screen.draw(picture, frame(5, index), ember.at, 1.0);
        }
        for (index, foe) in game.foes.iter().enumerate() {
            if let Some((_, picture)) = self.foes.iter().find(|(kind, _)| *kind == foe.kind) {
                if foe.kind == FoeKind::FrostMoth {
                    self.screen.shine(&self.cold, foe.at, 0.6);
                }
                self.screen.draw(picture, frame(4, index), foe.at, 1.0);
            }
        }
        self.fly_sparks();
        if game.phase() == Phase::Flying {
            let flicker = 0.9 + 0.1 * (self.ticks as f32 * 0.31).sin();
            self.screen.shine(
                &self.wide,
                (game.hero.0 + 24.0, game.hero.1 + 36.0),
                game.light * flicker * 0.8,
            );
            self.ring(game);
            let blinking = game.shelter > 0.0 && (self.ticks / 5).is_multiple_of(2);
            self.screen.draw(&self.hero, frame(6, 0), game.hero, if blinking { 0.45 } else { 1.0 });
        }
    }

    fn ring(&mut self, game: &Game) {
        let Some(radius) = game.flare_ring() else { return };
        for step in 0..48 {
            let angle = step as f32 / 48.0 * std::f32::consts::TAU;
            let at = (game.hero.0 + radius * angle.cos(), game.hero.1 + radius * angle.sin());
            self.screen.shine(&self.warm, at, 0.55 * (1.0 - radius / 230.0));
        }
    }

    fn burst(&mut self, at: (f32, f32), count: usize, speed: f32, pale: bool) {
        for _ in 0..count {
            let angle = self.random.f32() * std::f32::consts::TAU;
            let speed = speed * (0.3 + self.random.f32());
            self.sparks.push(Spark {
                at,
                velocity: (angle.cos() * speed, angle.sin() * speed),
                left: 0.4 + self.random.f32() * 0.5,
                pale,
            });
        }
    }

    fn fly_sparks(&mut self) {
        const SPARKS_MAX: usize = 300;
        self.sparks.truncate(SPARKS_MAX);
        for spark in &mut self.sparks {
            spark.left -= 1.0 / 60.0;
            spark.at.0 += spark.velocity.0 / 60.0;
            spark.at.1 += spark.velocity.1 / 60.0;
            spark.velocity.1 += 2.0;
            let (x, y) = spark.at;
            let color = if spark.pale { 0xb8c8ff } else { 0xffd890 };
            self.screen.bar(x, y, 3.0, 3.0, color, spark.left * 1.6);
        }
        self.sparks.retain(|spark| spark.left > 0.0);
    }

    fn gauges(&mut self, game: &Game) {
        self.screen.draw(&self.lantern, 0, (40.0, 38.0), 1.0);
        self.screen.bar(66.0, 30.0, 204.0, 16.0, 0x0a0a18, 0.6);
        let low = game.light < 0.25 && (self.ticks / 12).is_multiple_of(2);
        let color = if low { 0xff4a30 } else { 0xffab4d };
        self.screen.bar(68.0, 32.0, 200.0 * game.light, 12.0, color, 0.95);
        let screen = &mut self.screen;
        self.words.write(screen, &game.score.to_string(), (930.0, 24.0), 22.0, 0xfff0d0, Align::Right);
        if game.factor() > 1 {
            self.words.write(
                screen,
                &format!("* {}", game.factor()),
                (930.0, 56.0),
                15.0,
                0xffab4d,
                Align::Right,
            );
        }
        let level = game.level();
        let embers = format!("{} / {} embers", game.caught, level.quota);
        self.words.write(screen, &embers, (480.0, 28.0), 14.0, 0xffe0b0, Align::Middle);
        if game.level_seconds < 3.2 {
            let number = format!("Level {}", game.reached + 1);
            self.words.write(screen, &number, (480.0, 168.0), 16.0, 0xffcf90, Align::Middle);
            self.words.title(screen, &level.name, (480.0, 202.0), 34.0, 0xfff0d8);
        }
    }

    fn title_page(&mut self, progress: &Progress) {
        let screen = &mut self.screen;
        screen.shine(&self.wide, (480.0, 190.0), 0.5);
        screen.draw(&self.title, 0, (480.0, 176.0), 1.0);
        self.words.write(screen, &self.subtitle, (480.0, 262.0), 20.0, 0xffe0b0, Align::Middle);
        if self.ticks / 40 % 3 != 2 {
            self.words.write(screen, "press Enter to fly", (480.0, 342.0), 17.0, 0xffffff, Align::Middle);
        }
        let keys = "Arrows fly    Space flares    M sound    Esc leaves";
        self.words.write(screen, keys, (480.0, 388.0), 11.0, 0xe8d8e8, Align::Middle);
        if progress.flights > 0 {
            let best = format!("best flight {}    embers {}", progress.best_score, progress.embers);
            self.words.write(screen, &best, (480.0, 420.0), 12.0, 0xffcf90, Align::Middle);
        }
        self.words.write(
            screen,
            &format!("version {}", self.version),
            (944.0, 518.0),
            10.0,
            0xd0c0d0,
            Align::Right,
        );
    }

    fn end_page(&mut self, game: &Game, progress: &Progress) {
        let screen = &mut self.screen;
        screen.bar(0.0, 0.0, WIDTH, HEIGHT, 0x05060f, 0.55);
        self.words.title(screen, "The lantern went out", (480.0, 160.0), 36.0, 0xffe6c4);
        let score = format!("{} points    {} embers", game.score, game.caught_in_all);
        self.words.write(screen, &score, (480.0, 236.0), 20.0, 0xffcf90, Align::Middle);
        if game.score > 0 && game.score >= progress.best_score {
            self.words.write(screen, "your best flight", (480.0, 276.0), 15.0, 0xff9d4d, Align::Middle);
        }
        self.words.write(screen, "press Enter to fly again", (480.0, 340.0), 16.0, 0xffffff, Align::Middle);
    }
}

fn light(size: usize, rgb: u32) -> Sprite {
    let mut canvas = Canvas::new(size, size);
    let half = size as f32 / 2.0;
    canvas.glow(half, half, half * 0.5, half, hex(rgb), 0.55);
    Sprite::painted(&canvas)
}
