//! Time along the timeline: ruler, pictures, the window asked for, marks.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, Painter, Pos2, Rect, Stroke, StrokeKind, pos2, vec2,
};

use crate::app::session::{Clip, State};
use crate::app::theme::{self, Tokens};
use crate::words;

/// Where a time is on the screen.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub(super) area: Rect,
    /// The first time that is shown, and how much is.
    pub(super) start_s: f64,
    pub(super) span_s: f64,
    /// Length of the clip.
    pub(super) duration_s: f64,
}

impl Scale {
    pub(super) fn x(&self, time_s: f64) -> f32 {
        let part = if self.span_s > 0.0 {
            ((time_s - self.start_s) / self.span_s) as f32
        } else {
            0.0
        };
        self.area.left() + self.area.width() * part
    }

    pub(super) fn time_s(&self, x: f32) -> f64 {
        self.time_at(((x - self.area.left()) / self.area.width()).clamp(0.0, 1.0))
    }

    /// The time at a place in 0..=1 of the width.
    pub(super) fn time_at(&self, part: f32) -> f64 {
        self.start_s + f64::from(part) * self.span_s
    }

    /// Whether a time is in sight.
    pub(super) fn shows(&self, time_s: f64) -> bool {
        (self.start_s..=self.start_s + self.span_s).contains(&time_s)
    }
}

/// Seconds between two labels, so that they stand at least this many points apart.
fn ruler_step_s(span_s: f64, width: f32) -> f64 {
    const STEPS: [f64; 17] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
    ];
    let least = f64::from(72.0 / width.max(1.0)) * span_s;
    STEPS.into_iter().find(|step| *step >= least).unwrap_or(3600.0)
}

pub(super) fn ruler(painter: &Painter, scale: Scale, top: f32, tokens: &Tokens) {
    let step_s = ruler_step_s(scale.span_s, scale.area.width());
    let first = (scale.start_s / step_s).floor().max(0.0) as u64;
    let end_s = (scale.start_s + scale.span_s).min(scale.duration_s);
    for step in first.. {
        let at_s = step as f64 * step_s;
        if at_s >= end_s {
            break;
        }
        let x = scale.x(at_s);
        painter.vline(x, top + 10.0..=top + 24.0, Stroke::new(1.0, tokens.line));
        if x + 40.0 < scale.area.right() {
            let text = if step_s < 1.0 {
                words::fine_clock(at_s)
            } else {
                words::clock(at_s)
            };
            painter.text(
                pos2(x + 5.0, top + 17.0),
                Align2::LEFT_CENTER,
                text,
                theme::small(),
                tokens.muted,
            );
        }
    }
}

/// The 32 s that music is suggested for.
pub(super) fn window_bar(painter: &Painter, scale: Scale, state: &State, top: f32, tokens: &Tokens) {
    let start = scale.x(state.history.edit().window_start_s);
    let end = scale.x(state.window_end_s());
    let bar = Rect::from_x_y_ranges(start..=end.max(start + 3.0), top + 2.0..=top + 6.0);
    painter.rect_filled(bar, 2.0, tokens.accent.gamma_multiply(0.5));
}

pub(super) fn thumbnails(painter: &Painter, clip: &Clip, scale: Scale, strip: Rect) {
    let count = clip.thumbnails.len();
    if strip.height() < 8.0 || count == 0 || scale.duration_s <= 0.0 {
        return;
    }
    let painter = painter.with_clip_rect(strip.intersect(painter.clip_rect()));
    let size = clip.thumbnails[0].size_vec2();
    let tile = (strip.height() * size.x / size.y.max(1.0)).max(8.0);
    let tiles = (strip.width() / tile).ceil() as usize;
    for at in 0..tiles {
        let left = strip.left() + at as f32 * tile;
        let time_s = scale.time_at((left + tile / 2.0 - strip.left()) / strip.width());
        let part = (time_s / scale.duration_s) as f32;
        let texture = &clip.thumbnails[((part * count as f32) as usize).min(count - 1)];
        let rect = Rect::from_min_size(pos2(left, strip.top()), vec2(tile, strip.height()));
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture.id(), rect, whole, Color32::WHITE.gamma_multiply(0.85));
    }
}

pub(super) fn marks(painter: &Painter, scale: Scale, state: &State, tokens: &Tokens) {
    let marks = state.history.edit().marks;
    if let (Some(in_s), Some(out_s)) = (marks.in_s, marks.out_s) {
        let span = Rect::from_x_y_ranges(scale.x(in_s)..=scale.x(out_s), scale.area.y_range());
        painter.rect_filled(span, 0.0, tokens.accent.gamma_multiply(0.06));
    }
    for (at_s, letter) in [(marks.in_s, "I"), (marks.out_s, "O")] {
        let Some(at_s) = at_s else { continue };
        let x = scale.x(at_s);
        painter.vline(x, scale.area.y_range(), Stroke::new(1.0, tokens.muted));
        let flag = if letter == "I" {
            pos2(x, scale.area.top() + 8.0)
        } else {
            pos2(x - 12.0, scale.area.top() + 8.0)
        };
        let flag = Rect::from_min_size(flag, vec2(12.0, 14.0));
        painter.rect(
            flag,
            CornerRadius::same(2),
            tokens.muted,
            Stroke::NONE,
            StrokeKind::Inside,
        );
        painter.text(
            flag.center(),
            Align2::CENTER_CENTER,
            letter,
            egui::FontId::proportional(10.0),
            tokens.panel,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_on_the_ruler_keep_their_distance() {
        for (duration_s, width, expected) in [
            (3.0, 670.0, 0.5),
            (33.0, 670.0, 4.0),
            (600.0, 670.0, 120.0),
            (7200.0, 670.0, 900.0),
        ] {
            assert_eq!(ruler_step_s(duration_s, width), expected);
        }
    }

    #[test]
    fn times_and_places_match() {
        let mut scale = Scale {
            area: Rect::from_min_size(pos2(100.0, 0.0), vec2(200.0, 10.0)),
            start_s: 0.0,
            span_s: 50.0,
            duration_s: 50.0,
        };
        assert_eq!(scale.x(25.0), 200.0);
        assert_eq!(scale.time_s(200.0), 25.0);
        assert_eq!(scale.time_s(0.0), 0.0);
        scale.start_s = 20.0;
        scale.span_s = 10.0;
        assert_eq!(scale.x(25.0), 200.0);
        assert_eq!(scale.time_s(0.0), 20.0);
        assert!(scale.shows(30.0) && !scale.shows(31.0));
    }
}
