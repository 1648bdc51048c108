//! One line of the table of models, and its columns.

use eframe::egui::{Align, Button, Color32, Label, Layout, RichText, Role, Ui, WidgetInfo, vec2};

use crate::app::command::Command;
use crate::app::panels::Commands;
use crate::app::theme;

const HEIGHT: f32 = 40.0;
/// Digits of a checksum that are shown; all of them are in the tooltip.
const DIGITS: usize = 8;

/// Widths, points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    name: f32,
    licence: f32,
    size: f32,
    checksum: f32,
    state: f32,
    actions: f32,
}

impl Columns {
    /// The name gets what the others leave.
    pub(super) fn of(width: f32) -> Self {
        let columns = Self {
            name: 0.0,
            licence: 120.0,
            size: 86.0,
            checksum: 84.0,
            state: 108.0,
            actions: 220.0,
        };
        let gaps = 5.0 * GAP;
        let taken = columns.licence + columns.size + columns.checksum + columns.state + columns.actions;
        Self {
            // A scroll bar may lie over the last points.
            name: (width - taken - gaps - 12.0).max(160.0),
            ..columns
        }
    }

    pub(super) fn head_ui(&self, ui: &mut Ui) {
        let tokens = theme::tokens(ui);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GAP;
            let titles = [
                ("On this computer", self.name),
                ("Licence", self.licence),
                ("Size", self.size),
                ("Checksum", self.checksum),
                ("State", self.state),
            ];
            for (at, (title, width)) in titles.into_iter().enumerate() {
                cell(ui, width, 20.0, |ui| {
                    ui.label(match at {
                        0 => theme::strong_text(title),
                        _ => theme::small_text(title).color(tokens.dim),
                    });
                });
            }
        });
    }
}

const GAP: f32 = 12.0;

/// What stands in a line.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub name: &'a str,
    pub origin: &'a str,
    pub licence: &'a str,
    pub size: String,
    pub checksum: Option<&'a str>,
    pub state: (&'a str, Color32),
    pub problem: Option<&'a str>,
}

/// A line; `actions` fill the last cell from the right.
pub(super) fn row_ui(
    ui: &mut Ui,
    columns: &Columns,
    row: &Row<'_>,
    commands: &mut Commands,
    actions: impl FnOnce(&mut Ui, &mut Commands),
) {
    let tokens = theme::tokens(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GAP;
        cell(ui, columns.name, HEIGHT, |ui| {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 1.0;
                ui.add_space(3.0);
                ui.add(Label::new(theme::strong_text(row.name)).truncate());
                let origin = theme::small_text(row.origin).color(tokens.dim);
                // The tooltip of a truncated label is the whole text.
                ui.add(Label::new(origin).truncate());
            });
        });
        cell(ui, columns.licence, HEIGHT, |ui| {
            ui.add(Label::new(theme::small_text(row.licence)).truncate());
        });
        cell(ui, columns.size, HEIGHT, |ui| {
            ui.label(theme::small_text(&row.size));
        });
        cell(ui, columns.checksum, HEIGHT, |ui| {
            checksum_ui(ui, row.name, row.checksum, commands);
        });
        cell(ui, columns.state, HEIGHT, |ui| {
            let (word, colour) = row.state;
            let response = ui.label(theme::small_text(word).color(colour));
            // Whoever does not see the row hears whose state it is.
            let spoken = format!("{} is {word}", row.name);
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
        });
        ui.allocate_ui_with_layout(
            vec2(columns.actions, HEIGHT),
            Layout::right_to_left(Align::Center),
            |ui| {
                ui.set_min_width(columns.actions);
                ui.spacing_mut().item_spacing.x = 6.0;
                actions(ui, commands);
            },
        );
    });
    if let Some(problem) = row.problem {
        ui.add(Label::new(RichText::new(problem).color(tokens.error)).wrap());
        ui.add_space(6.0);
    }
}

/// The first digits; all of them on hover, and copied by a click.
pub(super) fn checksum_ui(ui: &mut Ui, owner: &str, sum: Option<&str>, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let Some(sum) = sum else {
        ui.label(theme::small_text("none").color(tokens.dim))
            .on_hover_text(
                "None is published for it; every parameter is checked against the network instead",
            );
        return;
    };
    let short: String = sum.chars().take(DIGITS).collect();
    let button = Button::new(theme::small_text(short).color(tokens.muted)).frame(false);
    let response = ui
        .add(button)
        .accessible_name(format!("Copy the checksum of {owner}"))
        .on_hover_text(format!("sha256 {sum}; click to copy it"));
    if response.clicked() {
        commands.push(Command::CopyText(sum.to_owned()));
    }
}

fn cell(ui: &mut Ui, width: f32, height: f32, add: impl FnOnce(&mut Ui)) {
    ui.allocate_ui_with_layout(vec2(width, height), Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_width(width);
        ui.set_max_width(width);
        add(ui);
    });
}
