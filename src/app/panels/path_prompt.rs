//! A path field where the desktop has no file dialog.

use eframe::egui::{Align, Context, Id, Key, Layout, Modal, RichText, TextEdit, vec2};

use super::Commands;
use crate::app::command::Command;
use crate::app::session::{PathPurpose, State};
use crate::app::theme;

pub(super) fn path_window(ctx: &Context, state: &State, commands: &mut Commands) {
    let Some(prompt) = &state.prompt else {
        return;
    };
    let modal = Modal::new(Id::unique("path"))
        .frame(super::settings::dialog_frame(ctx))
        .show(ctx, |ui| {
            let tokens = theme::tokens(ui);
            ui.set_width(520.0);
            ui.label(RichText::new(prompt.purpose.title()).font(theme::heading()));
            let hint = match prompt.purpose {
                PathPurpose::Video => "Type or paste the path of a video, or drop it on the window.",
                PathPurpose::MusicFolder => "Type or paste the path of a folder, or drop it on the window.",
                PathPurpose::MusicFiles => "Type or paste the path of a track, or drop tracks on the window.",
                PathPurpose::Corpus => "Type or paste the path of the folder with corpus.json.",
                PathPurpose::FinishedVideos => "Type or paste the path of a folder of finished videos.",
                PathPurpose::Checkpoint => "Type or paste the path of a checkpoint.",
                PathPurpose::Export => "Type or paste the path of the file to write.",
            };
            ui.label(RichText::new(hint).color(tokens.muted));
            let mut text = prompt.text.clone();
            let field = TextEdit::singleline(&mut text)
                .hint_text("/path/to/…")
                .desired_width(f32::INFINITY);
            let response = ui.add(field.margin(vec2(8.0, 6.0))).accessible_name("Path");
            if prompt.text.is_empty() && !response.has_focus() && !response.lost_focus() {
                response.request_focus();
            }
            if response.changed() {
                commands.push(Command::SetPathText(text));
            }
            let enter = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            if let Some(problem) = &prompt.problem {
                ui.label(RichText::new(problem).color(tokens.error));
            }
            ui.add_space(8.0);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let accept = ui.add(theme::primary_button(tokens, accept_word(prompt.purpose)));
                if accept.clicked() || enter {
                    commands.push(Command::AcceptPath);
                }
                if ui.button("Cancel").clicked() {
                    commands.push(Command::ClosePath);
                }
            });
        });
    if modal.should_close() {
        commands.push(Command::ClosePath);
    }
}

fn accept_word(purpose: PathPurpose) -> &'static str {
    match purpose {
        PathPurpose::Video => "Open",
        PathPurpose::MusicFolder | PathPurpose::MusicFiles => "Add",
        PathPurpose::Corpus | PathPurpose::FinishedVideos | PathPurpose::Checkpoint | PathPurpose::Export => {
            "Choose"
        }
    }
}
