//! The live curves of a run.

use eframe::egui::{self, Align, Frame, Layout, Margin, RichText, Stroke, Ui, vec2};
use egui_plot::{AxisHints, Line, Plot, PlotPoints, uniform_grid_spacer};

use crate::app::session::State;
use crate::app::theme::{self, Tokens};
use crate::engine::fine_tune::EpochReport;

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

pub(super) fn recall_card(ui: &mut Ui, state: &State, tokens: &Tokens) {
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
        let few = r10.is_empty();
        let percents = plot("recall", 120.0, tokens)
            .include_y(0.0)
            .include_y(100.0)
            .y_grid_spacer(uniform_grid_spacer(|_| [25.0, 50.0, 100.0]));
        percents.show(ui, |plot| {
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
            // Among ten candidates or fewer everything is within the first ten.
            if !few {
                legend(ui, tokens.accent, &format!("R@10 {r10}"));
            }
            legend(ui, tokens.voice, &format!("R@1 {r1}"));
            if let Some(first) = curve.first().filter(|first| first.epoch == 0) {
                let (r10, r1) = (percent(first.validation_r10), percent(first.validation_r1));
                let text = if few {
                    format!("before {r1}")
                } else {
                    format!("before {r10} / {r1}")
                };
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

pub(super) fn loss_card(ui: &mut Ui, state: &State, tokens: &Tokens) {
    let curve = &state.training.curve;
    let margin = curve
        .last()
        .and_then(|last| last.margin)
        .map(|margin| format!("margin {margin:.0}"))
        .unwrap_or_default();
    card(ui, "Loss", &margin, |ui| {
        // The state before training has no loss of its own.
        let loss = points(curve, |epoch| {
            Some(epoch.loss).filter(|loss| epoch.epoch > 0 && loss.is_finite())
        });
        plot("loss", 80.0, tokens).show(ui, |plot| {
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

fn plot(name: &'static str, height: f32, tokens: &Tokens) -> Plot<'static> {
    let axis = AxisHints::new_y()
        .tick_label_font(theme::small())
        .tick_label_color(tokens.muted)
        .label_spacing(12.0..=16.0);
    Plot::new(name)
        .custom_y_axes(vec![axis])
        .grid_color(tokens.line)
        .height(height)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_background(false)
        .show_grid([false, true])
        .show_axes([false, true])
        .include_x(0.0)
}
