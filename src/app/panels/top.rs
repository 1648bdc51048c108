//! The bar at the top: what is open, the command field, the device, the one primary action.

use eframe::egui::{
    Align, Button, Layout, Popup, Rect, RectAlign, RichText, Sense, Stroke, Ui, UiBuilder, pos2, vec2,
};

use super::{Commands, menu};
use crate::app::command::{Command, LISTED};
use crate::app::session::{EngineState, State, file_name};
use crate::app::theme;
use crate::app::widgets::icon::{Icon, command_button, icon_button, menu_button, with_keys};

/// Width of the command field where there is room.
const FIELD: f32 = 340.0;

pub(super) fn top_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let bar = ui.max_rect();
    let left = side(ui, bar, Layout::left_to_right(Align::Center), |ui| {
        left_ui(ui, state, commands);
    });
    let right = side(ui, bar, Layout::right_to_left(Align::Center), |ui| {
        right_ui(ui, state, commands);
    });
    let room = Rect::from_min_max(
        pos2(left.right() + 16.0, bar.top()),
        pos2(right.left() - 16.0, bar.bottom()),
    );
    if room.width() >= 120.0 {
        let mut field = Rect::from_center_size(bar.center(), vec2(FIELD.min(room.width()), 28.0));
        if field.left() < room.left() || field.right() > room.right() {
            field = Rect::from_center_size(room.center(), field.size());
        }
        command_field(ui, field, commands);
    }
}

fn side(ui: &mut Ui, bar: Rect, layout: Layout, add: impl FnOnce(&mut Ui)) -> Rect {
    let mut child = ui.new_child(UiBuilder::new().max_rect(bar).layout(layout));
    add(&mut child);
    child.min_rect()
}

fn left_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    ui.spacing_mut().item_spacing.x = 4.0;
    let button = icon_button(ui, Icon::Menu, "Menu", true);
    menu::menu_popup(&button, state, commands);
    ui.add_space(4.0);
    ui.label(RichText::new("Undertone").font(theme::heading()));
    ui.add_space(4.0);
    project_menu(ui, state, commands);
    let history = &state.history;
    let undo = history
        .undo_label()
        .map_or_else(|| "Undo".to_owned(), |label| format!("Undo “{label}”"));
    if command_button(
        ui,
        Icon::Undo,
        &undo,
        history.undo_label().is_some(),
        28.0,
        &Command::Undo,
    )
    .clicked()
    {
        commands.push(Command::Undo);
    }
    let redo = history
        .redo_label()
        .map_or_else(|| "Redo".to_owned(), |label| format!("Redo “{label}”"));
    if command_button(
        ui,
        Icon::Redo,
        &redo,
        history.redo_label().is_some(),
        28.0,
        &Command::Redo,
    )
    .clicked()
    {
        commands.push(Command::Redo);
    }
}

/// The video's name; opens, opens again, exports.
fn project_menu(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let name = state.clip.as_ref().map_or("No video", |clip| clip.name.as_str());
    let button = menu_button(ui, &shorten(name, 26), "Video menu").on_hover_text("Open another video");
    Popup::menu(&button).align(RectAlign::BOTTOM_START).show(|ui| {
        ui.set_min_width(240.0);
        for command in [Command::OpenVideo, Command::OpenDemo] {
            let label = LISTED
                .iter()
                .find(|listed| listed.command == command)
                .map_or("", |listed| listed.label);
            if ui.button(label).clicked() {
                commands.push(command);
                ui.close();
            }
        }
        if !state.settings.recent.is_empty() {
            ui.separator();
            ui.label(theme::small_text("Recent").color(theme::tokens(ui).dim));
        }
        for path in &state.settings.recent {
            let item = ui
                .button(shorten(&file_name(path), 40))
                .on_hover_text(path.display().to_string());
            if item.clicked() {
                commands.push(Command::OpenMedia(path.clone()));
                ui.close();
            }
        }
    });
}

fn right_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let ready = Command::Export.enabled(state);
    // Amber once it can be pressed: before that, something else is the primary action.
    let button = if ready {
        theme::primary_button(tokens, "Export…")
    } else {
        Button::new(theme::strong_text("Export…"))
    };
    let export = ui
        .add_enabled(ready, button)
        .on_disabled_hover_text("Open a video and choose music first");
    let export = with_keys(export, "Write the mixed video", &Command::Export);
    if export.clicked() {
        commands.push(Command::Export);
    }
    if command_button(
        ui,
        Icon::Contrast,
        "Dark or light theme",
        true,
        28.0,
        &Command::NextTheme,
    )
    .clicked()
    {
        commands.push(Command::NextTheme);
    }
    let (text, hint) = device_words(state);
    if ui.button(text).on_hover_text(hint).clicked() {
        commands.push(Command::ShowSettings(true));
    }
}

/// The device as a button says it, and the reason behind it.
fn device_words(state: &State) -> (String, String) {
    match &state.engine {
        EngineState::Opening => ("Opening the model…".to_owned(), "Device and model".to_owned()),
        EngineState::Failed(sentence) => ("No model".to_owned(), sentence.clone()),
        EngineState::Ready(engine) => {
            let device = engine.device();
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let text = match device.name {
                "cpu" if threads == 1 => "CPU · 1 thread".to_owned(),
                "cpu" => format!("CPU · {threads} threads"),
                "cuda" => "CUDA".to_owned(),
                "metal" => "Metal".to_owned(),
                other => other.to_owned(),
            };
            let hint = match &device.reason {
                Some(reason) => format!("Computing on the CPU because {reason}"),
                None => "Where the networks compute; click to change".to_owned(),
            };
            (text, hint)
        }
    }
}

fn command_field(ui: &mut Ui, rect: Rect, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let response = ui.interact(rect, ui.scope_id().with("command field"), Sense::click());
    response.widget_info(|| {
        eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Button, true, "Run a command…")
    });
    let fill = if response.hovered() {
        tokens.hover
    } else {
        tokens.raised
    };
    let painter = ui.painter();
    let edge = Stroke::new(1.0, tokens.line);
    painter.rect(rect, theme::RADIUS, fill, edge, eframe::egui::StrokeKind::Inside);
    let middle = rect.center().y;
    let anchor = eframe::egui::Align2::LEFT_CENTER;
    painter.text(
        pos2(rect.left() + 12.0, middle),
        anchor,
        "Run a command…",
        theme::body(),
        tokens.dim,
    );
    let shortcut = Command::ShowPalette(true).keys(ui.ctx()).unwrap_or_default();
    let anchor = eframe::egui::Align2::RIGHT_CENTER;
    painter.text(
        pos2(rect.right() - 12.0, middle),
        anchor,
        shortcut,
        theme::small(),
        tokens.dim,
    );
    theme::focus_ring(ui, rect, &response);
    if response.clicked() {
        commands.push(Command::ShowPalette(true));
    }
}

/// At most `most` signs, the middle left out: a file's name tells most at both ends.
fn shorten(name: &str, most: usize) -> String {
    let signs: Vec<char> = name.chars().collect();
    if signs.len() <= most {
        return name.to_owned();
    }
    let tail = most / 2;
    let head = most - tail - 1;
    signs[..head]
        .iter()
        .chain(&['…'])
        .chain(&signs[signs.len() - tail..])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("short.mp4", 26), "short.mp4");
        let long = shorten("a_very_long_name_of_a_gameplay_recording.mp4", 21);
        assert_eq!(long.chars().count(), 21);
        assert!(long.starts_with("a_very") && long.ends_with("ording.mp4"));
    }
}
