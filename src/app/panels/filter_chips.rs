//! The filter in force as chips with an x, and a + that offers more.

use eframe::egui::{
    Align2, Popup, Rect, Response, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2,
};

use super::Commands;
use crate::app::command::Command;
use crate::app::filter::{Part, TempoRange};
use crate::app::session::State;
use crate::app::theme;
use crate::app::widgets::icon::{self, Icon};

/// Tags offered at most.
const OFFERED: usize = 60;

/// Every part as a chip, and the +.
pub(super) fn chips_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
        for part in state.filter.parts().iter().filter(|part| **part != Part::Text) {
            if chip(ui, &part.label(&state.filter)).clicked() {
                commands.push(Command::SetFilter(state.filter.without(part)));
            }
        }
        add_ui(ui, state, commands);
    });
}

/// A tinted chip; a click takes it away.
pub(super) fn chip(ui: &mut Ui, text: &str) -> Response {
    let tokens = theme::tokens(ui);
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), theme::small(), tokens.text);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 32.0, 22.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Remove the filter {text}")));
    let edge = if response.hovered() {
        tokens.accent
    } else {
        tokens.tint_edge()
    };
    ui.painter().rect(
        rect,
        11.0,
        tokens.tint(),
        Stroke::new(1.0, edge),
        StrokeKind::Inside,
    );
    let at = Align2::LEFT_CENTER.anchor_size(rect.left_center() + vec2(10.0, 0.0), galley.size());
    ui.painter().galley(at.min, galley, tokens.text);
    icon::paint(
        ui.painter(),
        rect.right_center() - vec2(12.0, 0.0),
        Icon::Close,
        tokens.text,
    );
    theme::focus_ring(ui, rect, &response);
    response.on_hover_text("Click to remove")
}

fn add_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let (rect, button) = ui.allocate_exact_size(vec2(26.0, 22.0), Sense::click());
    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Add a filter"));
    let fill = if button.hovered() {
        tokens.hover
    } else {
        tokens.panel
    };
    ui.painter().rect(
        rect,
        11.0,
        fill,
        Stroke::new(1.0, tokens.line),
        StrokeKind::Inside,
    );
    plus(ui, rect);
    theme::focus_ring(ui, rect, &button);
    let button = button.on_hover_text("Add a filter");
    Popup::menu(&button).show(|ui| {
        ui.set_min_width(180.0);
        ScrollArea::vertical()
            .max_height(360.0)
            .show(ui, |ui| menu_ui(ui, state, commands));
    });
}

fn plus(ui: &Ui, rect: Rect) {
    let stroke = Stroke::new(1.2, theme::tokens(ui).muted);
    let at = rect.center();
    ui.painter()
        .line_segment([at - vec2(4.0, 0.0), at + vec2(4.0, 0.0)], stroke);
    ui.painter()
        .line_segment([at - vec2(0.0, 4.0), at + vec2(0.0, 4.0)], stroke);
}

fn menu_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let filter = &state.filter;
    let mut offer = |ui: &mut Ui, part: &Part, count: Option<usize>| {
        if filter.parts().contains(part) {
            return;
        }
        let text = match count {
            Some(count) => format!("{}  ({count})", part.label(filter)),
            None => part.label(filter),
        };
        if ui.button(text).clicked() {
            commands.push(Command::SetFilter(filter.with(part)));
            ui.close();
        }
    };
    offer(ui, &Part::Instrumental, None);
    offer(ui, &Part::Favourites, None);
    for range in TempoRange::ALL {
        offer(ui, &Part::Tempo(range), None);
    }
    if !state.library.tags.is_empty() {
        ui.separator();
    }
    for (tag, count) in state.library.tags.iter().take(OFFERED) {
        offer(ui, &Part::Tag(tag.clone()), Some(*count));
    }
}
