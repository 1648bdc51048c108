//! The model manager: every pack and every network that can be fetched, with licence, size, checksum, origin and state.

mod import;
mod row;

use eframe::egui::{self, Align, Button, Context, Id, Layout, Modal, RichText, ScrollArea, Ui, vec2};

use self::row::{Columns, Row, checksum_ui, row_ui};
use super::{Commands, status};
use crate::app::command::Command;
use crate::app::session::{EngineState, JobLine, State, Subject};
use crate::app::theme;
use crate::app::widgets::icon::{Icon, icon_button};
use crate::engine::models::{Available, Installed};
use crate::jobs::JobId;
use crate::words;

/// Widest that the table gets, points.
const WIDTH: f32 = 1040.0;

pub(super) fn models_window(ctx: &Context, state: &State, commands: &mut Commands) {
    if !state.models.shown {
        return;
    }
    let room = ctx.content_rect();
    // A dialog keeps the size it had, so the form is one of its own.
    let id = match &state.models.import {
        Some(_) => "import a network",
        None => "models",
    };
    let modal = Modal::new(Id::unique(id))
        .frame(super::settings::dialog_frame(ctx))
        .show(ctx, |ui| {
            if let Some(form) = &state.models.import {
                import::import_ui(ui, form, state, commands);
            } else {
                ui.set_width(WIDTH.min(room.width() - 80.0));
                list_ui(ui, room.height() - 210.0, state, commands);
            }
        });
    if modal.should_close() {
        commands.push(match &state.models.import {
            Some(_) => Command::CloseImport,
            None => Command::ShowModels(false),
        });
    }
}

fn list_ui(ui: &mut Ui, height: f32, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    head_ui(ui, state, commands);
    ui.add(egui::Label::new(RichText::new(in_words(state)).color(tokens.muted)).wrap());
    ui.add_space(4.0);
    let columns = Columns::of(ui.available_width());
    columns.head_ui(ui);
    ScrollArea::vertical()
        .max_height(height)
        .min_scrolled_height(height)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for pack in &state.models.inventory.packs {
                pack_ui(ui, &columns, pack, state, commands);
            }
            ui.add_space(16.0);
            ui.label(theme::strong_text("To download"));
            ui.add_space(4.0);
            if let Some(problem) = &state.models.inventory.problem {
                ui.label(RichText::new(problem).color(tokens.error));
            }
            for line in &state.models.inventory.sources {
                source_ui(ui, &columns, line, state, commands);
            }
        });
}

fn head_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.horizontal(|ui| {
        ui.label(RichText::new("Models").font(theme::heading()));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, Icon::Close, "Close the models", true).clicked() {
                commands.push(Command::ShowModels(false));
            }
            let import = Command::ImportModel;
            if ui
                .add_enabled(import.enabled(state), Button::new("Import a network…"))
                .clicked()
            {
                commands.push(import);
            }
            if let Some(job) = running(state, state.models.verifying) {
                if ui.button("Cancel").clicked() {
                    commands.push(Command::CancelJob(job.id));
                }
                status::progress_bar(ui, job, 100.0);
                ui.label(theme::small_text(status::job_words(job)).color(theme::tokens(ui).muted));
            } else {
                let hint = "Reads every file through and compares it with its sha256";
                if ui.button("Verify all").on_hover_text(hint).clicked() {
                    commands.push(Command::VerifyModels);
                }
            }
            if let Some(before) = &state.window.previous_pack
                && ui.button(format!("Back to {before}")).clicked()
            {
                commands.push(Command::RollBack);
            }
        });
    });
}

fn in_words(state: &State) -> String {
    match &state.engine {
        EngineState::Ready(engine) => format!(
            "A model holds all networks. A network that is imported or downloaded makes a new model: a copy of {} with \
             that network in place of its own.",
            engine.pack().manifest.name
        ),
        EngineState::Opening => "Opening the model…".to_owned(),
        EngineState::Failed(sentence) => sentence.clone(),
    }
}

fn running(state: &State, job: Option<JobId>) -> Option<&JobLine> {
    let id = job?;
    state.jobs.iter().find(|job| job.id == id && job.is_running())
}

fn pack_ui(ui: &mut Ui, columns: &Columns, pack: &Installed, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let models = &state.models;
    let subject = Subject::Pack(pack.name.clone());
    let job = running(state, models.fetching.get(&subject).copied());
    let problem = models.problem_of(pack);
    // By its folder where that is known: a pack of the user's may carry the name of a shipped one.
    let in_use = match state.engine.ready() {
        Some(engine) => engine.pack().folder == pack.folder,
        None => state.pack() == pack.name,
    };
    let verified = models.verified.get(&pack.folder).is_some_and(Option::is_none);
    let (word, colour) = match () {
        () if job.is_some() => ("downloading", tokens.muted),
        () if problem.is_some() => ("damaged", tokens.error),
        () if in_use && verified => ("in use, verified", tokens.good),
        () if in_use => ("in use", tokens.good),
        () if verified => ("verified", tokens.muted),
        () => ("installed", tokens.muted),
    };
    let version = match pack.version.as_str() {
        "" => String::new(),
        version => format!("{version} · "),
    };
    let row = Row {
        name: &pack.name,
        origin: &format!("{version}{}", pack.provenance),
        licence: &pack.licence,
        size: words::bytes(pack.bytes),
        checksum: Some(pack.sha256.as_str()).filter(|sum| !sum.is_empty()),
        state: (word, colour),
        problem: models.problems.get(&subject).map(String::as_str).or(problem),
    };
    row_ui(ui, columns, &row, commands, |ui, commands| {
        if let Some(job) = job {
            return progress_ui(ui, job, commands);
        }
        if models.removing.as_deref() == Some(&pack.name) {
            return removal_ui(ui, pack, commands);
        }
        if pack.own {
            let ask = Command::AskRemoveModel(Some(pack.name.clone()));
            let button = Button::new("Remove…");
            let response = ui
                .add_enabled(ask.enabled(state), button)
                .accessible_name(format!("Remove {}…", pack.name))
                .on_disabled_hover_text("This model is in use; use another one first");
            if response.clicked() {
                commands.push(ask);
            }
        }
        if problem.is_some() && models.can_repair(&pack.name) {
            let hint = "Downloads its network again";
            let button = ui
                .button("Repair")
                .accessible_name(format!("Repair {}", pack.name));
            if button.on_hover_text(hint).clicked() {
                commands.push(Command::FetchModel(subject.clone()));
            }
        }
        if problem.is_none()
            && !in_use
            && ui
                .button("Use")
                .accessible_name(format!("Use {}", pack.name))
                .clicked()
        {
            commands.push(Command::UsePack(pack.name.clone()));
        }
    });
    networks_ui(ui, pack, commands);
    ui.separator();
}

/// The question before a pack goes.
fn removal_ui(ui: &mut Ui, pack: &Installed, commands: &mut Commands) {
    if ui
        .button("Keep")
        .accessible_name(format!("Keep {}", pack.name))
        .clicked()
    {
        commands.push(Command::AskRemoveModel(None));
    }
    let hint = format!(
        "Deletes its files in {} and frees {}",
        pack.folder.display(),
        words::bytes(pack.bytes)
    );
    let remove = ui
        .button(RichText::new("Remove for good").color(theme::tokens(ui).error))
        .accessible_name(format!("Remove {} for good", pack.name));
    if remove.on_hover_text(hint).clicked() {
        commands.push(Command::RemoveModel(pack.name.clone()));
    }
}

fn networks_ui(ui: &mut Ui, pack: &Installed, commands: &mut Commands) {
    if pack.networks.is_empty() {
        return;
    }
    let tokens = theme::tokens(ui);
    let title = format!(
        "{} of {}",
        words::count(pack.networks.len(), "network"),
        pack.name
    );
    egui::CollapsingHeader::new(theme::small_text(title).color(tokens.dim))
        .id_salt(("networks", &pack.folder))
        .show(ui, |ui| {
            for line in &pack.networks {
                ui.horizontal(|ui| {
                    let cell = vec2(130.0, 20.0);
                    ui.add_sized(
                        cell,
                        egui::Label::new(theme::small_text(&line.network)).halign(Align::Min),
                    );
                    let size = theme::small_text(words::bytes(line.bytes)).color(tokens.muted);
                    ui.add_sized(vec2(70.0, 20.0), egui::Label::new(size).halign(Align::Max));
                    let owner = format!("{} of {}", line.network, pack.name);
                    checksum_ui(ui, &owner, Some(&line.sha256), commands);
                });
            }
        });
}

fn source_ui(ui: &mut Ui, columns: &Columns, line: &Available, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let Available { source, came_bytes } = line;
    let subject = Subject::Source(source.name.clone());
    let job = running(state, state.models.fetching.get(&subject).copied());
    let ending = format!("+{}", source.name);
    let is_there = state.models.usable().any(|pack| pack.name.ends_with(&ending));
    let came = format!("{} came", fine_bytes(*came_bytes));
    let (word, colour) = match () {
        () if job.is_some() => ("downloading", tokens.muted),
        () if *came_bytes > 0 => (came.as_str(), tokens.muted),
        () if is_there => ("installed", tokens.good),
        () => ("available", tokens.muted),
    };
    let row = Row {
        name: &source.name,
        origin: &source.origin,
        licence: &source.licence,
        size: source
            .bytes
            .map_or_else(|| "not published".to_owned(), words::bytes),
        checksum: source.sha256.as_deref(),
        state: (word, colour),
        problem: state.models.problems.get(&subject).map(String::as_str),
    };
    row_ui(ui, columns, &row, commands, |ui, commands| {
        if let Some(job) = job {
            return progress_ui(ui, job, commands);
        }
        let verb = if *came_bytes > 0 { "Resume" } else { "Download" };
        let fetch = Command::FetchModel(subject.clone());
        let button = ui
            .add_enabled(fetch.enabled(state), Button::new(verb))
            .accessible_name(format!("{verb} {}", source.name))
            .on_hover_text(&source.url);
        if button.clicked() {
            commands.push(fetch);
        }
        if *came_bytes > 0
            && ui
                .button("Discard")
                .accessible_name(format!("Discard what came of {}", source.name))
                .clicked()
        {
            commands.push(Command::DiscardDownload(source.name.clone()));
        }
    });
    ui.separator();
}

fn progress_ui(ui: &mut Ui, job: &JobLine, commands: &mut Commands) {
    let button = ui.button("Cancel").on_hover_text("What came so far is kept");
    if button.clicked() {
        commands.push(Command::CancelJob(job.id));
    }
    status::progress_bar(ui, job, 70.0);
    let text = theme::small_text(status::job_words(job)).color(theme::tokens(ui).muted);
    ui.add(egui::Label::new(text).truncate());
}

/// As [`words::bytes`], to a tenth of a megabyte: a download that has just begun is not nothing.
fn fine_bytes(bytes: u64) -> String {
    if bytes < 10_000_000 {
        format!("{:.1} MB", (bytes as f64 / 1e6).max(0.1))
    } else {
        words::bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_not_nothing() {
        assert_eq!(fine_bytes(2_000), "0.1 MB");
        assert_eq!(fine_bytes(2_340_000), "2.3 MB");
        assert_eq!(fine_bytes(73_109_797), "73 MB");
    }
}
