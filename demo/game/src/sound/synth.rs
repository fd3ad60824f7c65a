//! The band: pads, bells and wind from sums of sines. Music loops without a seam, because every
//! sound that rings past the end is written on at the beginning.

use super::wav::Clip;
use crate::noise::unit;

/// Frames a second of everything here.
pub const RATE: u32 = 44_100;

/// A piece of music to be rendered.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// Length of the loop in seconds.
    pub seconds: f32,
    /// Lowest note, in hertz.
    pub root: f32,
    /// Semitones of each chord's notes above the root.
    pub chords: &'static [[i32; 4]],
    /// Semitones the bells choose from.
    pub scale: &'static [i32],
    /// Bell notes in a second.
    pub pace: f32,
    /// Chooses the melody.
    pub seed: u32,
}

struct Tape {
    frames: Vec<[f32; 2]>,
}

/// Renders a loop.
pub fn music(score: &Score) -> Clip {
    let mut tape = Tape::new(score.seconds);
    let bar = score.seconds / score.chords.len() as f32;
    for (index, chord) in score.chords.iter().enumerate() {
        for (voice, semitones) in chord.iter().enumerate() {
            let pan = 0.25 + 0.5 * voice as f32 / 3.0;
            tape.pad(index as f32 * bar, bar * 1.35, pitch(score.root, *semitones), 0.085, pan);
        }
        tape.pad(index as f32 * bar, bar * 1.2, pitch(score.root, chord[0] - 12), 0.13, 0.5);
    }
    let beats = (score.seconds * score.pace) as i32;
    for beat in 0..beats {
        if unit(beat, 0, score.seed) < 0.32 {
            continue;
        }
        let pick = (unit(beat % 16, 1, score.seed) * score.scale.len() as f32) as usize;
        let octave = 12 * (1 + (unit(beat, 2, score.seed) * 2.0) as i32);
        let note = score.scale.get(pick).copied().unwrap_or(0) + octave;
        let loud = 0.09 + 0.09 * unit(beat, 3, score.seed);
        tape.bell(
            beat as f32 / score.pace,
            pitch(score.root, note),
            loud,
            0.2 + 0.6 * unit(beat, 4, score.seed),
        );
    }
    tape.wind(score.seed, 0.02);
    tape.echo(0.375, 0.34);
    tape.clip()
}

/// The short sounds: file name and clip.
pub fn effects() -> Vec<(&'static str, Clip)> {
    let ring = |seconds: f32, notes: &[(f32, f32, f32)]| {
        let mut tape = Tape::new(seconds);
        for &(at, hertz, loud) in notes {
            tape.bell(at, hertz, loud, 0.5);
        }
        tape.fade();
        tape.clip()
    };
    let sweep = |seconds: f32, from: f32, to: f32, hiss: f32| {
        let mut tape = Tape::new(seconds);
        tape.sweep(from, to, 0.35);
        tape.wind(3, hiss);
        tape.fade();
        tape.clip()
    };
    vec![
        ("catch.wav", ring(0.5, &[(0.0, 880.0, 0.3), (0.05, 1318.5, 0.25)])),
        (
            "golden.wav",
            ring(1.0, &[(0.0, 880.0, 0.3), (0.07, 1108.7, 0.28), (0.14, 1318.5, 0.28), (0.21, 1760.0, 0.3)]),
        ),
        ("hurt.wav", sweep(0.6, 220.0, 60.0, 0.2)),
        ("flare.wav", sweep(0.7, 180.0, 900.0, 0.3)),
        (
            "level.wav",
            ring(2.0, &[(0.0, 440.0, 0.25), (0.12, 554.4, 0.25), (0.24, 659.3, 0.25), (0.36, 880.0, 0.35)]),
        ),
        (
            "over.wav",
            ring(2.4, &[(0.0, 440.0, 0.3), (0.3, 349.2, 0.28), (0.6, 293.7, 0.28), (0.9, 220.0, 0.35)]),
        ),
    ]
}

fn pitch(root: f32, semitones: i32) -> f32 {
    root * 2.0_f32.powf(semitones as f32 / 12.0)
}

impl Tape {
    fn new(seconds: f32) -> Self {
        Self { frames: vec![[0.0; 2]; (seconds * RATE as f32) as usize] }
    }

    fn pad(&mut self, at: f32, seconds: f32, hertz: f32, loud: f32, pan: f32) {
        let partials = [(1.0, 1.0), (1.004, 0.8), (2.0, 0.32), (3.003, 0.12), (0.5, 0.25)];
        for (ratio, strength) in partials {
            self.tone(at, seconds, hertz * ratio, pan, |t| {
                let shape = (t / seconds * std::f32::consts::PI).sin();
                shape * shape * loud * strength * 0.5
            });
        }
    }

    fn bell(&mut self, at: f32, hertz: f32, loud: f32, pan: f32) {
        for (ratio, strength, decay) in [(1.0, 1.0, 3.2), (2.76, 0.28, 6.5), (5.4, 0.1, 12.0)] {
            self.tone(at, 2.2, hertz * ratio, pan, |t| {
                (t * 400.0).min(1.0) * (-t * decay).exp() * loud * strength
            });
        }
    }

    /// One sine with an envelope, written round the end of the tape. The envelope is asked for every
    /// 64 frames and drawn straight between.
    fn tone(&mut self, at: f32, seconds: f32, hertz: f32, pan: f32, envelope: impl Fn(f32) -> f32) {
        const HOP: usize = 64;
        let length = self.frames.len();
        let (start, count) = ((at * RATE as f32) as usize, (seconds * RATE as f32) as usize);
        let turn = f64::from(hertz) * std::f64::consts::TAU / f64::from(RATE);
        let (sin_step, cos_step) = turn.sin_cos();
        let (mut sin, mut cos) = (0.0_f64, 1.0_f64);
        let (mut level, mut slope) = (0.0, 0.0);
        let (left, right) = ((1.0 - pan).sqrt(), pan.sqrt());
        for index in 0..count {
            if index % HOP == 0 {
                level = envelope(index as f32 / RATE as f32);
                slope = (envelope((index + HOP) as f32 / RATE as f32) - level) / HOP as f32;
            }
            let value = sin as f32 * level;
            level += slope;
            (sin, cos) = (sin * cos_step + cos * sin_step, cos * cos_step - sin * sin_step);
            let frame = &mut self.frames[(start + index) % length];
            frame[0] += value * left;
            frame[1] += value * right;
        }
    }

    fn sweep(&mut self, from: f32, to: f32, loud: f32) {
        let length = self.frames.len() as f32;
        let mut phase = 0.0_f32;
        for (index, frame) in self.frames.iter_mut().enumerate() {
            let t = index as f32 / length;
            phase += (from * (to / from).powf(t)) / RATE as f32;
            let value = (phase.fract() * std::f32::consts::TAU).sin() * loud * (1.0 - t);
            frame[0] += value;
            frame[1] += value;
        }
    }

    fn wind(&mut self, seed: u32, loud: f32) {
        let (mut left, mut right) = (0.0, 0.0);
        let length = self.frames.len() as f32;
        for (index, frame) in self.frames.iter_mut().enumerate() {
            left += (unit(index as i32, 0, seed) - 0.5 - left) * 0.04;
            right += (unit(index as i32, 1, seed) - 0.5 - right) * 0.04;
            let gust = 1.0 + (index as f32 / length * std::f32::consts::TAU * 3.0).sin() * 0.6;
            frame[0] += left * loud * gust * 6.0;
            frame[1] += right * loud * gust * 6.0;
        }
    }

    /// An echo that crosses from side to side.
    fn echo(&mut self, seconds: f32, back: f32) {
        let (length, gap) = (self.frames.len(), (seconds * RATE as f32) as usize);
        for index in 0..length {
            let earlier = self.frames[(index + length - gap) % length];
            let frame = &mut self.frames[index];
            frame[0] += earlier[1] * back;
            frame[1] += earlier[0] * back;
        }
    }

    fn fade(&mut self) {
        let length = self.frames.len() as f32;
        for (index, frame) in self.frames.iter_mut().enumerate() {
            let left = (1.0 - index as f32 / length).min(0.25) * 4.0;
            *frame = frame.map(|sample| sample * left);
        }
    }

    fn clip(&self) -> Clip {
        let loudest = self.frames.iter().flatten().fold(0.01_f32, |top, sample| top.max(sample.abs()));
        let gain = (0.82 / loudest).min(1.6) * 32_000.0;
        Clip {
            rate: RATE,
            frames: self.frames.iter().map(|frame| frame.map(|sample| (sample * gain) as i16)).collect(),
        }
    }
}
