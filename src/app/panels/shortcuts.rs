//! The cheat sheet: every shortcut on one page.

use eframe::egui::{Context, Frame, Grid, Id, Modal, RichText, ScrollArea, Ui, vec2};

use super::Commands;
use crate::app::command::{Category, Command, LISTED, keys_text};
use crate::app::session::State;
use crate::app::theme;

pub(super) fn shortcuts_window(ctx: &Context, state: &State, commands: &mut Commands) {
    if !state.show_shortcuts {
        return;
    }
    let most = ctx.content_rect().height() - 160.0;
    let modal = Modal::new(Id::unique("shortcuts"))
        .frame(super::settings::dialog_frame(ctx))
        .show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 120.0).min(1040.0));
            ui.spacing_mut().interact_size.y = 18.0;
            ui.label(RichText::new("Keyboard shortcuts").font(theme::heading()));
            ui.add_space(4.0);
            ScrollArea::vertical().max_height(most).show(ui, |ui| {
                ui.columns(3, |columns| {
                    let left = [Category::Play, Category::Edit, Category::Help];
                    let middle = [Category::Music, Category::Mix];
                    let right = [Category::File, Category::View];
                    left.into_iter()
                        .for_each(|category| category_ui(&mut columns[0], category));
                    middle
                        .into_iter()
                        .for_each(|category| category_ui(&mut columns[1], category));
                    right
                        .into_iter()
                        .for_each(|category| category_ui(&mut columns[2], category));
                });
            });
            ui.add_space(8.0);
            ui.vertical_centered(|ui| {
                if ui.button("Close").clicked() {
                    commands.push(Command::ShowShortcuts(false));
                }
            });
        });
    if modal.should_close() {
        commands.push(Command::ShowShortcuts(false));
    }
}

fn category_ui(ui: &mut Ui, category: Category) {
    let tokens = theme::tokens(ui);
    ui.label(theme::strong_text(category.label()));
    Grid::new(("shortcuts", category.label()))
        .num_columns(2)
        .spacing(vec2(12.0, 4.0))
        .show(ui, |ui| {
            for listed in LISTED.iter().filter(|listed| listed.category == category) {
                if listed.shortcuts.is_empty() {
                    continue;
                }
                ui.horizontal(|ui| {
                    ui.set_min_width(112.0);
                    for shortcut in listed.shortcuts {
                        let keys = keys_text(ui.ctx(), *shortcut);
                        Frame::new()
                            .fill(tokens.raised)
                            .corner_radius(4.0)
                            .inner_margin(vec2(6.0, 1.0))
                            .show(ui, |ui| {
                                ui.label(theme::small_text(keys));
                            });
                    }
                });
                ui.label(theme::small_text(listed.label).color(tokens.muted));
                ui.end_row();
            }
        });
    ui.add_space(8.0);
}
