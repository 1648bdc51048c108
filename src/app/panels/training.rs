//! Teaching the model one's own taste: the corpus, the form, the live curves, the pack that comes out.

mod curves;
mod understood;

use eframe::egui::{
    self, Align, Button, DragValue, Frame, Grid, Layout, Margin, Panel, RichText, ScrollArea, TextEdit, Ui,
    vec2,
};

use super::{Commands, status};
use crate::app::command::Command;
use crate::app::session::State;
use crate::app::state::Until;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::choice::drop_down;
use crate::engine::fine_tune::{FineTuneReport, Scope};
use crate::words;
use curves::{loss_card, recall_card};
use understood::understood_ui;

pub(super) fn training_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    if let Some((report, pack)) = state.training.report.as_ref().zip(state.training.pack.as_ref()) {
        // Under the rest, however long that is: a model waits for a decision.
        Panel::bottom("trained model")
            .frame(
                Frame::new()
                    .fill(tokens.panel)
                    .inner_margin(Margin::symmetric(14, 10)),
            )
            .show(ui, |ui| decision_ui(ui, report, pack, state, commands));
    }
    ScrollArea::vertical()
        .id_salt("training")
        .auto_shrink(false)
        .show(ui, |ui| {
            Frame::new()
                .inner_margin(Margin::symmetric(14, 12))
                .show(ui, |ui| {
                    ui.label(RichText::new("Teach it your taste").font(theme::heading()));
                    ui.add(egui::Label::new(RichText::new(summary(state)).color(tokens.muted)).wrap());
                    let training = &state.training;
                    let run = training.job.is_some() || !training.curve.is_empty();
                    if !run {
                        form_ui(ui, state, commands);
                    }
                    if let Some(report) = &training.report {
                        report_ui(ui, report);
                    }
                    understood_ui(ui, state);
                    if let Some(problem) = &training.problem {
                        ui.label(RichText::new(problem).color(tokens.error));
                    }
                    if !training.curve.is_empty() {
                        recall_card(ui, state, tokens);
                        loss_card(ui, state, tokens);
                    }
                    if training.job.is_some() {
                        run_ui(ui, state, commands);
                        return;
                    }
                    paused_ui(ui, state, commands);
                    if run {
                        egui::CollapsingHeader::new("Train again")
                            .id_salt("again")
                            .show(ui, |ui| {
                                form_ui(ui, state, commands);
                                start_ui(ui, state, commands, Button::new("Start training"));
                            });
                    } else {
                        start_ui(ui, state, commands, primary(state, tokens, "Start training"));
                    }
                });
        });
}

/// What is known of the corpus, in a line.
fn summary(state: &State) -> String {
    if state.training.checking {
        return "Looking the corpus over…".to_owned();
    }
    match &state.training.corpus {
        None if state.window.corpus.trim().is_empty() => {
            "Pick videos you have finished, or choose the folder of a corpus.".to_owned()
        }
        None if state.training.job.is_some() || !state.training.curve.is_empty() => {
            format!("From {}", state.window.corpus.trim())
        }
        None => "The corpus is looked over when training starts.".to_owned(),
        Some(corpus) => {
            let usable = corpus.train + corpus.val + corpus.test;
            let all = usable + corpus.rejected.len();
            let look = match corpus.rejected.len() {
                0 => String::new(),
                1 => " · 1 needs a look".to_owned(),
                many => format!(" · {many} need a look"),
            };
            format!("{} · {usable} understood{look}", words::count(all, "video"))
        }
    }
}

fn form_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let window = &state.window;
    ui.horizontal(|ui| {
        let mut text = window.corpus.clone();
        let width = ui.available_width() - 92.0;
        let field = TextEdit::singleline(&mut text)
            .hint_text("Corpus folder")
            .desired_width(width);
        if ui
            .add(field.margin(vec2(8.0, 5.0)))
            .accessible_name("Corpus folder")
            .changed()
        {
            commands.push(Command::SetCorpus(text));
        }
        if ui.button("Choose…").clicked() {
            commands.push(Command::ChooseCorpus);
        }
    });
    if ui.button("Pick finished videos…").clicked() {
        commands.push(Command::PickVideos);
    }
    Grid::new("training form")
        .num_columns(2)
        .spacing(vec2(12.0, 8.0))
        .show(ui, |ui| {
            let scopes =
                [Scope::Heads, Scope::Last, Scope::All].map(|scope| (scope, scope_word(scope).to_owned()));
            let label = ui.label("Learns");
            if let Some(scope) = drop_down(ui, "Scope", window.scope, &scopes, 150.0, Some(label.id)) {
                commands.push(Command::SetScope(scope));
            }
            ui.end_row();
            let ends =
                [Until::Converged, Until::Recall, Until::Epochs].map(|end| (end, until_word(end).to_owned()));
            let label = ui.label("Until");
            if let Some(until) = drop_down(ui, "Until", window.until, &ends, 150.0, Some(label.id)) {
                commands.push(Command::SetUntil(until));
            }
            ui.end_row();
            if window.until == Until::Epochs {
                let label = ui.label("Epochs");
                let mut epochs = window.epochs;
                if ui
                    .add(DragValue::new(&mut epochs).range(1..=10_000))
                    .labelled_by(label.id)
                    .changed()
                {
                    commands.push(Command::SetEpochs(epochs));
                }
                ui.end_row();
            }
            let label = ui.label("Seed");
            let mut seed = window.seed;
            if ui.add(DragValue::new(&mut seed)).labelled_by(label.id).changed() {
                commands.push(Command::SetSeed(seed));
            }
            ui.end_row();
            let label = ui.label("Model name");
            let mut name = window.pack_name.clone();
            if ui
                .add(TextEdit::singleline(&mut name).desired_width(150.0))
                .labelled_by(label.id)
                .changed()
            {
                commands.push(Command::SetPackName(name));
            }
            ui.end_row();
        });
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Heads => "the heads (minutes)",
        Scope::Last => "heads and last stages",
        Scope::All => "everything (hours)",
    }
}

fn until_word(until: Until) -> &'static str {
    match until {
        Until::Converged => "the loss converges",
        Until::Recall => "recall stops rising",
        Until::Epochs => "a number of epochs",
    }
}

/// A run that goes on.
fn run_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    if let Some(job) = state.jobs.iter().find(|job| Some(job.id) == state.training.job) {
        ui.horizontal(|ui| {
            status::progress_bar(ui, job, 100.0);
            let words = theme::small_text(status::job_words(job)).color(theme::tokens(ui).muted);
            ui.add(egui::Label::new(words).truncate());
        });
    }
    ui.horizontal(|ui| {
        if ui.button("Pause").clicked() {
            commands.push(Command::PauseTraining);
        }
        if ui.button("Cancel training").clicked() {
            commands.push(Command::StopTraining);
        }
    });
}

/// Runs that can go on.
fn paused_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    for run in &state.training.unfinished {
        let shown = state.training.problem.is_some() && state.training.pack.as_ref() == Some(&run.name);
        let words = match &run.problem {
            None => format!("{} is paused", run.name),
            Some(_) if shown => format!("{} stopped and can go on", run.name),
            Some(problem) => format!("{} stopped: {problem}", run.name),
        };
        ui.add(egui::Label::new(RichText::new(words).color(theme::tokens(ui).muted)).wrap());
        ui.horizontal_wrapped(|ui| {
            if ui.button(format!("Resume {}", run.name)).clicked() {
                commands.push(Command::ResumeTraining(run.name.clone()));
            }
            if ui.button(format!("Discard {}", run.name)).clicked() {
                commands.push(Command::DiscardModel(run.name.clone()));
            }
        });
    }
}

fn start_ui(ui: &mut Ui, state: &State, commands: &mut Commands, button: Button<'_>) {
    let start = Command::StartTraining;
    let response = ui.add_enabled(start.enabled(state), button);
    if response
        .on_disabled_hover_text("Choose a corpus folder first")
        .clicked()
    {
        commands.push(start);
    }
}

/// Amber, where it is the one primary action on screen.
fn primary(state: &State, tokens: &Tokens, text: &'static str) -> Button<'static> {
    if state.training_is_primary() {
        theme::primary_button(tokens, text)
    } else {
        Button::new(text)
    }
}

fn report_ui(ui: &mut Ui, report: &FineTuneReport) {
    let tokens = theme::tokens(ui);
    ui.label(theme::strong_text("Done"));
    let mut text = format!(
        "{} used, pairs {}.",
        words::count(report.used, "video"),
        report.pairing
    );
    if report.recognised > 0 {
        text = format!("{text} The music of {} is in your library.", report.recognised);
    }
    ui.label(RichText::new(text).color(tokens.muted));
    ui.label(theme::small_text(report.pack.display().to_string()).color(tokens.dim));
}

/// What the model that was trained last is worth, and what becomes of it.
fn decision_ui(ui: &mut Ui, report: &FineTuneReport, pack: &str, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let change = change_in_words(report).unwrap_or_else(|| format!("The model {pack} is trained."));
    ui.label(RichText::new(change).color(tokens.muted));
    ui.horizontal(|ui| {
        if state.settings.pack == pack {
            ui.label(RichText::new("This model is in use").color(tokens.good));
            if let Some(before) = &state.window.previous_pack
                && ui.button(format!("Roll back to {before}")).clicked()
            {
                commands.push(Command::RollBack);
            }
            return;
        }
        if ui.button("Discard model").clicked() {
            commands.push(Command::DiscardModel(pack.to_owned()));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.add(primary(state, tokens, "Keep model")).clicked() {
                commands.push(Command::UsePack(pack.to_owned()));
            }
        });
    });
}

/// Recall on held-out videos before and after; of so few that all are among the first ten, R@1.
fn change_in_words(report: &FineTuneReport) -> Option<String> {
    let (before, after) = (report.before.as_ref()?, report.after.as_ref()?);
    let few = report
        .epochs
        .first()
        .is_some_and(|epoch| epoch.validation_r10.is_none());
    Some(if few {
        format!("R@1 {:.0} before, {:.0} after.", before.r1, after.r1)
    } else {
        format!("R@10 {:.0} before, {:.0} after.", before.r10, after.r10)
    })
}
