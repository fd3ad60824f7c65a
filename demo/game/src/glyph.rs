//! The game's own letters: Roman capitals (small letters are small capitals), figures and a few signs,
//! written with a broad pen. No font file is needed anywhere.
//!
//! A letter is a path in heights of a capital: `M` sets the pen down, `L` draws a line, `Q` a curve
//! with one pull; y grows downwards, 0 is the top of a capital, 1 the base line.

use crate::canvas::{Canvas, Color};
use crate::paint::shapes::{Point, bow, engrave};

/// How letters are written.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    /// Height of a capital in pixels.
    pub size: f32,
    /// Thickness of the heaviest stroke, in heights of a capital.
    pub weight: f32,
    /// Thickness of the lightest stroke as a part of the heaviest.
    pub contrast: f32,
    /// Space between letters, in heights of a capital.
    pub tracking: f32,
}

impl Pen {
    /// A plain pen for small text.
    pub fn text(size: f32) -> Self {
        Self { size, weight: 0.13, contrast: 0.72, tracking: 0.2 }
    }

    /// A ceremonious pen for names.
    pub fn title(size: f32) -> Self {
        Self { size, weight: 0.135, contrast: 0.34, tracking: 0.26 }
    }

    /// Width of a line of text in pixels.
    pub fn width(&self, text: &str) -> f32 {
        let sum: f32 = text.chars().map(|letter| self.advance(letter)).sum();
        (sum - self.tracking * self.size).max(0.0)
    }

    /// The strokes of a line of text whose capitals begin at (`x`, `y`).
    pub fn write(&self, text: &str, x: f32, y: f32) -> Vec<Vec<(Point, f32)>> {
        let mut pen_x = x;
        let mut strokes = Vec::new();
        for letter in text.chars() {
            let (_, path, scale) = glyph(letter);
            let origin = (pen_x, y + (1.0 - scale) * self.size);
            for line in parse(path) {
                strokes.push(self.ink(&line, origin, scale));
            }
            pen_x += self.advance(letter);
        }
        strokes
    }

    /// Writes a line of text in one colour.
    pub fn draw(&self, canvas: &mut Canvas, text: &str, x: f32, y: f32, color: Color, alpha: f32) {
        for line in self.write(text, x, y) {
            engrave(canvas, &line, self.cap(), |canvas, px, py, cover| {
                canvas.over(px, py, color, cover * alpha)
            });
        }
    }

    /// How far a stroke reaches beyond its end point, in pixels: half of the thinnest stroke.
    pub fn cap(&self) -> f32 {
        self.weight * self.contrast * self.size * 0.5
    }

    fn advance(&self, letter: char) -> f32 {
        let (width, _, scale) = glyph(letter);
        (width * scale + self.tracking) * self.size
    }

    fn ink(&self, line: &[Point], origin: Point, scale: f32) -> Vec<(Point, f32)> {
        let last = line.len().saturating_sub(1).max(1) as f32;
        let level = line.first().zip(line.last()).is_some_and(|(a, b)| (a.1 - b.1).abs() < 0.01);
        (0..line.len())
            .map(|index| {
                let before = line[index.saturating_sub(1)];
                let after = line[(index + 1).min(line.len() - 1)];
                let (dx, dy) = (after.0 - before.0, after.1 - before.1);
                let length = (dx * dx + dy * dy).sqrt().max(1e-4);
                // The nib is held a little aslant, as a scribe holds it.
                let across = ((dy * 0.97 + dx * 0.24) / length).abs().min(1.0);
                let thick = self.contrast + (1.0 - self.contrast) * across;
                // A level stroke grows out of a stem: only its free end is flared.
                let way = index as f32 / last * 2.0 - 1.0;
                let end = if level { way.max(0.0) } else { way.abs() };
                let flare = 1.0 + (1.0 - self.contrast) * 0.42 * end.powi(7);
                let radius = self.weight * thick * flare * self.size * 0.5 * scale.sqrt();
                let (x, y) = line[index];
                ((origin.0 + x * self.size * scale, origin.1 + y * self.size * scale), radius)
            })
            .collect()
    }
}

/// Turns a path into polylines fine enough to be drawn.
fn parse(path: &str) -> Vec<Vec<Point>> {
    const STEPS: usize = 10;
    let mut lines: Vec<Vec<Point>> = Vec::new();
    let spaced = path.replace('M', " M ").replace('L', " L ").replace('Q', " Q ");
    let mut words = spaced.split_whitespace();
    let number = |words: &mut std::str::SplitWhitespace<'_>| -> f32 {
        words.next().and_then(|w| w.parse().ok()).unwrap_or(0.0)
    };
    while let Some(verb) = words.next() {
        let mut point = || (number(&mut words), number(&mut words));
        let first = point();
        match (verb, lines.last_mut()) {
            ("L", Some(line)) => {
                let from = line.last().copied().unwrap_or(first);
                let middle = ((from.0 + first.0) / 2.0, (from.1 + first.1) / 2.0);
                line.extend(bow(from, middle, first, STEPS).skip(1));
            }
            ("Q", Some(line)) => {
                let to = point();
                let from = line.last().copied().unwrap_or(first);
                line.extend(bow(from, first, to, STEPS).skip(1));
            }
            _ => lines.push(vec![first]),
        }
    }
    for line in lines.iter_mut().filter(|line| line.len() == 1) {
        let (x, y) = line[0];
        line.push((x + 0.001, y));
    }
    lines
}

/// Width, path and scale of a letter; an unknown one is a narrow gap.
fn glyph(letter: char) -> (f32, &'static str, f32) {
    let scale = if letter.is_ascii_lowercase() { 0.76 } else { 1.0 };
    let (width, path) = match letter.to_ascii_uppercase() {
        'A' => (0.76, "M0 1L.38 0L.76 1M.14 .66L.62 .66"),
        'B' => (
            0.54,
            "M.02 0L.02 1M.02 0L.2 0Q.48 0 .48 .24Q.48 .47 .2 .47L.02 .47M.2 .47Q.54 .47 .54 .74Q.54 1 .2 1L.02 1",
        ),
        'C' => (0.76, "M.74 .16Q.6 0 .42 0Q0 .02 0 .5Q0 .98 .42 1Q.62 1 .74 .83"),
        'D' => (0.72, "M.02 0L.02 1M.02 0L.24 0Q.72 .02 .72 .5Q.72 .98 .24 1L.02 1"),
        'E' => (0.48, "M.02 0L.02 1M.02 0L.48 0M.02 .49L.42 .49M.02 1L.48 1"),
        'F' => (0.46, "M.02 0L.02 1M.02 0L.46 0M.02 .5L.4 .5"),
        'G' => (0.8, "M.74 .16Q.6 0 .42 0Q0 .02 0 .5Q0 .98 .42 1Q.62 1 .76 .86L.76 .55L.5 .55"),
        'H' => (0.7, "M.02 0L.02 1M.68 0L.68 1M.02 .49L.68 .49"),
        'I' => (0.06, "M.03 0L.03 1"),
        'J' => (0.3, "M.27 0L.27 .76Q.27 1.04 -.02 1.02"),
        'K' => (0.62, "M.02 0L.02 1M.56 0L.02 .58M.2 .4L.62 1"),
        'L' => (0.46, "M.02 0L.02 1M.02 1L.46 1"),
        'M' => (0.92, "M.05 1L.13 0L.46 .82L.79 0L.87 1"),
        'N' => (0.74, "M.02 1L.02 0L.72 1L.72 0"),
        'O' => (0.88, "M.44 0Q0 .02 0 .5Q0 .98 .44 1Q.88 .98 .88 .5Q.88 .02 .44 0"),
        'P' => (0.5, "M.02 0L.02 1M.02 0L.22 0Q.52 0 .52 .28Q.52 .56 .22 .56L.02 .56"),
        'Q' => (0.88, "M.44 0Q0 .02 0 .5Q0 .98 .44 1Q.88 .98 .88 .5Q.88 .02 .44 0M.5 .76L.86 1.12"),
        'R' => (0.58, "M.02 0L.02 1M.02 0L.22 0Q.52 0 .52 .27Q.52 .54 .22 .54L.02 .54M.24 .54L.6 1"),
        'S' => (
            0.48,
            "M.45 .13Q.36 0 .23 0Q.02 .02 .02 .24Q.02 .42 .24 .49Q.48 .57 .48 .75Q.48 .99 .23 1Q.07 1 0 .85",
        ),
        'T' => (0.66, "M0 0L.66 0M.33 0L.33 1"),
        'U' => (0.68, "M.02 0L.02 .62Q.02 1 .34 1Q.66 1 .66 .62L.66 0"),
        'V' => (0.74, "M0 0L.37 1L.74 0"),
        'W' => (1.08, "M0 0L.28 1L.54 .1L.8 1L1.08 0"),
        'X' => (0.7, "M.03 0L.68 1M.66 0L.01 1"),
        'Y' => (0.68, "M0 0L.34 .5L.34 1M.68 0L.34 .5"),
        'Z' => (0.62, "M.03 0L.61 0L.01 1L.62 1"),
        '0' => (0.56, "M.28 0Q0 .02 0 .5Q0 .98 .28 1Q.56 .98 .56 .5Q.56 .02 .28 0"),
        '1' => (0.3, "M.02 .18L.22 0L.22 1"),
        '2' => (0.52, "M.02 .22Q.08 0 .27 0Q.5 .02 .5 .27Q.5 .46 .02 1L.52 1"),
        '3' => {
            (0.5, "M.03 .12Q.12 0 .25 0Q.47 .02 .47 .24Q.47 .46 .2 .47Q.5 .48 .5 .74Q.5 1 .23 1Q.08 1 .0 .87")
        }
        '4' => (0.58, "M.44 1L.44 0L0 .7L.58 .7"),
        '5' => (0.5, "M.46 0L.1 0L.06 .45Q.16 .38 .26 .38Q.5 .4 .5 .68Q.5 .99 .22 1Q.08 1 0 .88"),
        '6' => (0.54, "M.44 .04Q.02 .2 .02 .66Q.03 1 .28 1Q.54 .99 .54 .68Q.54 .39 .29 .38Q.08 .39 .03 .62"),
        '7' => (0.5, "M0 0L.5 0L.16 1"),
        '8' => (
            0.52,
            "M.26 .46Q.05 .43 .05 .22Q.06 0 .26 0Q.46 0 .47 .22Q.47 .43 .26 .46Q0 .5 0 .74Q0 1 .26 1Q.52 1 .52 .74Q.52 .5 .26 .46",
        ),
        '9' => (0.54, "M.1 .96Q.52 .8 .52 .34Q.51 0 .26 0Q0 .01 0 .32Q0 .61 .25 .62Q.46 .61 .51 .38"),
        '.' => (0.08, "M.04 .97L.05 .97"),
        ',' => (0.08, "M.06 .95L.02 1.14"),
        ':' => (0.08, "M.04 .35L.05 .35M.04 .97L.05 .97"),
        '!' => (0.08, "M.04 0L.04 .7M.04 .97L.05 .97"),
        '?' => (0.44, "M.02 .18Q.08 0 .22 0Q.44 .02 .44 .23Q.44 .4 .22 .52L.22 .7M.22 .97L.23 .97"),
        '-' => (0.3, "M0 .54L.3 .54"),
        '+' => (0.42, "M0 .54L.42 .54M.21 .33L.21 .75"),
        '/' => (0.4, "M0 1.06L.4 -.06"),
        '\'' => (0.06, "M.04 0L.02 .24"),
        '*' => (0.36, "M.03 .36L.33 .72M.33 .36L.03 .72"),
        '(' => (0.2, "M.18 -.08Q-.06 .5 .18 1.1"),
        ')' => (0.2, "M.02 -.08Q.26 .5 .02 1.1"),
        _ => (0.22, ""),
    };
    (width, path, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_the_game_writes_has_strokes() {
        for letter in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(".,:!?-+/'*()".chars()) {
            assert!(!glyph(letter).1.is_empty(), "{letter} has no path");
            assert!(!Pen::text(10.0).write(&letter.to_string(), 0.0, 0.0).is_empty());
        }
    }

    #[test]
    fn a_longer_text_is_wider() {
        let pen = Pen::text(20.0);
        assert!(pen.width("ember") < pen.width("embers"));
    }
}
