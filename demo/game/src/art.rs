//! Finished pictures for the launcher: key art, news pictures, wordmark, icon.

use crate::canvas::{Canvas, dim, hex, mix};
use crate::glyph::Pen;
use crate::noise::{lerp, unit};
use crate::paint::figures::{Pose, glider, tower, village};
use crate::paint::land::{Needles, Ridge, lake, mist, pine, ridge, wood};
use crate::paint::shapes::{engrave, stroke};
use crate::paint::sky::{Moon, sky};
use crate::paint::{Frame, Mood, finish, lights};

/// The colour of the game: a burning ember.
pub const ACCENT: &str = "#ff9d4d";

/// What a valley picture shows besides its land.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Hour and season.
    pub mood: Mood,
    /// The light in the sky.
    pub moon: Moon,
    /// Seed of the land.
    pub seed: u32,
    /// Where the glider flies (heights) and its size; none = nobody flies.
    pub glider: Option<(f32, f32, f32)>,
    /// Embers in the air.
    pub embers: i32,
    /// Lanterns in the air.
    pub lanterns: i32,
    /// How dark the corner is that the launcher writes on, 0 to 1.
    pub quiet_corner: f32,
}

/// The picture behind the launcher: the valley at dusk under the burning moon.
pub fn key_art(width: usize, height: usize) -> Canvas {
    let aspect = width as f32 / height as f32;
    let moon = Moon { u: aspect * 0.56, v: 0.27, radius: 0.125, face: hex(0xffe3b0), burning: 1.0 };
    valley(
        width,
        height,
        &Scene {
            mood: Mood::dusk(),
            moon,
            seed: 41,
            glider: Some((aspect * 0.375, 0.36, 0.15)),
            embers: 640,
            lanterns: 46,
            quiet_corner: 0.72,
        },
    )
}

/// A valley with a lake, a village and a watch-tower.
pub fn valley(width: usize, height: usize, scene: &Scene) -> Canvas {
    let frame = Frame { width, height, wraps: false };
    let mut canvas = Canvas::new(width, height);
    let (mood, moon, aspect) = (&scene.mood, &scene.moon, frame.aspect());
    sky(&mut canvas, frame, mood, moon, scene.seed);
    mountains(&mut canvas, frame, scene);
    let shore = 0.745;
    lake(&mut canvas, frame, mood, shore, moon.u, scene.seed ^ 0x1a);
    lights::shafts(&mut canvas, frame, moon, mood.glow, 0.26, scene.seed ^ 0x3c);
    mist(&mut canvas, frame, mood.mist, shore - 0.004, 0.012, 0.4, scene.seed ^ 0x2b);
    headland(&mut canvas, frame, scene, aspect * 0.70);
    finish::brush(&mut canvas, (height / 340).max(1), 0.8);
    floating(&mut canvas, frame, scene);
    foreground(&mut canvas, frame, scene);
    finish::vignette(&mut canvas, frame, 0.42, scene.quiet_corner);
    lights::ember_fall(&mut canvas, frame, moon, (aspect * 0.40, 1.02), scene.embers, scene.seed ^ 0x4d);
    if let Some((u, v, size)) = scene.glider {
        glider(&mut canvas, frame.pixels(u), frame.pixels(v), frame.pixels(size), Pose::default());
    }
    canvas
}

fn mountains(canvas: &mut Canvas, frame: Frame, scene: &Scene) {
    let (mood, light) = (&scene.mood, scene.moon.u);
    let ranges = [
        (0.705, 0.20, 1.1, 1.0, 0.0),
        (0.725, 0.22, 0.95, 1.0, 0.2),
        (0.74, 0.17, 1.2, 0.95, 0.42),
        (0.75, 0.08, 1.7, 0.6, 0.62),
    ];
    for (index, (base, rise, frequency, crags, nearness)) in ranges.into_iter().enumerate() {
        let range = Ridge {
            seed: scene.seed.wrapping_add(index as u32 * 101),
            base,
            rise,
            frequency,
            crags,
            nearness,
        };
        ridge(canvas, frame, mood, &range, light);
        let bank = mix(mood.mist, mood.glow, 0.18);
        mist(canvas, frame, bank, base - 0.012, 0.026, 0.42 - nearness * 0.4, range.seed ^ 0x88);
        if index == 3 {
            let needles =
                Needles { color: mix(mood.land.0, mood.land.1, 0.62), rim: mood.glow, light_u: light };
            wood(canvas, frame, &range, 0.035, 90.0, needles);
        }
    }
}

/// The headland in the lake with the tower on its rock and the village at its foot.
fn headland(canvas: &mut Canvas, frame: Frame, scene: &Scene, u: f32) {
    let mood = &scene.mood;
    let rock =
        Ridge { seed: scene.seed ^ 0x77, base: 0.90, rise: 0.12, frequency: 3.4, crags: 0.7, nearness: 0.8 };
    let rise = move |at: f32| {
        let distance = (at - u) / 0.34;
        let crag = (at - u) / 0.12;
        0.96 - 0.15 * (-distance * distance).exp() - 0.085 * (-crag * crag).exp()
    };
    let line = |at: f32| rise(at) + (rock.outline(frame, at) - rock.base) * 0.62 + 0.04;
    let body = mix(mood.land.0, mood.land.1, 0.86);
    let stone = frame.field(scene.seed ^ 0x78, 5.0);
    for x in 0..frame.width {
        let (at, _) = frame.point(x, 0);
        let top = line(at);
        let first = frame.pixels(top).max(0.0) as usize;
        for y in first..frame.height {
            let (_, v) = frame.point(x, y);
            let depth = v - top;
            let cover = (frame.pixels(depth) + 0.5).clamp(0.0, 1.0);
            let facet = 0.6 + 0.9 * stone.ridged(at + depth * 0.4, depth * 1.4, 4);
            let color = dim(mix(mix(body, mood.mist, 0.16), body, (depth * 7.0).min(1.0)), facet);
            canvas.over(x, y, color, cover);
            let near = (-frame.along(scene.moon.u, at).abs() / 0.4).exp();
            canvas.add(x, y, mood.glow, (-depth / 0.006).exp() * 0.3 * near * cover);
        }
    }
    let dark = mix(mood.land.0, mood.land.1, 0.9);
    tower(canvas, frame, u, line(u) + 0.01, 0.27, dark, mood.glow);
    village(canvas, frame, (u - 0.27, u - 0.075), line, 0.02, dark, scene.seed ^ 0x99);
    village(canvas, frame, (u + 0.08, u + 0.33), line, 0.021, dark, scene.seed ^ 0x9a);
    let needles = Needles { color: dark, rim: mood.glow, light_u: scene.moon.u };
    for index in 0..44 {
        let at = u + lerp(-0.42, 0.46, unit(index, 0, scene.seed ^ 0x9b));
        if (at - u).abs() > 0.06 {
            let tall = lerp(0.022, 0.075, unit(index, 1, scene.seed ^ 0x9b).powi(2));
            pine(canvas, frame, (at, line(at) + 0.008), tall, needles, scene.seed ^ index as u32);
        }
    }
}

fn floating(canvas: &mut Canvas, frame: Frame, scene: &Scene) {
    let seed = scene.seed ^ 0x5e;
    let aspect = frame.aspect();
    let mut order: Vec<i32> = (0..scene.lanterns).collect();
    let nearness = |index: i32| unit(index, 3, seed).powi(3);
    order.sort_by(|a, b| nearness(*a).total_cmp(&nearness(*b)));
    for index in order {
        let near = nearness(index);
        let lift = unit(index, 1, seed);
        // They rise from the village and drift to the right with the wind.
        let u = aspect * 0.70 + lerp(-0.3, 0.62, unit(index, 0, seed)) * (0.35 + lift * 0.9);
        let v = lerp(0.80, 0.14, lift) + near * 0.1;
        let radius = frame.pixels(lerp(0.0035, 0.021, near));
        lights::lantern(canvas, frame.pixels(u), frame.pixels(v), radius, 0.0, unit(index, 2, seed));
    }
}

fn foreground(canvas: &mut Canvas, frame: Frame, scene: &Scene) {
    let (mood, seed, aspect) = (&scene.mood, scene.seed ^ 0x6f, frame.aspect());
    let dark = dim(mood.land.1, 0.55);
    let bank = Ridge { seed, base: 0.985, rise: 0.075, frequency: 1.1, crags: 0.0, nearness: 1.0 };
    let needles = Needles { color: dark, rim: mood.glow, light_u: scene.moon.u };
    wood(canvas, frame, &bank, 0.055, 46.0, needles);
    let mut near = mood.clone();
    near.land.1 = dark;
    ridge(canvas, frame, &near, &bank, scene.moon.u);
    for index in 0..15 {
        let left = index % 3 != 0;
        let along = unit(index, 0, seed).powf(1.5);
        let u = if left { -0.03 + along * 0.42 } else { aspect + 0.03 - along * 0.30 };
        let tall = lerp(0.62, 0.20, along) * lerp(0.75, 1.1, unit(index, 1, seed));
        pine(canvas, frame, (u, 1.03), tall, needles, seed ^ (index as u32 * 31));
    }
    for index in 0..5 {
        let u = aspect * lerp(0.30, 1.0, unit(index, 7, seed));
        let v = lerp(0.72, 0.97, unit(index, 8, seed));
        let radius = frame.pixels(lerp(0.02, 0.034, unit(index, 9, seed)));
        lights::lantern(canvas, frame.pixels(u), frame.pixels(v), radius, 0.8, unit(index, 10, seed));
    }
}

/// The pictures of the news posts, by file name.
pub fn news() -> Vec<(&'static str, Canvas)> {
    let (width, height) = (960, 540);
    let aspect = width as f32 / height as f32;
    let scene = |mood: Mood, seed, burning, at: (f32, f32), glider| Scene {
        mood,
        moon: Moon { u: aspect * at.0, v: at.1, radius: 0.11, face: hex(0xffe9c8), burning },
        seed,
        glider,
        embers: if burning > 0.0 { 420 } else { 0 },
        lanterns: 34,
        quiet_corner: 0.15,
    };
    let pictures = [
        ("first-frost.jpg", scene(Mood::first_frost(), 41, 0.0, (0.34, 0.3), Some((0.95, 0.4, 0.2)))),
        ("aurora-ridge.jpg", scene(Mood::aurora(), 219, 0.0, (0.86, 0.16), Some((0.62, 0.42, 0.22)))),
        ("cinder-fields.jpg", scene(Mood::cinder(), 131, 1.0, (0.42, 0.3), None)),
        ("midnight-pines.jpg", scene(Mood::midnight(), 77, 0.0, (0.3, 0.26), Some((1.05, 0.34, 0.2)))),
        ("valley-of-lanterns.jpg", scene(Mood::dusk(), 53, 1.0, (0.5, 0.26), Some((0.42, 0.42, 0.26)))),
    ];
    pictures.map(|(name, scene)| (name, valley(width, height, &scene))).into()
}

/// The game's name, written as on its title page, on nothing.
pub fn wordmark(width: usize, height: usize) -> Canvas {
    let mut canvas = Canvas::new(width, height);
    let pen = Pen { tracking: 0.22, ..Pen::title(height as f32 * 0.52) };
    let text = "EMBERFALL";
    let (x, y) = ((width as f32 - pen.width(text)) / 2.0, height as f32 * 0.24);
    for line in pen.write(text, x, y) {
        let glow: Vec<_> = line.iter().map(|&(p, r)| (p, r + height as f32 * 0.045)).collect();
        stroke(&mut canvas, &glow, |canvas, px, py, cover| canvas.over(px, py, hex(0x2a0c06), cover * 0.10));
    }
    for line in pen.write(text, x, y) {
        engrave(&mut canvas, &line, pen.cap(), |canvas, px, py, cover| {
            let t = (py as f32 - y) / pen.size;
            let color = mix(
                mix(hex(0xfff6e0), hex(0xffcf8a), t.clamp(0.0, 1.0)),
                hex(0xff7a2e),
                crate::noise::smooth(0.62, 1.15, t),
            );
            canvas.over(px, py, color, cover);
        });
    }
    canvas
}
