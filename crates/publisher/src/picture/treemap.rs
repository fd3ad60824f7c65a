//! Lays weights out as rectangles whose areas are in proportion, as near to squares as a greedy row allows (Bruls,
//! Huizing and van Wijk, *Squarified Treemaps*, 2000).

/// A rectangle, in units of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    /// With a margin taken off on every side.
    pub(super) fn inside(&self, margin: f64, top: f64) -> Self {
        let width = (self.width - 2.0 * margin).max(0.0);
        let height = (self.height - margin - top).max(0.0);
        Self { x: self.x + margin, y: self.y + top, width, height }
    }

    fn shorter(&self) -> f64 {
        self.width.min(self.height)
    }
}

/// A rectangle for each weight, in the order given, which shall fall. Weights of nothing get no area.
pub(super) fn squarify(weights: &[u64], within: Rect) -> Vec<Rect> {
    let all: u64 = weights.iter().sum();
    let scale = within.width * within.height / (all.max(1) as f64);
    let areas: Vec<f64> = weights.iter().map(|weight| *weight as f64 * scale).collect();
    let (mut rects, mut left, mut start) = (Vec::new(), within, 0);
    while start < areas.len() {
        let mut end = start + 1;
        while end < areas.len()
            && worst(&areas[start..=end], left.shorter()) <= worst(&areas[start..end], left.shorter())
        {
            end += 1;
        }
        left = row(&areas[start..end], left, &mut rects);
        start = end;
    }
    rects
}

/// The ratio of sides of the worst rectangle in a row along a side of this length.
fn worst(row: &[f64], side: f64) -> f64 {
    let sum: f64 = row.iter().sum();
    if sum <= 0.0 || side <= 0.0 {
        return f64::INFINITY;
    }
    let depth = sum / side;
    let ratio = |area: &f64| {
        let length = area / depth;
        (length / depth).max(depth / length)
    };
    row.iter().map(ratio).fold(0.0, f64::max)
}

/// Places a row along the shorter side; what is left.
fn row(areas: &[f64], within: Rect, rects: &mut Vec<Rect>) -> Rect {
    let (sum, side) = (areas.iter().sum::<f64>(), within.shorter());
    let depth = if side > 0.0 { sum / side } else { 0.0 };
    let upright = within.width >= within.height;
    let mut at = if upright { within.y } else { within.x };
    for area in areas {
        let length = if depth > 0.0 { area / depth } else { 0.0 };
        rects.push(if upright {
            Rect { x: within.x, y: at, width: depth, height: length }
        } else {
            Rect { x: at, y: within.y, width: length, height: depth }
        });
        at += length;
    }
    if upright {
        Rect { x: within.x + depth, width: (within.width - depth).max(0.0), ..within }
    } else {
        Rect { y: within.y + depth, height: (within.height - depth).max(0.0), ..within }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_in_proportion_and_nothing_overlaps_or_leaves_the_picture() {
        let within = Rect { x: 10.0, y: 20.0, width: 300.0, height: 200.0 };
        let weights = [500, 300, 100, 50, 25, 10, 10, 5];
        let rects = squarify(&weights, within);
        assert_eq!(rects.len(), weights.len());
        for (weight, rect) in weights.iter().zip(&rects) {
            assert!((rect.width * rect.height - *weight as f64 * 60.0).abs() < 0.01);
            assert!(rect.x >= 10.0 - 0.01 && rect.x + rect.width <= 310.01);
            assert!(rect.y >= 20.0 - 0.01 && rect.y + rect.height <= 220.01);
        }
        for (index, one) in rects.iter().enumerate() {
            for other in &rects[index + 1..] {
                let across = one.x + 0.01 < other.x + other.width && other.x + 0.01 < one.x + one.width;
                let down = one.y + 0.01 < other.y + other.height && other.y + 0.01 < one.y + one.height;
                assert!(!(across && down), "{one:?} {other:?}");
            }
        }
        let longest = rects.iter().map(|rect| (rect.width / rect.height).max(rect.height / rect.width));
        assert!(longest.fold(0.0, f64::max) < 5.0, "they are near to squares");
    }

    #[test]
    fn nothing_weighs_nothing() {
        let within = Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        assert!(squarify(&[], within).is_empty());
        assert!(squarify(&[0, 0], within).iter().all(|rect| rect.width * rect.height == 0.0));
        assert!(squarify(&[1], Rect { width: 0.0, ..within }).iter().all(|rect| rect.width == 0.0));
    }
}
