//! A drop-down with its name before it.

use eframe::egui::{self, Ui};

use super::icon::{self, Icon};
use crate::app::theme;

/// The name of a drop-down.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) enum Label {
    /// Beside it.
    Shown(&'static str),
    /// For assistive technology alone.
    Hidden(&'static str),
}

/// A drop-down of `options` and its name, for a row that runs from right to left; returns the option that was chosen now.
pub(in crate::app) fn choice<T: PartialEq + Copy>(
    ui: &mut Ui,
    label: Label,
    current: T,
    options: &[(T, String)],
) -> Option<T> {
    let (Label::Shown(name) | Label::Hidden(name)) = label;
    let chosen = drop_down(ui, name, current, options, 0.0, None);
    if matches!(label, Label::Shown(_)) {
        ui.label(egui::RichText::new(name).color(theme::tokens(ui).muted));
    }
    chosen
}

/// The drop-down alone; `name` is for assistive technology, `width` in points (0 = as wide as needed).
pub(in crate::app) fn drop_down<T: PartialEq + Copy>(
    ui: &mut Ui,
    name: &str,
    current: T,
    options: &[(T, String)],
    width: f32,
    label: Option<egui::Id>,
) -> Option<T> {
    let text = options
        .iter()
        .find(|(option, _)| *option == current)
        .map_or("–", |(_, text)| text.as_str());
    let mut chosen = None;
    let mut combo = egui::ComboBox::from_id_salt(name)
        .selected_text(text)
        .height(420.0)
        .icon(|ui, rect, visuals, _| {
            icon::paint(
                ui.painter(),
                rect.center(),
                Icon::Chevron,
                visuals.fg_stroke.color,
            );
        });
    if width > 0.0 {
        combo = combo.width(width).truncate();
    }
    let shown = combo.show_ui(ui, |ui| {
        for (option, text) in options {
            if ui.selectable_label(*option == current, text.as_str()).clicked() {
                chosen = Some(*option);
            }
        }
    });
    match label {
        Some(id) => shown.response.labelled_by(id),
        None => shown.response.accessible_name(name),
    };
    chosen.filter(|option| *option != current)
}
