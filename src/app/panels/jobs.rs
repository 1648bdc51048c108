//! Every job of this run: how far, how it ended, what went wrong on the way.

use eframe::egui::{self, Align, Align2, Context, Layout, RichText, ScrollArea, Stroke, Ui, vec2};

use super::{Commands, status};
use crate::app::command::Command;
use crate::app::session::{JobLine, State};
use crate::app::theme;
use crate::app::widgets::icon::{Icon, icon_button};
use crate::jobs::JobState;

/// Warnings shown of one job.
const WARNINGS: usize = 50;

pub(super) fn jobs_window(ctx: &Context, state: &State, commands: &mut Commands) {
    if !state.show_jobs {
        return;
    }
    let room = ctx.content_rect();
    egui::Window::new("Jobs")
        .title_bar(false)
        .frame(super::settings::dialog_frame(ctx).inner_margin(14.0))
        .default_width(460.0)
        .max_height(room.height() - 120.0)
        .pivot(Align2::LEFT_BOTTOM)
        .default_pos(room.left_bottom() + vec2(12.0, -40.0))
        .show(ctx, |ui| list_ui(ui, state, commands));
}

fn list_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let jobs: Vec<&JobLine> = state.jobs.iter().rev().filter(|job| job.is_listed()).collect();
    ui.horizontal(|ui| {
        ui.label(RichText::new("Jobs").font(theme::heading()));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, Icon::Close, "Close the jobs", true).clicked() {
                commands.push(Command::ShowJobs(false));
            }
            let clear = Command::ClearJobs;
            let button = egui::Button::new("Clear finished");
            if ui.add_enabled(clear.enabled(state), button).clicked() {
                commands.push(clear);
            }
        });
    });
    ui.add_space(4.0);
    if jobs.is_empty() {
        ui.label(
            RichText::new("Nothing has run yet. Long work appears here, and can be cancelled.")
                .color(theme::tokens(ui).muted),
        );
        return;
    }
    ScrollArea::vertical()
        .auto_shrink([false, true])
        .max_height(420.0)
        .show(ui, |ui| {
            for job in jobs {
                job_ui(ui, job, commands);
            }
        });
}

fn job_ui(ui: &mut Ui, job: &JobLine, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let frame = egui::Frame::new()
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, tokens.line))
        .corner_radius(theme::CARD_RADIUS)
        .inner_margin(10.0);
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.label(theme::strong_text(&job.title));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                action_ui(ui, job, commands);
            });
        });
        match &job.state {
            JobState::Running | JobState::Cancelling => {
                ui.horizontal(|ui| {
                    status::progress_bar(ui, job, 140.0);
                    ui.label(theme::small_text(status::job_words(job)).color(tokens.muted));
                });
            }
            JobState::Failed(sentence) => {
                ui.label(RichText::new(sentence).color(tokens.error));
            }
            JobState::Done | JobState::Cancelled => {}
        }
        warnings_ui(ui, job);
    });
}

fn action_ui(ui: &mut Ui, job: &JobLine, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let took = job
        .ended
        .map(|ended| format!(" · {:.1} s", (ended - job.started).as_secs_f64()))
        .unwrap_or_default();
    match &job.state {
        JobState::Running => {
            if ui.button("Cancel").clicked() {
                commands.push(Command::CancelJob(job.id));
            }
        }
        JobState::Cancelling => {
            ui.label(theme::small_text("cancelling").color(tokens.muted));
        }
        JobState::Done => {
            ui.label(theme::small_text(format!("done{took}")).color(tokens.good));
        }
        JobState::Cancelled | JobState::Failed(_) => {
            if job.retry.is_some() && ui.button("Try again").clicked() {
                commands.push(Command::RetryJob(job.id));
            }
            let word = if job.state == JobState::Cancelled {
                "cancelled"
            } else {
                "failed"
            };
            ui.label(theme::small_text(format!("{word}{took}")).color(tokens.muted));
        }
    }
}

fn warnings_ui(ui: &mut Ui, job: &JobLine) {
    if job.warnings.is_empty() {
        return;
    }
    let tokens = theme::tokens(ui);
    let title = crate::words::count(job.warnings.len(), "warning");
    egui::CollapsingHeader::new(title)
        .id_salt(("warnings", job.id))
        .default_open(true)
        .show(ui, |ui| {
            for warning in job.warnings.iter().take(WARNINGS) {
                ui.label(theme::small_text(warning).color(tokens.muted));
            }
            if job.warnings.len() > WARNINGS {
                ui.label(
                    theme::small_text(format!("and {} more", job.warnings.len() - WARNINGS))
                        .color(tokens.dim),
                );
            }
        });
}
