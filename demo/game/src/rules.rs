//! The game itself, without window, clock or sound: a lantern bearer glides through the night and
//! catches falling embers; they keep the lantern alight. Dark things in the air eat light.
//!
//! Invariant: the same world, seed and inputs give the same flight. Time comes in as steps.

use crate::world::{FoeKind, Level, World};

/// Width of the sky in pixels.
pub const WIDTH: f32 = 960.0;
/// Height of the sky in pixels.
pub const HEIGHT: f32 = 540.0;
/// Length of one step in seconds.
pub const STEP: f32 = 1.0 / 60.0;

const HERO_RADIUS: f32 = 22.0;
const CATCH_RADIUS: f32 = 46.0;
const FLARE_COST: f32 = 0.1;
const FLARE_PAUSE: f32 = 1.1;
const FLARE_SECONDS: f32 = 0.45;
const FLARE_REACH: f32 = 190.0;
const HIT_COST: f32 = 0.2;
const HIT_SHELTER: f32 = 1.4;
/// Each so many embers in a row raise the factor by one.
const CHAIN_STEP: u32 = 6;
const FACTOR_MAX: u32 = 6;

/// What the player does in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Steer left.
    pub left: bool,
    /// Steer right.
    pub right: bool,
    /// Steer up.
    pub up: bool,
    /// Steer down.
    pub down: bool,
    /// Let the lantern flare.
    pub flare: bool,
    /// Begin, or begin again.
    pub start: bool,
}

/// Where the game is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the first flight.
    Title,
    /// In the air.
    Flying,
    /// The lantern went out.
    Over,
}

/// What happened in a step, for sound and sparks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// An ember was caught here.
    Caught {
        /// Where.
        at: (f32, f32),
        /// Whether it was a golden one.
        golden: bool,
    },
    /// A foe touched the lantern here.
    Hurt {
        /// Where.
        at: (f32, f32),
    },
    /// The lantern flared.
    Flared,
    /// A flare drove a foe away here.
    Dispersed {
        /// Where.
        at: (f32, f32),
    },
    /// The next level began.
    LevelReached,
    /// A flight began.
    Started,
    /// The lantern went out.
    WentOut,
}

/// A falling ember.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ember {
    /// Centre.
    pub at: (f32, f32),
    /// Pixels a second.
    pub velocity: (f32, f32),
    /// Phase of its sway.
    pub sway: f32,
    /// Worth five.
    pub golden: bool,
}

/// An enemy in the air.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foe {
    /// Which.
    pub kind: FoeKind,
    /// Centre.
    pub at: (f32, f32),
    /// Pixels a second.
    pub velocity: (f32, f32),
    /// Seconds in the air.
    pub age: f32,
}

/// One game from title to the end of the last flight.
#[derive(Clone, Debug)]
pub struct Game {
    world: World,
    random: fastrand::Rng,
    phase: Phase,
    /// Centre of the glider.
    pub hero: (f32, f32),
    /// Its speed in pixels a second.
    pub velocity: (f32, f32),
    /// Light of the lantern, 0 to 1.
    pub light: f32,
    /// Points of this flight.
    pub score: u32,
    /// Embers caught in a row.
    pub chain: u32,
    /// Embers caught in this level.
    pub caught: u32,
    /// Embers caught in this flight.
    pub caught_in_all: u32,
    /// Levels finished in this flight; the world begins again, faster, after its last one.
    pub reached: u32,
    /// Seconds since this level began.
    pub level_seconds: f32,
    /// How far the land has moved, in pixels.
    pub travelled: f32,
    /// Seconds left in which foes cannot hurt.
    pub shelter: f32,
    /// Seconds since the last flare.
    pub since_flare: f32,
    /// What falls.
    pub embers: Vec<Ember>,
    /// What hunts.
    pub foes: Vec<Foe>,
}

impl Game {
    /// A game at its title page.
    pub fn new(world: World, seed: u64) -> Self {
        Self {
            world,
            random: fastrand::Rng::with_seed(seed),
            phase: Phase::Title,
            hero: (WIDTH * 0.3, HEIGHT * 0.5),
            velocity: (0.0, 0.0),
            light: 1.0,
            score: 0,
            chain: 0,
            caught: 0,
            caught_in_all: 0,
            reached: 0,
            level_seconds: 0.0,
            travelled: 0.0,
            shelter: 0.0,
            since_flare: FLARE_PAUSE,
            embers: Vec::new(),
            foes: Vec::new(),
        }
    }

    /// One step of [`STEP`] seconds; returns what happened.
    pub fn step(&mut self, input: Input) -> Vec<Event> {
        let mut events = Vec::new();
        self.travelled += self.speed() * STEP;
        if self.phase != Phase::Flying {
            self.drift();
            if input.start {
                self.begin();
                events.push(Event::Started);
            }
            return events;
        }
        self.level_seconds += STEP;
        self.shelter = (self.shelter - STEP).max(0.0);
        self.since_flare += STEP;
        self.steer(input);
        self.spawn();
        self.flare(input, &mut events);
        self.fall(&mut events);
        self.hunt(&mut events);
        self.burn(&mut events);
        events
    }

    /// Where the game is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The level being flown.
    pub fn level(&self) -> &Level {
        &self.world.levels[self.level_index()]
    }

    /// Its place in the world.
    pub fn level_index(&self) -> usize {
        self.reached as usize % self.world.levels.len().max(1)
    }

    /// The world being flown through.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What each ember's points are multiplied by.
    pub fn factor(&self) -> u32 {
        (1 + self.chain / CHAIN_STEP).min(FACTOR_MAX)
    }

    /// Radius of the flare's ring in pixels while it grows.
    pub fn flare_ring(&self) -> Option<f32> {
        (self.since_flare < FLARE_SECONDS).then(|| FLARE_REACH * (self.since_flare / FLARE_SECONDS).sqrt())
    }

    fn speed(&self) -> f32 {
        let rounds = self.reached as usize / self.world.levels.len().max(1);
        self.level().speed * (1.0 + 0.2 * rounds as f32)
    }

    fn begin(&mut self) {
        let (world, random, travelled) = (self.world.clone(), self.random.clone(), self.travelled);
        *self = Self { random, travelled, phase: Phase::Flying, shelter: HIT_SHELTER, ..Self::new(world, 0) };
    }

    fn drift(&mut self) {
        self.embers.retain(|ember| ember.at.1 < HEIGHT + 30.0);
        for ember in &mut self.embers {
            ember.at.1 += ember.velocity.1 * STEP;
        }
    }

    fn steer(&mut self, input: Input) {
        const PUSH: f32 = 1500.0;
        const TOP_SPEED: f32 = 360.0;
        let axis = |minus: bool, plus: bool| f32::from(plus) - f32::from(minus);
        let (mut ax, mut ay) = (axis(input.left, input.right), axis(input.up, input.down));
        let length = (ax * ax + ay * ay).sqrt().max(1.0);
        ax *= PUSH / length;
        ay *= PUSH / length;
        let drag = 1.0 - 3.6 * STEP;
        self.velocity.0 = ((self.velocity.0 + ax * STEP) * drag).clamp(-TOP_SPEED, TOP_SPEED);
        self.velocity.1 = ((self.velocity.1 + ay * STEP) * drag + 14.0 * STEP).clamp(-TOP_SPEED, TOP_SPEED);
        self.hero.0 = (self.hero.0 + self.velocity.0 * STEP).clamp(40.0, WIDTH - 40.0);
        self.hero.1 = (self.hero.1 + self.velocity.1 * STEP).clamp(46.0, HEIGHT - 60.0);
    }

    fn spawn(&mut self) {
        let level = self.level().clone();
        if self.random.f32() < level.embers_per_second * STEP {
            let ember = Ember {
                at: (self.random.f32() * WIDTH * 1.15 + 60.0, -20.0),
                velocity: (-self.speed() * 0.45 - self.random.f32() * 40.0, 80.0 + self.random.f32() * 70.0),
                sway: self.random.f32() * std::f32::consts::TAU,
                golden: self.random.f32() < level.golden_share,
            };
            self.embers.push(ember);
        }
        for rate in level.foes {
            if self.random.f32() < STEP / rate.every_seconds.max(0.1) && self.level_seconds > 2.0 {
                let foe = self.newcomer(rate.kind);
                self.foes.push(foe);
            }
        }
    }

    fn newcomer(&mut self, kind: FoeKind) -> Foe {
        let y = 70.0 + self.random.f32() * (HEIGHT - 190.0);
        let (at, velocity) = match kind {
            FoeKind::Gloom => ((WIDTH + 50.0, y), (-self.speed() * 0.75 - self.random.f32() * 50.0, 0.0)),
            FoeKind::Crow => {
                let aim = self.hero.1 + self.random.f32() * 80.0 - 40.0;
                let seconds = (WIDTH + 50.0 - self.hero.0) / 420.0;
                ((WIDTH + 50.0, y * 0.5), (-420.0, (aim - y * 0.5) / seconds))
            }
            FoeKind::FrostMoth => ((WIDTH + 40.0, y), (-120.0, 0.0)),
        };
        Foe { kind, at, velocity, age: 0.0 }
    }

    fn flare(&mut self, input: Input, events: &mut Vec<Event>) {
        if input.flare && self.since_flare > FLARE_PAUSE && self.light > FLARE_COST * 1.5 {
            self.since_flare = 0.0;
            self.light -= FLARE_COST;
            events.push(Event::Flared);
        }
        let Some(ring) = self.flare_ring() else { return };
        let hero = self.hero;
        let mut dispersed = 0;
        self.foes.retain(|foe| {
            let gone = distance(foe.at, hero) < ring + foe.kind.radius();
            if gone {
                dispersed += 1;
                events.push(Event::Dispersed { at: foe.at });
            }
            !gone
        });
        self.score += 25 * dispersed * self.factor();
    }

    fn fall(&mut self, events: &mut Vec<Event>) {
        let hero = (self.hero.0, self.hero.1 + 6.0);
        let mut caught = Vec::new();
        let mut missed = false;
        self.embers.retain_mut(|ember| {
            ember.sway += STEP * 2.2;
            ember.at.0 += (ember.velocity.0 + ember.sway.sin() * 26.0) * STEP;
            ember.at.1 += ember.velocity.1 * STEP;
            if distance(ember.at, hero) < CATCH_RADIUS {
                caught.push(*ember);
                return false;
            }
            let lost = ember.at.1 > HEIGHT + 20.0;
            missed |= lost && ember.at.0 > 0.0;
            !lost && ember.at.0 > -40.0
        });
        if missed {
            self.chain -= self.chain.min(1);
        }
        for ember in caught {
            self.catch(ember, events);
        }
    }

    fn catch(&mut self, ember: Ember, events: &mut Vec<Event>) {
        let (worth, light) = if ember.golden { (5, 0.14) } else { (1, 0.05) };
        self.score += 10 * worth * self.factor();
        self.chain += 1;
        self.light = (self.light + light).min(1.0);
        self.caught += 1;
        self.caught_in_all += 1;
        events.push(Event::Caught { at: ember.at, golden: ember.golden });
        if self.caught >= self.level().quota {
            self.reached += 1;
            self.caught = 0;
            self.level_seconds = 0.0;
            self.light = (self.light + 0.35).min(1.0);
            self.foes.clear();
            events.push(Event::LevelReached);
        }
    }

    fn hunt(&mut self, events: &mut Vec<Event>) {
        let hero = self.hero;
        for foe in &mut self.foes {
            foe.age += STEP;
            match foe.kind {
                FoeKind::Gloom => foe.velocity.1 = (foe.age * 2.1).cos() * 95.0,
                FoeKind::Crow => {}
                FoeKind::FrostMoth => pursue(foe, hero),
            }
            foe.at.0 += foe.velocity.0 * STEP;
            foe.at.1 += foe.velocity.1 * STEP;
        }
        self.foes.retain(|foe| foe.at.0 > -60.0 && foe.age < 30.0);
        let touched =
            self.foes.iter().position(|foe| distance(foe.at, hero) < foe.kind.radius() + HERO_RADIUS);
        if let Some(index) = touched.filter(|_| self.shelter <= 0.0) {
            let foe = self.foes.swap_remove(index);
            self.light -= HIT_COST;
            self.chain = 0;
            self.shelter = HIT_SHELTER;
            self.velocity.0 -= 220.0;
            events.push(Event::Hurt { at: foe.at });
        }
    }

    fn burn(&mut self, events: &mut Vec<Event>) {
        self.light -= self.level().drain * STEP;
        if self.light <= 0.0 {
            self.light = 0.0;
            self.phase = Phase::Over;
            events.push(Event::WentOut);
        }
    }
}

/// A frost moth turns towards the lantern, but slowly, and tires after twelve seconds.
fn pursue(foe: &mut Foe, hero: (f32, f32)) {
    let (dx, dy) = (hero.0 - foe.at.0, hero.1 - foe.at.1);
    let length = (dx * dx + dy * dy).sqrt().max(1.0);
    let pull = if foe.age < 12.0 { 150.0 } else { 0.0 };
    let drag = 1.0 - 0.9 * STEP;
    foe.velocity.0 = (foe.velocity.0 + dx / length * pull * STEP) * drag;
    foe.velocity.1 = (foe.velocity.1 + dy / length * pull * STEP) * drag + (foe.age * 9.0).sin() * 2.0;
    if foe.age >= 12.0 {
        foe.velocity.0 -= 160.0 * STEP;
    }
}

/// Distance of two points.
pub fn distance(a: (f32, f32), b: (f32, f32)) -> f32 {
    ((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Edition;
    use crate::pilot;

    fn flying() -> Game {
        let mut game = Game::new(Edition::Autumn.world(), 5);
        let events = game.step(Input { start: true, ..Input::default() });
        assert_eq!(events, [Event::Started]);
        game
    }

    fn ember(at: (f32, f32), golden: bool) -> Ember {
        Ember { at, velocity: (0.0, 0.0), sway: 0.0, golden }
    }

    #[test]
    fn a_caught_ember_brings_points_and_light() {
        let mut game = flying();
        game.light = 0.5;
        game.embers = vec![ember(game.hero, false)];
        game.step(Input::default());
        assert_eq!((game.score, game.chain, game.caught), (10, 1, 1));
        assert!(game.light > 0.54);
    }

    #[test]
    fn a_chain_multiplies_points() {
        let mut game = flying();
        for _ in 0..7 {
            game.embers = vec![ember(game.hero, false)];
            game.step(Input::default());
        }
        assert_eq!(game.score, 6 * 10 + 20);
    }

    #[test]
    fn a_foe_takes_light_once_and_breaks_the_chain() {
        let mut game = flying();
        game.shelter = 0.0;
        game.chain = 9;
        let foe = Foe { kind: FoeKind::Crow, at: game.hero, velocity: (0.0, 0.0), age: 0.0 };
        game.foes = vec![foe, foe];
        game.step(Input::default());
        game.step(Input::default());
        assert_eq!(game.chain, 0);
        assert!(game.light < 0.81 && game.light > 0.75);
    }

    #[test]
    fn a_flare_drives_foes_away_and_costs_light() {
        let mut game = flying();
        game.foes = vec![Foe {
            kind: FoeKind::Gloom,
            at: (game.hero.0 + 100.0, game.hero.1),
            velocity: (0.0, 0.0),
            age: 0.0,
        }];
        let flare = Input { flare: true, ..Input::default() };
        let events: Vec<Event> = (0..20).flat_map(|_| game.step(flare)).collect();
        assert_eq!(events.iter().filter(|event| **event == Event::Flared).count(), 1);
        assert!(events.iter().any(|event| matches!(event, Event::Dispersed { .. })));
        assert!(game.light < 0.91);
    }

    #[test]
    fn the_quota_opens_the_next_level_and_the_world_goes_round() {
        let mut game = flying();
        let levels = game.world().levels.len();
        for _ in 0..levels {
            game.caught = game.level().quota - 1;
            game.embers = vec![ember(game.hero, false)];
            let events = game.step(Input::default());
            assert!(events.contains(&Event::LevelReached));
        }
        assert_eq!((game.reached as usize, game.level_index()), (levels, 0));
    }

    #[test]
    fn without_embers_the_lantern_goes_out_and_enter_begins_again() {
        let mut game = flying();
        while game.phase() == Phase::Flying {
            game.embers.clear();
            game.step(Input::default());
        }
        assert_eq!(game.phase(), Phase::Over);
        game.step(Input { start: true, ..Input::default() });
        assert_eq!((game.phase(), game.score, game.light), (Phase::Flying, 0, 1.0));
    }

    #[test]
    fn the_same_seed_and_inputs_give_the_same_flight() {
        let fly = || {
            let mut game = Game::new(Edition::Winter.world(), 11);
            for _ in 0..3000 {
                let input = pilot::steer(&game);
                game.step(input);
            }
            (game.score, game.hero, game.embers)
        };
        assert_eq!(fly(), fly());
    }

    #[test]
    fn the_pilot_sees_every_level_of_both_editions() {
        for edition in [Edition::Autumn, Edition::Winter] {
            let mut game = Game::new(edition.world(), 3);
            let mut furthest = 0;
            for _ in 0..60 * 60 * 6 {
                let input = pilot::steer(&game);
                game.step(input);
                furthest = furthest.max(game.reached as usize);
            }
            assert!(furthest >= game.world().levels.len() - 1, "{edition:?} got to {furthest}");
        }
    }
}
