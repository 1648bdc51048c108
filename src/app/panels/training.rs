//! Teaching the model one's own taste: the corpus, the form, the live curves, the pack that comes out.

use eframe::egui::{
    self, Align, Button, DragValue, Frame, Grid, Layout, Margin, Panel, RichText, ScrollArea, Stroke,
    TextEdit, Ui, vec2,
};
use egui_plot::{Line, Plot, PlotPoints};

use super::{Commands, status};
use crate::app::command::Command;
use crate::app::session::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::choice::drop_down;
use crate::engine::corpus::{CheckedItem, CorpusReport};
use crate::engine::fine_tune::{EpochReport, FineTuneReport, Scope};
use crate::words;

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
                    form_ui(ui, state, commands);
                    if let Some(problem) = &state.training.problem {
                        ui.label(RichText::new(problem).color(tokens.error));
                    }
                    run_ui(ui, state, commands);
                    if !state.training.curve.is_empty() {
                        recall_card(ui, state, tokens);
                        loss_card(ui, state, tokens);
                    }
                    if let Some(report) = &state.training.report {
                        report_ui(ui, report);
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
    let running = state.training.job.is_some();
    ui.add_enabled_ui(!running, |ui| {
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
                let scopes = [Scope::Heads, Scope::Last, Scope::All]
                    .map(|scope| (scope, scope_word(scope).to_owned()));
                let label = ui.label("Learns");
                if let Some(scope) = drop_down(ui, "Scope", window.scope, &scopes, 150.0, Some(label.id)) {
                    commands.push(Command::SetScope(scope));
                }
                ui.end_row();
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
    });
    if let Some(corpus) = &state.training.corpus {
        understood_ui(ui, corpus);
        if !corpus.rejected.is_empty() {
            rejected_ui(ui, &corpus.rejected);
        }
    }
}

/// What training will see of each video.
fn understood_ui(ui: &mut Ui, corpus: &CorpusReport) {
    if corpus.items.is_empty() {
        return;
    }
    let title = format!("{} understood", words::count(corpus.items.len(), "video"));
    egui::CollapsingHeader::new(title)
        .id_salt("understood")
        .show(ui, |ui| {
            for item in &corpus.items {
                ui.label(theme::small_text(understood_line(item)).color(theme::tokens(ui).muted));
            }
        });
}

fn understood_line(item: &CheckedItem) -> String {
    let length = words::clock(item.duration_s);
    let mut parts = vec![match item.split.as_str() {
        "train" => format!("{length}, {} to learn from", words::count(item.cuts, "cut")),
        "val" => format!("{length}, held out"),
        _ => format!("{length}, kept for the test"),
    }];
    if !item.picture {
        parts.push("no picture".to_owned());
    }
    if item.clean_voice && item.clean_bgm {
        parts.push("clean stems".to_owned());
    }
    format!("{}: {}", item.id, parts.join(", "))
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Heads => "the heads (minutes)",
        Scope::Last => "heads and last stages",
        Scope::All => "everything (hours)",
    }
}

fn rejected_ui(ui: &mut Ui, rejected: &[(String, String)]) {
    let title = format!("{} left out, and why", words::count(rejected.len(), "video"));
    egui::CollapsingHeader::new(title)
        .id_salt("rejected")
        .show(ui, |ui| {
            for (id, reason) in rejected {
                ui.label(theme::small_text(format!("{id}: {reason}")).color(theme::tokens(ui).muted));
            }
        });
}

fn run_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    if let Some(id) = state.training.job {
        if let Some(job) = state.jobs.iter().find(|job| job.id == id) {
            ui.horizontal(|ui| {
                status::progress_bar(ui, job, 100.0);
                ui.add(
                    egui::Label::new(theme::small_text(status::job_words(job)).color(tokens.muted))
                        .truncate(),
                );
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
        return;
    }
    for run in &state.training.unfinished {
        ui.horizontal(|ui| {
            ui.label(RichText::new(format!("{} is paused", run.name)).color(tokens.muted));
            if ui.button(format!("Resume {}", run.name)).clicked() {
                commands.push(Command::ResumeTraining(run.name.clone()));
            }
            if ui.button(format!("Discard {}", run.name)).clicked() {
                commands.push(Command::DiscardModel(run.name.clone()));
            }
        });
    }
    let start = Command::StartTraining;
    let response = ui.add_enabled(
        start.enabled(state),
        main_button(tokens, state, "Start training", state.training.report.is_none()),
    );
    if response
        .on_disabled_hover_text("Choose a corpus folder first")
        .clicked()
    {
        commands.push(start);
    }
}

/// One primary action on screen: with music in the mix that is the export.
fn main_button(tokens: &Tokens, state: &State, text: &'static str, is_next: bool) -> Button<'static> {
    let exports = state.has_clip() && state.candidate().is_some();
    if is_next && !exports {
        theme::primary_button(tokens, text)
    } else {
        Button::new(text)
    }
}

fn card(ui: &mut Ui, title: &str, right: &str, add: impl FnOnce(&mut Ui)) {
    let tokens = theme::tokens(ui);
    Frame::new()
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.line))
        .corner_radius(theme::CARD_RADIUS)
        .inner_margin(Margin::same(10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                ui.label(theme::strong_text(title));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.label(RichText::new(right).color(tokens.muted));
                });
            });
            add(ui);
        });
}

fn recall_card(ui: &mut Ui, state: &State, tokens: &Tokens) {
    let curve = &state.training.curve;
    let last = curve.last().copied();
    let right = last
        .map(|last| format!("{} / {}", last.epoch, last.epochs))
        .unwrap_or_default();
    card(ui, "Recall on held-out videos", &right, |ui| {
        let r10 = points(curve, |epoch| epoch.validation_r10);
        let r1 = points(curve, |epoch| epoch.validation_r1);
        if r10.is_empty() && r1.is_empty() {
            ui.label(theme::small_text("Too few held-out videos to measure it").color(tokens.muted));
            return;
        }
        plot("recall", 120.0, Some((0.0, 100.0))).show(ui, |plot| {
            plot.line(
                Line::new("R@10", PlotPoints::from(r10))
                    .color(tokens.accent)
                    .width(1.8),
            );
            plot.line(
                Line::new("R@1", PlotPoints::from(r1))
                    .color(tokens.voice)
                    .width(1.8),
            );
        });
        ui.horizontal(|ui| {
            let percent = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.0}"));
            let r10 = percent(last.and_then(|last| last.validation_r10));
            let r1 = percent(last.and_then(|last| last.validation_r1));
            legend(ui, tokens.accent, &format!("R@10 {r10}"));
            legend(ui, tokens.voice, &format!("R@1 {r1}"));
            if let Some(first) = curve.first().filter(|first| first.epoch == 0) {
                let text = format!(
                    "before {} / {}",
                    percent(first.validation_r10),
                    percent(first.validation_r1)
                );
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.label(theme::small_text(text).color(tokens.muted));
                });
            }
        });
    });
}

fn legend(ui: &mut Ui, colour: egui::Color32, text: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(8.0, 8.0), egui::Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.0, colour);
    ui.label(theme::small_text(text).color(colour));
}

fn loss_card(ui: &mut Ui, state: &State, tokens: &Tokens) {
    let curve = &state.training.curve;
    let margin = curve
        .last()
        .map(|last| format!("margin {:.0}", last.margin))
        .unwrap_or_default();
    card(ui, "Loss", &margin, |ui| {
        // The state before training has no loss of its own.
        let loss = points(curve, |epoch| {
            Some(epoch.loss).filter(|loss| epoch.epoch > 0 && loss.is_finite())
        });
        plot("loss", 80.0, None).show(ui, |plot| {
            plot.line(
                Line::new("loss", PlotPoints::from(loss))
                    .color(tokens.original)
                    .width(1.6),
            );
        });
    });
}

fn points(curve: &[EpochReport], value: impl Fn(&EpochReport) -> Option<f64>) -> Vec<[f64; 2]> {
    curve
        .iter()
        .filter_map(|epoch| Some([epoch.epoch as f64, value(epoch)?]))
        .collect()
}

fn plot(name: &'static str, height: f32, range: Option<(f64, f64)>) -> Plot<'static> {
    let plot = Plot::new(name)
        .height(height)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_background(false)
        .show_grid([false, true])
        .show_axes([false, true])
        .include_x(0.0);
    match range {
        Some((low, high)) => plot.include_y(low).include_y(high),
        None => plot,
    }
}

fn report_ui(ui: &mut Ui, report: &FineTuneReport) {
    let tokens = theme::tokens(ui);
    ui.label(theme::strong_text("Done"));
    let text = format!(
        "{} used, pairs {}.",
        words::count(report.used, "video"),
        report.pairing
    );
    ui.label(RichText::new(text).color(tokens.muted));
    if !report.rejected.is_empty() {
        rejected_ui(ui, &report.rejected);
    }
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
            if ui.add(main_button(tokens, state, "Keep model", true)).clicked() {
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
