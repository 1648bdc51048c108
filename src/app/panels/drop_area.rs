//! Where things can be dropped, and how it looks when something hovers there.

use eframe::egui::{Align2, Context, Id, LayerId, Order, Stroke, StrokeKind};

use crate::app::theme;

/// Over the whole window while files are dragged over it.
pub(super) fn drop_overlay(ctx: &Context) {
    let hovering = ctx.input(|input| input.raw.hovered_files.len());
    if hovering == 0 {
        return;
    }
    let tokens = if ctx.global_style().visuals.dark_mode {
        &theme::DARK
    } else {
        &theme::LIGHT
    };
    let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::unique("drop overlay")));
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0.0, tokens.background.gamma_multiply(0.85));
    let edge = Stroke::new(2.0, tokens.accent);
    painter.rect_stroke(rect.shrink(16.0), theme::CARD_RADIUS, edge, StrokeKind::Inside);
    let text = if hovering == 1 {
        "Drop a video to open it, or music to add it"
    } else {
        "Drop music to add it"
    };
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        text,
        theme::heading(),
        tokens.text,
    );
}
