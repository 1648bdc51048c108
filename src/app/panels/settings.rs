//! Device, model, look, and where everything is kept.

use eframe::egui::{self, Context, DragValue, Frame, Grid, Id, Modal, RichText, Ui, vec2};

use super::Commands;
use crate::app::command::Command;
use crate::app::session::{EngineState, State};
use crate::app::theme;
use crate::app::widgets::choice::drop_down;
use crate::device::DeviceChoice;
use crate::settings::ThemeChoice;

/// The frame of every dialog.
pub(super) fn dialog_frame(ctx: &Context) -> Frame {
    Frame::window(&ctx.global_style()).inner_margin(20.0)
}

pub(super) fn settings_window(ctx: &Context, state: &State, commands: &mut Commands) {
    if !state.show_settings {
        return;
    }
    let modal = Modal::new(Id::unique("settings"))
        .frame(dialog_frame(ctx))
        .show(ctx, |ui| {
            ui.set_width(560.0);
            ui.label(RichText::new("Settings").font(theme::heading()));
            ui.add_space(4.0);
            Grid::new("settings")
                .num_columns(2)
                .spacing(vec2(20.0, 10.0))
                .show(ui, |ui| form_ui(ui, state, commands));
            engine_words(ui, state);
            ui.add_space(8.0);
            folders_ui(ui, state);
            ui.add_space(8.0);
            ui.vertical_centered(|ui| {
                if ui.button("Close").clicked() {
                    commands.push(Command::ShowSettings(false));
                }
            });
        });
    if modal.should_close() {
        commands.push(Command::ShowSettings(false));
    }
}

fn form_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let settings = &state.settings;
    let devices = DeviceChoice::ALL.map(|device| (device, device_word(device).to_owned()));
    let label = ui.label("Compute on");
    if let Some(device) = drop_down(ui, "Compute on", settings.device, &devices, 300.0, Some(label.id)) {
        commands.push(Command::SetDevice(device));
    }
    ui.end_row();

    let mut packs: Vec<(usize, String)> = state
        .packs
        .iter()
        .enumerate()
        .map(|(at, pack)| (at, format!("{} {} ({})", pack.name, pack.version, pack.licence)))
        .collect();
    let current = state
        .packs
        .iter()
        .position(|pack| pack.name == settings.pack || pack.folder.to_str() == Some(&settings.pack))
        .unwrap_or_else(|| {
            packs.push((usize::MAX, format!("{} (not found)", settings.pack)));
            usize::MAX
        });
    let label = ui.label("Model");
    if let Some(at) = drop_down(ui, "Model", current, &packs, 300.0, Some(label.id))
        && let Some(pack) = state.packs.get(at)
    {
        commands.push(Command::UsePack(pack.name.clone()));
    }
    ui.end_row();

    let themes = [ThemeChoice::System, ThemeChoice::Dark, ThemeChoice::Light];
    let themes = themes.map(|theme| (theme, theme_word(theme).to_owned()));
    let label = ui.label("Theme");
    if let Some(theme) = drop_down(ui, "Theme", settings.theme, &themes, 300.0, Some(label.id)) {
        commands.push(Command::SetTheme(theme));
    }
    ui.end_row();

    let label = ui.label("Suggestions");
    let mut top = settings.top;
    if ui
        .add(DragValue::new(&mut top).range(1..=50))
        .labelled_by(label.id)
        .changed()
    {
        commands.push(Command::SetTop(top));
    }
    ui.end_row();
}

fn device_word(device: DeviceChoice) -> &'static str {
    match device {
        DeviceChoice::Auto => "the best there is",
        DeviceChoice::Cpu => "the CPU",
        DeviceChoice::Cuda => "CUDA (NVIDIA)",
        DeviceChoice::Metal => "Metal (Apple)",
    }
}

fn theme_word(theme: ThemeChoice) -> &'static str {
    match theme {
        ThemeChoice::System => "as the system",
        ThemeChoice::Dark => "dark",
        ThemeChoice::Light => "light",
    }
}

fn engine_words(ui: &mut Ui, state: &State) {
    let tokens = theme::tokens(ui);
    match &state.engine {
        EngineState::Opening => {
            ui.label(RichText::new("Opening the model…").color(tokens.muted));
        }
        EngineState::Failed(sentence) => {
            ui.label(RichText::new(sentence).color(tokens.error));
        }
        EngineState::Ready(engine) => {
            if let Some(reason) = &engine.device().reason {
                ui.label(theme::small_text(format!("On the CPU because {reason}")).color(tokens.muted));
            }
            let provenance = &engine.pack().manifest.provenance;
            ui.add(egui::Label::new(theme::small_text(provenance).color(tokens.dim)).wrap());
        }
    }
}

fn folders_ui(ui: &mut Ui, state: &State) {
    let tokens = theme::tokens(ui);
    ui.label(theme::strong_text("Where everything is kept"));
    let rows = [
        ("Library and models", &state.folders.data),
        ("Stems and pictures, may be deleted", &state.folders.cache),
        ("Settings", &state.folders.config),
    ];
    Grid::new("folders")
        .num_columns(2)
        .spacing(vec2(16.0, 4.0))
        .show(ui, |ui| {
            for (what, folder) in rows {
                ui.label(theme::small_text(what).color(tokens.muted));
                let text = theme::small_text(folder.display().to_string());
                ui.add(egui::Label::new(text).selectable(true).truncate());
                ui.end_row();
            }
        });
}
