//! Written words, painted once and kept as long as they are likely to be seen again.

use std::collections::BTreeMap;

use crate::canvas::{Canvas, hex};
use crate::glyph::Pen;
use crate::pixels::{Screen, Sprite};

/// Where a line stands to its point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Middle,
    Right,
}

/// Lines kept; a fuller cupboard is emptied.
const LINES_MAX: usize = 48;

#[derive(Default)]
pub(super) struct Words {
    lines: BTreeMap<(String, u32, u32, bool), Sprite>,
}

impl Words {
    pub(super) fn write(
        &mut self,
        screen: &mut Screen,
        text: &str,
        at: (f32, f32),
        size: f32,
        color: u32,
        align: Align,
    ) {
        self.line(screen, text, at, Pen::text(size), color, align, false);
    }

    pub(super) fn title(&mut self, screen: &mut Screen, text: &str, at: (f32, f32), size: f32, color: u32) {
        self.line(screen, text, at, Pen::title(size), color, Align::Middle, true);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one line of text has this many properties; both callers stand above"
    )]
    fn line(
        &mut self,
        screen: &mut Screen,
        text: &str,
        at: (f32, f32),
        pen: Pen,
        color: u32,
        align: Align,
        title: bool,
    ) {
        if self.lines.len() > LINES_MAX {
            self.lines.clear();
        }
        let key = (text.to_owned(), pen.size as u32, color, title);
        let sprite = self.lines.entry(key).or_insert_with(|| paint(text, pen, color));
        let half = sprite.width as f32 / 2.0;
        let x = match align {
            Align::Middle => at.0,
            Align::Right => at.0 - half + MARGIN,
        };
        screen.draw(sprite, 0, (x, at.1 + pen.size / 2.0), 1.0);
    }
}

const MARGIN: f32 = 6.0;

/// Letters with a soft dark edge, so that they can be read on any sky.
fn paint(text: &str, pen: Pen, color: u32) -> Sprite {
    let (width, height) = (pen.width(text) + MARGIN * 2.0, pen.size * 1.25 + MARGIN * 2.0);
    let mut canvas = Canvas::new(width.ceil() as usize, height.ceil() as usize);
    let top = (height - pen.size) / 2.0;
    for (dx, dy) in [(0.0, 1.5), (1.2, 0.6), (-1.2, 0.6), (0.0, -0.8)] {
        pen.draw(&mut canvas, text, MARGIN + dx, top + dy, hex(0x0a0618), 0.45);
    }
    pen.draw(&mut canvas, text, MARGIN, top, hex(color), 1.0);
    Sprite::painted(&canvas)
}
