//! What is drawn where. Panels read the state and send commands; none blocks, decodes or changes the session.

mod drop_area;
mod export;
mod filter_chips;
mod jobs;
mod library;
mod menu;
mod models;
mod notes;
pub(super) mod palette;
mod path_prompt;
mod player;
mod settings;
mod shortcuts;
mod status;
mod suggestion_row;
mod suggestions;
mod timeline;
mod top;
mod training;

use eframe::egui::{CentralPanel, Frame, Margin, Panel, Ui};

use super::command::Command;
use super::session::State;
use super::state::{Tab, WindowState};
use super::theme;

/// What a panel sends its wishes to.
pub(super) type Commands = Vec<Command>;

/// Sizes that the user dragged, as they are in this frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measured {
    left_width: Option<f32>,
    right_width: Option<f32>,
    timeline_height: Option<f32>,
    size: Option<[f32; 2]>,
}

impl Measured {
    /// Keeps the sizes with the window's saved state.
    pub(super) fn keep(self, window: &mut WindowState) {
        let keep = |saved: &mut f32, now: Option<f32>| {
            if let Some(now) = now.filter(|now| (now - *saved).abs() >= 1.0) {
                *saved = now.round();
            }
        };
        keep(&mut window.left_width, self.left_width);
        keep(&mut window.right_width, self.right_width);
        keep(&mut window.timeline_height, self.timeline_height);
        if let Some(size) = self.size {
            window.size = size;
        }
    }
}

/// The whole window.
pub(super) fn window_ui(ui: &mut Ui, state: &State, commands: &mut Commands) -> Measured {
    let tokens = theme::tokens(ui);
    let bar = |fill| Frame::new().fill(fill).inner_margin(Margin::symmetric(12, 0));
    let column = Frame::new().fill(tokens.panel);
    let round = state.layout_round;
    let mut measured = Measured::default();
    let mut stage = ui.max_rect();

    Panel::top("top")
        .exact_size(44.0)
        .frame(bar(tokens.panel))
        .show(ui, |ui| top::top_ui(ui, state, commands));
    Panel::bottom("status")
        .exact_size(28.0)
        .frame(bar(tokens.panel))
        .show(ui, |ui| status::status_ui(ui, state, commands));

    let mut open = state.window.left_open;
    let shown = Panel::left(("left", round))
        .default_size(state.window.left_width)
        .size_range(220.0..=480.0)
        .frame(column)
        .show_collapsible(ui, &mut open, |ui| left_ui(ui, state, commands));
    measured.left_width = shown.map(|shown| shown.response.rect.width()).filter(|_| open);
    if open != state.window.left_open {
        commands.push(Command::ToggleLeft);
    }

    let mut open = state.window.right_open;
    let shown = Panel::right(("right", round))
        .default_size(state.window.right_width)
        .size_range(290.0..=560.0)
        .frame(column)
        .show_collapsible(ui, &mut open, |ui| {
            suggestions::suggestions_ui(ui, state, commands);
        });
    measured.right_width = shown.map(|shown| shown.response.rect.width()).filter(|_| open);
    if open != state.window.right_open {
        commands.push(Command::ToggleRight);
    }

    CentralPanel::no_frame().show(ui, |ui| {
        let mut open = state.window.timeline_open;
        let shown = Panel::bottom(("timeline", round))
            .default_size(state.window.timeline_height)
            .size_range(150.0..=420.0)
            .resizable(true)
            .frame(Frame::new().fill(tokens.raised))
            .show_collapsible(ui, &mut open, |ui| timeline::timeline_ui(ui, state, commands));
        measured.timeline_height = shown.map(|shown| shown.response.rect.height()).filter(|_| open);
        if open != state.window.timeline_open {
            commands.push(Command::ToggleTimeline);
        }
        Panel::bottom("transport")
            .exact_size(46.0)
            .frame(bar(tokens.panel))
            .show(ui, |ui| player::transport_ui(ui, state, commands));
        stage = ui.available_rect_before_wrap();
        CentralPanel::no_frame().show(ui, |ui| player::picture_ui(ui, state, commands));
    });

    let ctx = ui.ctx().clone();
    measured.size = Some(ctx.content_rect().size().into()).filter(|_| {
        !ctx.input(|input| {
            let viewport = input.viewport();
            viewport.maximized == Some(true)
                || viewport.fullscreen == Some(true)
                || viewport.minimized == Some(true)
        })
    });
    jobs::jobs_window(&ctx, state, commands);
    settings::settings_window(&ctx, state, commands);
    models::models_window(&ctx, state, commands);
    shortcuts::shortcuts_window(&ctx, state, commands);
    export::export_window(&ctx, state, commands);
    path_prompt::path_window(&ctx, state, commands);
    palette::palette_window(&ctx, state, commands);
    notes::notes_ui(&ctx, stage, state, commands);
    drop_area::drop_overlay(&ctx);
    measured
}

fn left_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    library::tabs_ui(ui, state, commands);
    match state.window.tab {
        Tab::Library => library::library_ui(ui, state, commands),
        Tab::Training => training::training_ui(ui, state, commands),
    }
}
