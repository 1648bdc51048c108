//! Music for the current window: the question, its answer, and what to do where there is none.

use eframe::egui::{
    self, Align, Align2, Layout, Popup, Rect, RectAlign, RichText, ScrollArea, Sense, Stroke, Ui, UiBuilder,
    pos2, vec2,
};

use super::{Commands, filter_chips, suggestion_row};
use crate::app::command::Command;
use crate::app::session::{Asking, State, WINDOW_S};
use crate::app::widgets::balance::balance_slider;
use crate::app::widgets::icon::menu_button;
use crate::app::{keys, theme};
use crate::words;

/// Windows listed in the menu at most.
const WINDOWS: usize = 240;

pub(super) fn suggestions_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.spacing_mut().item_spacing.y = 0.0;
    header_ui(ui, state, commands);
    balance_ui(ui, state, commands);
    if !state.filter.is_empty() {
        filter_ui(ui, state, commands);
    }
    let footer = 40.0;
    let list = Rect::from_min_max(ui.cursor().min, ui.max_rect().max - vec2(0.0, footer));
    ui.scope_builder(UiBuilder::new().max_rect(list), |ui| {
        if state.suggestions.rows.is_empty() {
            ui.ctx()
                .data_mut(|data| data.insert_temp(keys::list_focus_id(), false));
            empty_ui(ui, state, commands);
        } else {
            list_ui(ui, state, commands);
        }
    });
    let bottom = Rect::from_min_max(pos2(list.left(), list.bottom()), ui.max_rect().max);
    footer_ui(ui, bottom, state);
}

fn header_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let (bar, _) = ui.allocate_exact_size(vec2(ui.available_width(), 40.0), Sense::hover());
    let inside = bar.shrink2(vec2(14.0, 0.0));
    let mut left = ui.new_child(
        UiBuilder::new()
            .max_rect(inside)
            .layout(Layout::left_to_right(Align::Center)),
    );
    let title = if state.has_clip() {
        let start_s = state.history.edit().window_start_s;
        format!(
            "Music for {} – {}",
            words::clock(start_s),
            words::clock(state.window_end_s())
        )
    } else {
        "Music".to_owned()
    };
    left.label(theme::strong_text(title));
    let mut right = ui.new_child(
        UiBuilder::new()
            .max_rect(inside)
            .layout(Layout::right_to_left(Align::Center)),
    );
    right.add_enabled_ui(state.has_clip(), |ui| {
        let button = menu_button(ui, "Part of the video", "Part of the video");
        let button = button.on_hover_text("Which 32 s music is suggested for");
        Popup::menu(&button)
            .align(RectAlign::BOTTOM_END)
            .show(|ui| windows_ui(ui, state, commands));
    });
    ui.painter()
        .hline(bar.x_range(), bar.bottom(), Stroke::new(1.0, tokens.line));
}

fn windows_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.set_min_width(220.0);
    for (command, label) in [
        (Command::WindowFromPlayhead, "From the playhead"),
        (Command::WindowFromMark, "From the in mark"),
    ] {
        if ui
            .add_enabled(command.enabled(state), egui::Button::new(label))
            .clicked()
        {
            commands.push(command);
            ui.close();
        }
    }
    ui.separator();
    let duration_s = state
        .clip
        .as_ref()
        .map_or(0.0, crate::app::session::Clip::duration_s);
    let current_s = state.history.edit().window_start_s;
    ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
        for at in 0..WINDOWS {
            let start_s = at as f64 * WINDOW_S;
            if at > 0 && start_s + 1.0 > duration_s {
                break;
            }
            let end_s = (start_s + WINDOW_S).min(duration_s);
            let text = format!("{} – {}", words::clock(start_s), words::clock(end_s));
            if ui
                .selectable_label((current_s - start_s).abs() < 0.01, text)
                .clicked()
            {
                commands.push(Command::SetWindow(start_s));
                ui.close();
            }
        }
    });
}

/// Which of the two decides more.
fn balance_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let (bar, _) = ui.allocate_exact_size(vec2(ui.available_width(), 34.0), Sense::hover());
    let mut child = ui.new_child(
        UiBuilder::new()
            .max_rect(bar.shrink2(vec2(14.0, 0.0)))
            .layout(Layout::left_to_right(Align::Center)),
    );
    child.label(theme::small_text("picture").color(tokens.muted));
    let width = child.available_width() - 40.0;
    if let Some(balance) = balance_slider(&mut child, state.settings.balance, width) {
        commands.push(Command::SetBalance(balance));
    }
    child.label(theme::small_text("voice").color(tokens.muted));
}

/// The filter narrows the suggestions too; say so here, where it matters.
fn filter_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    egui::Frame::new()
        .inner_margin(egui::Margin {
            left: 14,
            right: 14,
            top: 0,
            bottom: 8,
        })
        .show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(6.0, 6.0);
                ui.label(theme::small_text("Only").color(theme::tokens(ui).muted));
                for part in &state.filter.parts() {
                    if filter_chips::chip(ui, &part.label(&state.filter)).clicked() {
                        commands.push(Command::SetFilter(state.filter.without(part)));
                    }
                }
            });
        });
}

fn list_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let rows = state.suggestions.rows.len();
    let selected = state.suggestions.selected;
    let scroll_id = egui::Id::unique("suggestions");
    // The selection moved by the keyboard is brought into view once.
    let seen_id = scroll_id.with("seen");
    let seen: Option<usize> = ui.ctx().data(|data| data.get_temp(seen_id)).flatten();
    let moved = selected != seen;
    ui.ctx().data_mut(|data| data.insert_temp(seen_id, selected));
    let mut has_focus = false;
    ScrollArea::vertical()
        .id_salt(scroll_id)
        .auto_shrink(false)
        .show_viewport(ui, |ui, viewport| {
            let height = suggestion_row::HEIGHT;
            ui.set_height(height * rows as f32);
            let origin = ui.max_rect().min;
            let first = (viewport.min.y / height).floor().max(0.0) as usize;
            let last = ((viewport.max.y / height).ceil() as usize).min(rows);
            for at in first..last {
                let rect = Rect::from_min_size(
                    pos2(origin.x, origin.y + at as f32 * height),
                    vec2(ui.max_rect().width(), height),
                );
                has_focus |= suggestion_row::row_ui(ui, rect, at, state, commands);
            }
            if let Some(at) = selected.filter(|_| moved) {
                let rect =
                    Rect::from_min_size(pos2(origin.x, origin.y + at as f32 * height), vec2(10.0, height));
                ui.scroll_to_rect(rect, None);
            }
        });
    ui.ctx()
        .data_mut(|data| data.insert_temp(keys::list_focus_id(), has_focus));
}

/// No suggestion to show: why, and what to do.
fn empty_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    egui::Frame::new()
        .inner_margin(egui::Margin::symmetric(20, 28))
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 8.0;
            ui.set_width(ui.available_width());
            ui.vertical_centered(|ui| empty_words(ui, state, commands));
        });
}

fn empty_words(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let mut say = |ui: &mut Ui, heading: &str, text: &str, action: Option<(&str, Command)>| {
        ui.label(theme::strong_text(heading));
        ui.label(RichText::new(text).color(tokens.muted));
        if let Some((label, command)) = action
            && ui.button(label).clicked()
        {
            commands.push(command);
        }
    };
    let library = &state.library;
    match &state.suggestions.asking {
        Asking::Failed(sentence) => {
            say(
                ui,
                "No suggestions this time",
                sentence,
                Some(("Try again", Command::AskAgain)),
            );
        }
        _ if !state.has_clip() => {
            say(
                ui,
                "Suggestions appear here",
                "Open a video: each track that fits is listed with its reason.",
                None,
            );
        }
        _ if library.loaded && library.usable() == 0 && library.indexing.is_none() => {
            say(
                ui,
                "There is no music yet",
                "Undertone suggests from your own tracks.",
                Some(("Add music folder…", Command::AddMusicFolder)),
            );
        }
        _ if library.indexing.is_some() && library.usable() == 0 => {
            say(
                ui,
                "Listening to your music",
                "The first suggestions come with the first tracks.",
                None,
            );
        }
        Asking::Answered if !state.filter.is_empty() => {
            let parts = state.filter.parts();
            let text = "No track has all of this. Drop a part of the filter above, or all of it.";
            let label = if parts.len() == 1 {
                "Clear the filter"
            } else {
                "Clear all filters"
            };
            say(
                ui,
                "Nothing fits the filter",
                text,
                Some((label, Command::ClearFilter)),
            );
        }
        Asking::Answered => {
            say(
                ui,
                "Nothing found",
                "No usable track is left: hidden and missing ones are not suggested.",
                Some(("Add music folder…", Command::AddMusicFolder)),
            );
        }
        Asking::Idle | Asking::Running => {
            say(
                ui,
                "Listening and looking",
                "The voice and the picture of these 32 s are being compared.",
                None,
            );
        }
    }
}

fn footer_ui(ui: &Ui, bar: Rect, state: &State) {
    let tokens = theme::tokens(ui);
    let painter = ui.painter();
    painter.hline(bar.x_range(), bar.top(), Stroke::new(1.0, tokens.line));
    let text = match state.suggestions.asking {
        Asking::Running if !state.suggestions.rows.is_empty() => "Asking again…",
        _ => "",
    };
    let small = theme::small();
    painter.text(
        bar.left_center() + vec2(14.0, 0.0),
        Align2::LEFT_CENTER,
        text,
        small.clone(),
        tokens.muted,
    );
    let hint = "↑ ↓ listen · Enter use · Esc stop";
    painter.text(
        bar.right_center() - vec2(14.0, 0.0),
        Align2::RIGHT_CENTER,
        hint,
        small,
        tokens.dim,
    );
}
