//! Device, model, look, and where everything is kept.

use eframe::egui::{self, Context, DragValue, Frame, Grid, Id, Modal, RichText, Ui, vec2};

use super::Commands;
use crate::app::command::Command;
use crate::app::session::{EngineState, State};
use crate::app::theme;
use crate::app::update::view::CACHE_GB;
use crate::app::widgets::choice::drop_down;
use crate::device::DeviceChoice;
use crate::engine::models::Installed;
use crate::settings::ThemeChoice;
use crate::words;

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
    if let Some(device) = drop_down(ui, "Compute on", state.device(), &devices, 300.0, Some(label.id)) {
        commands.push(Command::SetDevice(device));
    }
    ui.end_row();

    let usable: Vec<&Installed> = state.models.usable().collect();
    let mut packs: Vec<(usize, String)> = usable
        .iter()
        .enumerate()
        .map(|(at, pack)| (at, format!("{} {} ({})", pack.name, pack.version, pack.licence)))
        .collect();
    let current = usable
        .iter()
        .position(|pack| pack.name == state.pack() || pack.folder.to_str() == Some(state.pack()))
        .unwrap_or_else(|| {
            packs.push((usize::MAX, format!("{} (not found)", state.pack())));
            usize::MAX
        });
    let label = ui.label("Model");
    ui.horizontal(|ui| {
        if let Some(at) = drop_down(ui, "Model", current, &packs, 300.0, Some(label.id))
            && let Some(pack) = usable.get(at)
        {
            commands.push(Command::UsePack(pack.name.clone()));
        }
        if ui.button("Manage…").accessible_name("Manage models…").clicked() {
            commands.push(Command::ShowSettings(false));
            commands.push(Command::ShowModels(true));
        }
    });
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
    cache_ui(ui, state, commands);
}

/// How much room the cache may take, how much it takes, and a way to be rid of it.
fn cache_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let label = ui.label("Keep stems up to");
    ui.horizontal(|ui| {
        let mut gigabytes = state.settings.cache_gb;
        let number = DragValue::new(&mut gigabytes).range(CACHE_GB).suffix(" GB");
        if ui.add(number).labelled_by(label.id).changed() {
            commands.push(Command::SetCacheSize(gigabytes));
        }
        if let Some(bytes) = state.cache_bytes {
            let text = format!("{} in use", words::bytes(bytes));
            ui.label(theme::small_text(text).color(theme::tokens(ui).muted));
        }
        let clear = ui.button("Clear the cache");
        let hint = "Deletes the stems of videos that are not open; they are made again when needed";
        if clear.on_hover_text(hint).clicked() {
            commands.push(Command::ClearCache);
        }
    });
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
    let (library, packs) = (state.library_path(), state.folders.packs());
    let rows = [
        ("Library", &library),
        ("Models", &packs),
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
