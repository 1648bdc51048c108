//! The menu: every command under its heading, with its shortcut.

use eframe::egui::{Button, Popup, RectAlign, Response, RichText, ScrollArea, Ui};

use super::Commands;
use crate::app::command::{Category, Command, LISTED, Listed, keys_text};
use crate::app::session::State;
use crate::app::theme;

/// Opens under `button`.
pub(super) fn menu_popup(button: &Response, state: &State, commands: &mut Commands) {
    Popup::menu(button).align(RectAlign::BOTTOM_START).show(|ui| {
        ui.set_min_width(140.0);
        for category in Category::ALL {
            ui.menu_button(category.label(), |ui| {
                ScrollArea::vertical().max_height(560.0).show(ui, |ui| {
                    ui.set_min_width(280.0);
                    for listed in LISTED.iter().filter(|listed| listed.category == category) {
                        item_ui(ui, listed, state, commands);
                    }
                });
            });
        }
    });
}

fn item_ui(ui: &mut Ui, listed: &Listed, state: &State, commands: &mut Commands) {
    let label = label_of(listed, state);
    let shortcut = listed
        .shortcuts
        .first()
        .map(|shortcut| keys_text(ui.ctx(), *shortcut))
        .unwrap_or_default();
    let button = Button::new(label).shortcut_text(RichText::new(shortcut).color(theme::tokens(ui).dim));
    if ui.add_enabled(listed.command.enabled(state), button).clicked() {
        commands.push(listed.command.clone());
        ui.close();
    }
}

/// The label, with what would be undone or redone.
pub(super) fn label_of(listed: &Listed, state: &State) -> String {
    let what = match listed.command {
        Command::Undo => state.history.undo_label(),
        Command::Redo => state.history.redo_label(),
        _ => None,
    };
    match what {
        Some(what) => format!("{} “{what}”", listed.label),
        None => listed.label.to_owned(),
    }
}
