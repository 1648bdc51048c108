//! The export dialog.

use std::path::Path;

use eframe::egui::{Align, Context, Id, Key, Label, Layout, Modal, RichText, TextEdit, Ui, vec2};

use super::player::{ducking_word, loudness_targets};
use super::{Commands, status};
use crate::app::command::Command;
use crate::app::session::{ExportDialog, Lane, State, export_words, file_name};
use crate::app::theme;
use crate::app::widgets::choice::drop_down;
use crate::engine::export::ExportReport;
use crate::mix::DuckingPreset;
use crate::words;

pub(super) fn export_window(ctx: &Context, state: &State, commands: &mut Commands) {
    let Some(dialog) = &state.export else {
        return;
    };
    let modal = Modal::new(Id::unique("export"))
        .frame(super::settings::dialog_frame(ctx))
        .show(ctx, |ui| dialog_ui(ui, dialog, state, commands));
    if modal.should_close() {
        commands.push(Command::CloseExport);
    }
}

fn dialog_ui(ui: &mut Ui, dialog: &ExportDialog, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    ui.set_width(520.0);
    if let Some(report) = &dialog.done {
        return done_ui(ui, report, commands);
    }
    ui.label(RichText::new("Export the mix").font(theme::heading()));
    if let Some(candidate) = state.candidate() {
        let in_point_s = candidate.in_point_s.max(0.0);
        let text = format!("With {} from {}", candidate.title, words::clock(in_point_s));
        ui.label(RichText::new(text).color(tokens.muted));
    }
    let job = dialog
        .job
        .and_then(|id| state.jobs.iter().find(|job| job.id == id && job.is_running()));
    ui.add_space(4.0);
    ui.add_enabled_ui(job.is_none(), |ui| form_ui(ui, dialog, state, commands));
    if let Some(problem) = &dialog.problem {
        ui.label(RichText::new(problem).color(tokens.error));
    }
    ui.add_space(8.0);
    if let Some(job) = job {
        status::progress_bar(ui, job, 520.0);
        ui.horizontal(|ui| {
            ui.label(theme::small_text(status::job_words(job)).color(tokens.muted));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button("Cancel export").clicked() {
                    commands.push(Command::CancelJob(job.id));
                }
                if ui.button("Continue in the background").clicked() {
                    commands.push(Command::CloseExport);
                }
            });
        });
    } else if dialog.confirm {
        confirm_ui(ui, dialog, commands);
    } else {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let export = ui.add(theme::primary_button(tokens, "Export"));
            let enter = ui.input(|input| input.key_pressed(Key::Enter))
                && !ui.ctx().memory(|m| m.focused().is_some());
            if export.clicked() || enter {
                commands.push(Command::StartExport { overwrite: false });
            }
            if ui.button("Cancel").clicked() {
                commands.push(Command::CloseExport);
            }
        });
    }
}

/// The file is there: where, and what it is.
fn done_ui(ui: &mut Ui, report: &ExportReport, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    ui.label(RichText::new(format!("Exported {}", file_name(&report.out))).font(theme::heading()));
    ui.label(RichText::new(export_words(report)).color(tokens.muted));
    let path = report.out.display().to_string();
    ui.add(
        Label::new(theme::small_text(&path).color(tokens.dim))
            .selectable(true)
            .wrap(),
    );
    ui.add_space(8.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let close = ui.add(theme::primary_button(tokens, "Done"));
        let enter =
            ui.input(|input| input.key_pressed(Key::Enter)) && !ui.ctx().memory(|m| m.focused().is_some());
        if close.clicked() || enter {
            commands.push(Command::CloseExport);
        }
        if ui.button("Copy the path").clicked() {
            ui.ctx().copy_text(path);
        }
    });
}

fn form_ui(ui: &mut Ui, dialog: &ExportDialog, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    ui.horizontal(|ui| {
        let mut path = dialog.path.clone();
        let width = if state.dialogs { 416.0 } else { 520.0 };
        let field = TextEdit::singleline(&mut path)
            .desired_width(width)
            .margin(vec2(8.0, 5.0));
        if ui.add(field).accessible_name("File to write").changed() {
            commands.push(Command::SetExportPath(path));
        }
        if state.dialogs && ui.button("Browse…").clicked() {
            commands.push(Command::BrowseExport);
        }
    });
    ui.label(theme::small_text(container_words(Path::new(dialog.path.trim()))).color(tokens.muted));
    ui.add_space(4.0);
    let edit = state.history.edit();
    ui.horizontal(|ui| {
        let label = ui.label("Ducking");
        let presets = DuckingPreset::ALL.map(|preset| (preset, ducking_word(preset).to_owned()));
        let name = "Ducking of the export";
        if let Some(preset) = drop_down(ui, name, edit.mix.ducking, &presets, 90.0, Some(label.id)) {
            commands.push(Command::SetDucking(preset));
        }
        ui.add_space(12.0);
        let label = ui.label("Loudness");
        let current = edit.loudness_lufs.map(|lufs| lufs.round() as i32);
        let name = "Loudness of the export";
        if let Some(target) = drop_down(ui, name, current, &loudness_targets(), 110.0, Some(label.id)) {
            commands.push(Command::SetLoudness(target));
        }
    });
    ui.horizontal(|ui| {
        ui.label("Original music");
        // The ring that is not chosen has to be seen as well.
        ui.visuals_mut().widgets.inactive.bg_stroke.color = tokens.dim;
        let muted = edit.mix.original_muted;
        if ui.radio(muted, "replace it").clicked() && !muted {
            commands.push(Command::SetMuted(Lane::Original, true));
        }
        if ui.radio(!muted, "keep it").clicked() && muted {
            commands.push(Command::SetMuted(Lane::Original, false));
        }
    });
}

/// What the extension means for picture and sound.
fn container_words(path: &Path) -> &'static str {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    match extension.as_str() {
        "mp4" => "MPEG-4 with AAC sound; the picture is copied unchanged where MPEG-4 can hold it",
        "mkv" => "Matroska with Opus sound; the picture is copied unchanged",
        "webm" => "WebM with Opus sound; the picture is copied unchanged where WebM can hold it",
        "wav" => "The mix alone, as 32-bit WAV",
        _ => "End the name in .mp4, .mkv, .webm or .wav",
    }
}

fn confirm_ui(ui: &mut Ui, dialog: &ExportDialog, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let name = file_name(Path::new(&dialog.path));
    ui.label(theme::strong_text(format!("{name} is there already")));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        if ui
            .add(theme::primary_button(tokens, "Use another name"))
            .clicked()
        {
            commands.push(Command::RenameExport);
        }
        if ui.button("Replace it").clicked() {
            commands.push(Command::StartExport { overwrite: true });
        }
        if ui.button("Cancel").clicked() {
            commands.push(Command::CloseExport);
        }
    });
}
