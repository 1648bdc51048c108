//! Notes over the lower right of the picture, each with an x.

use eframe::egui::{
    Align, Align2, Area, Context, Frame, Id, Layout, Margin, Order, Rect, RichText, Stroke, Ui, vec2,
};

use super::Commands;
use crate::app::command::Command;
use crate::app::notes::{Note, NoteKind};
use crate::app::session::State;
use crate::app::theme;
use crate::app::widgets::icon::{Icon, sized_icon_button};

const WIDTH: f32 = 380.0;

/// At the foot of `stage`, where they hide neither the sound nor the lists.
pub(super) fn notes_ui(ctx: &Context, stage: Rect, state: &State, commands: &mut Commands) {
    if state.notes.list().is_empty() {
        return;
    }
    Area::new(Id::unique("notes"))
        .order(Order::Foreground)
        .pivot(Align2::CENTER_BOTTOM)
        .fixed_pos(stage.center_bottom() - vec2(0.0, 8.0))
        .show(ctx, |ui| {
            ui.set_width(WIDTH);
            for note in state.notes.list() {
                note_ui(ui, note, commands);
            }
        });
}

fn note_ui(ui: &mut Ui, note: &Note, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let colour = match note.kind {
        NoteKind::Info => tokens.muted,
        NoteKind::Good => tokens.good,
        NoteKind::Error => tokens.error,
    };
    let frame = Frame::new()
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.line))
        .corner_radius(theme::CARD_RADIUS)
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(Margin {
            left: 14,
            right: 8,
            top: 8,
            bottom: 8,
        });
    let shown = frame.show(ui, |ui| {
        ui.set_width(WIDTH - 22.0);
        ui.with_layout(Layout::right_to_left(Align::TOP), |ui| {
            if sized_icon_button(ui, Icon::Close, "Dismiss", true, vec2(22.0, 22.0)).clicked() {
                commands.push(Command::DismissNote(note.id));
            }
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.add(eframe::egui::Label::new(RichText::new(&note.text).color(tokens.text)).wrap());
                if let Some((label, command)) = &note.action
                    && ui.button(label).clicked()
                {
                    commands.push(command.clone());
                    commands.push(Command::DismissNote(note.id));
                }
            });
        });
    });
    let rect = shown.response.rect;
    let edge = eframe::egui::Rect::from_min_size(rect.min + vec2(0.0, 6.0), vec2(3.0, rect.height() - 12.0));
    ui.painter().rect_filled(edge, 1.5, colour);
}
