//! Waveforms as bars: one mesh each, so that a screen full of them stays cheap.

use eframe::egui::{Color32, Mesh, Painter, Rect, Shape, pos2};

/// Width of a bar and of the gap after it, points.
const BAR: f32 = 2.0;
const GAP: f32 = 1.0;

/// Draws `peak(from, to)` (largest magnitude between two places in 0..=1 of the width, itself 0..=1) as bars in `rect`;
/// `colour` may depend on the place.
pub(in crate::app) fn paint(
    painter: &Painter,
    rect: Rect,
    peak: impl Fn(f32, f32) -> f32,
    colour: impl Fn(f32) -> Color32,
) {
    let visible = rect.intersect(painter.clip_rect());
    if !visible.is_positive() {
        return;
    }
    let pitch = BAR + GAP;
    let bars = (rect.width() / pitch).floor().max(1.0) as usize;
    let mut mesh = Mesh::default();
    for bar in 0..bars {
        let left = rect.left() + bar as f32 * pitch;
        if left + BAR < visible.left() || left > visible.right() {
            continue;
        }
        let (from, to) = (bar as f32 / bars as f32, (bar + 1) as f32 / bars as f32);
        let height = (peak(from, to).clamp(0.0, 1.0) * rect.height()).max(1.5);
        let middle = rect.center().y;
        let shape = Rect::from_min_max(
            pos2(left.round(), middle - height / 2.0),
            pos2(left.round() + BAR, middle + height / 2.0),
        );
        mesh.add_colored_rect(shape, colour(f32::midpoint(from, to)));
    }
    painter.add(Shape::mesh(mesh));
}

/// The largest of `peaks` that lie between `from` and `to`, each in 0..=1 of their whole.
pub(in crate::app) fn between(peaks: &[f32], from: f32, to: f32) -> f32 {
    range(peaks.len(), from, to).map_or(0.0, |range| peaks[range].iter().copied().fold(0.0, f32::max))
}

/// As [`between`], of a track's peaks, relative to its loudest. Mastered music is near full scale throughout; the power
/// brings its rise and fall out.
pub(in crate::app) fn of_track(peaks: &[u8], from: f32, to: f32) -> f32 {
    let loudest = peaks.iter().copied().max().unwrap_or(0).max(1);
    range(peaks.len(), from, to)
        .and_then(|range| {
            // The mean of the peaks, since the largest of many is always near the loudest.
            let count = range.len() as f32;
            let sum: f32 = peaks[range].iter().map(|peak| f32::from(*peak)).sum();
            (count > 0.0).then_some(sum / count)
        })
        .map_or(0.0, |mean| (mean / f32::from(loudest)).powf(2.0))
}

fn range(length: usize, from: f32, to: f32) -> Option<std::ops::Range<usize>> {
    if length == 0 || to <= 0.0 || from >= 1.0 {
        return None;
    }
    let first = ((from.max(0.0) * length as f32) as usize).min(length - 1);
    let last = ((to.min(1.0) * length as f32).ceil() as usize).clamp(first + 1, length);
    Some(first..last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_the_loudest_of_what_it_covers() {
        let peaks = [0.1, 0.9, 0.2, 0.3];
        let check = |from: f32, to: f32, expected: f32| assert_eq!(between(&peaks, from, to), expected);
        check(0.0, 1.0, 0.9);
        check(0.5, 1.0, 0.3);
        check(0.0, 0.01, 0.1);
        check(1.0, 1.2, 0.0);
        check(-0.4, -0.1, 0.0);
        assert_eq!(between(&[], 0.0, 1.0), 0.0);
        assert_eq!(of_track(&[0, 200, 100], 0.4, 0.6), 1.0);
        assert_eq!(of_track(&[0, 200, 100], 0.7, 1.0), 0.25);
        assert_eq!(of_track(&[], 0.0, 1.0), 0.0);
    }
}
