//! How loud something is now, on a decibel scale.

use eframe::egui::{Color32, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::app::theme;

/// The quietest level that shows, dB.
const FLOOR_DB: f32 = -48.0;
/// From here on the sound is close to clipping, dB.
const HOT_DB: f32 = -1.0;

/// Part of the meter that a linear peak level fills, 0..=1.
fn filled(level: f32) -> f32 {
    let level_db = 20.0 * level.max(1e-6).log10();
    (1.0 - level_db / FLOOR_DB).clamp(0.0, 1.0)
}

/// The meter of the whole mix.
pub(in crate::app) fn level_meter(ui: &mut Ui, level: f32, size: Vec2) -> Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo {
        value: Some(f64::from(filled(level))),
        ..WidgetInfo::labeled(Role::Meter, true, "Level of the mix")
    });
    let tokens = theme::tokens(ui);
    let bar = Rect::from_center_size(rect.center(), Vec2::new(rect.width(), 12.0));
    ui.painter().rect_filled(bar, 3.0, tokens.track);
    let hot = 20.0 * level.max(1e-6).log10() > HOT_DB;
    let mut full = bar;
    full.set_width(bar.width() * filled(level));
    ui.painter()
        .rect_filled(full, 3.0, if hot { tokens.error } else { tokens.good });
    response.on_hover_text("Peak level of the mix, from −48 dB to full scale")
}

/// A thin upright meter beside a lane, in the lane's colour.
pub(in crate::app) fn lane_meter(ui: &Ui, rect: Rect, level: f32, colour: Color32) {
    let tokens = theme::tokens(ui);
    ui.painter().rect_filled(rect, 1.5, tokens.track);
    let mut full = rect;
    full.min.y = rect.max.y - rect.height() * filled(level);
    ui.painter().rect_filled(full, 1.5, colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_runs_from_the_floor_to_full_scale() {
        assert_eq!(filled(0.0), 0.0);
        assert_eq!(filled(1.0), 1.0);
        assert!((filled(10.0_f32.powf(-24.0 / 20.0)) - 0.5).abs() < 1e-3);
    }
}
