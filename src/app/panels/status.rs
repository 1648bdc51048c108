//! The line at the bottom: what runs and how far on the left, what computes on the right.

use eframe::egui::{Align, Button, Layout, Rect, RichText, Ui, UiBuilder, Vec2};

use super::Commands;
use crate::app::command::Command;
use crate::app::session::{EngineState, JobLine, State};
use crate::app::theme;
use crate::jobs::JobState;
use crate::playback::OutputStatus;
use crate::words;

pub(super) fn status_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let bar = ui.max_rect();
    let mut right = ui.new_child(
        UiBuilder::new()
            .max_rect(bar)
            .layout(Layout::right_to_left(Align::Center)),
    );
    right_ui(&mut right, state);
    let room = Rect::from_min_max(
        bar.min,
        eframe::egui::pos2(right.min_rect().left() - 16.0, bar.bottom()),
    );
    let mut left = ui.new_child(
        UiBuilder::new()
            .max_rect(room)
            .layout(Layout::left_to_right(Align::Center)),
    );
    left_ui(&mut left, state, commands);
}

fn left_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    ui.spacing_mut().interact_size.y = 20.0;
    let running: Vec<&JobLine> = state
        .jobs
        .iter()
        .filter(|job| job.is_running() && !job.quiet)
        .collect();
    let link = |ui: &mut Ui, text: &str| ui.add(Button::new(theme::small_text(text)).frame(false));
    let Some(job) = running.first() else {
        let failed = state
            .jobs
            .iter()
            .filter(|job| matches!(job.state, JobState::Failed(_)))
            .count();
        let text = match failed {
            0 => "Ready".to_owned(),
            _ => format!("Ready · {} failed", words::count(failed, "job")),
        };
        if link(ui, &text).on_hover_text("Show all jobs").clicked() {
            commands.push(Command::ShowJobs(true));
        }
        return;
    };
    let (dot, _) = ui.allocate_exact_size(Vec2::splat(8.0), eframe::egui::Sense::hover());
    ui.painter().circle_filled(dot.center(), 3.5, tokens.accent);
    if link(ui, &job_words(job)).on_hover_text("Show all jobs").clicked() {
        commands.push(Command::ShowJobs(true));
    }
    progress_bar(ui, job, 120.0);
    if job.state == JobState::Running {
        let cancel = link(ui, "Cancel").on_hover_text(format!("Cancel {}", lower_first(&job.title)));
        if cancel.clicked() {
            commands.push(Command::CancelJob(job.id));
        }
    }
    if running.len() > 1 && link(ui, &format!("and {} more", running.len() - 1)).clicked() {
        commands.push(Command::ShowJobs(true));
    }
}

/// What a running job does, and for how long.
pub(super) fn job_words(job: &JobLine) -> String {
    let stage = if job.stage.is_empty() {
        &job.title
    } else {
        &job.stage
    };
    match (&job.state, job.time_left()) {
        (JobState::Cancelling, _) => format!("{stage} · cancelling"),
        (_, Some(left)) => format!("{stage} · {} left", words::time_left(left)),
        _ => stage.clone(),
    }
}

/// How far a running job is; a moving part where that is unknown.
pub(super) fn progress_bar(ui: &mut Ui, job: &JobLine, width: f32) {
    let tokens = theme::tokens(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width, 12.0), eframe::egui::Sense::hover());
    let bar = Rect::from_center_size(rect.center(), Vec2::new(width, 5.0));
    ui.painter().rect_filled(bar, 2.5, tokens.track);
    let mut full = bar;
    if let Some(fraction) = job.fraction {
        full.set_width(width * fraction.clamp(0.0, 1.0));
    } else {
        let time = ui.input(|input| input.time);
        let place = ((time * 0.6).fract() as f32 * 1.3 - 0.3).clamp(0.0, 1.0);
        full.min.x = bar.left() + width * place;
        full.max.x = (full.min.x + width * 0.3).min(bar.right());
        ui.ctx()
            .request_repaint_after(std::time::Duration::from_millis(50));
    }
    ui.painter().rect_filled(full, 2.5, tokens.accent);
    response.widget_info(|| eframe::egui::WidgetInfo {
        value: job.fraction.map(f64::from),
        ..eframe::egui::WidgetInfo::labeled(
            eframe::egui::Role::ProgressIndicator,
            true,
            format!("Progress of {}", lower_first(&job.title)),
        )
    });
}

fn lower_first(text: &str) -> String {
    let mut signs = text.chars();
    signs
        .next()
        .map(|first| first.to_lowercase().chain(signs).collect())
        .unwrap_or_default()
}

fn right_ui(ui: &mut Ui, state: &State) {
    let tokens = theme::tokens(ui);
    ui.spacing_mut().item_spacing.x = 18.0;
    let quiet = |ui: &mut Ui, text: String| ui.label(theme::small_text(text).color(tokens.muted));
    if let Some(seconds) = state.suggestions.answered_in_s {
        // Another balance is answered from kept rows, in less than a tenth of a second.
        let time = if seconds < 0.1 {
            format!("{:.0} ms", seconds * 1e3)
        } else {
            format!("{seconds:.1} s")
        };
        quiet(ui, format!("{time} for this clip")).on_hover_text("How long the last suggestions took");
    }
    match &state.engine {
        EngineState::Ready(engine) => {
            let manifest = &engine.pack().manifest;
            let device = engine.device();
            let name = match (device.name, device.fallback()) {
                ("cpu", Some(reason)) => format!("CPU, {reason}"),
                ("cpu", None) => "CPU".to_owned(),
                (name, _) => name.to_owned(),
            };
            let response = quiet(
                ui,
                format!("{} model {} · {name}", manifest.name, manifest.version),
            );
            if let Some(reason) = &device.reason {
                response.on_hover_text(format!("On the CPU because {reason}"));
            }
        }
        EngineState::Opening => {
            quiet(ui, "opening the model…".to_owned());
        }
        EngineState::Failed(sentence) => {
            ui.label(RichText::new("no model").font(theme::small()).color(tokens.error))
                .on_hover_text(sentence);
        }
    }
    if let OutputStatus::Silent(reason) = &state.transport.output
        && !reason.is_empty()
    {
        quiet(ui, "no sound output, silent clock".to_owned()).on_hover_text(reason);
    }
}
