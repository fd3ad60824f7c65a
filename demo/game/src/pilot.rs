//! A player made of rules: steers to the nearest ember it can reach, keeps away from foes.

use crate::rules::{Game, HEIGHT, Input, Phase, WIDTH, distance};

/// What the pilot does in this step.
pub fn steer(game: &Game) -> Input {
    if game.phase() != Phase::Flying {
        return Input { start: true, ..Input::default() };
    }
    let (mut x, mut y) = towards(game.hero, target(game));
    let mut close = false;
    for foe in &game.foes {
        let ahead = (foe.at.0 + foe.velocity.0 * 0.3, foe.at.1 + foe.velocity.1 * 0.3);
        let gap = distance(ahead, game.hero).min(distance(foe.at, game.hero));
        if gap < 170.0 {
            let (ax, ay) = towards(ahead, game.hero);
            let fear = (170.0 - gap) / 60.0;
            x += ax * fear;
            y += ay * fear;
        }
        close |= gap < 85.0;
    }
    Input {
        left: x < -0.25,
        right: x > 0.25,
        up: y < -0.25,
        down: y > 0.25,
        flare: close && game.light > 0.3,
        start: false,
    }
}

fn target(game: &Game) -> (f32, f32) {
    game.embers
        .iter()
        .map(|ember| (ember.at.0 + ember.velocity.0 * 0.5, ember.at.1 + ember.velocity.1 * 0.5, ember.golden))
        .filter(|(x, y, _)| (50.0..WIDTH - 50.0).contains(x) && (60.0..HEIGHT - 70.0).contains(y))
        .map(|(x, y, golden)| ((x, y), distance((x, y), game.hero) * if golden { 0.5 } else { 1.0 }))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or((WIDTH * 0.45, HEIGHT * 0.45), |(at, _)| at)
}

fn towards(from: (f32, f32), to: (f32, f32)) -> (f32, f32) {
    let length = distance(from, to);
    if length < 8.0 {
        return (0.0, 0.0);
    }
    ((to.0 - from.0) / length, (to.1 - from.1) / length)
}
