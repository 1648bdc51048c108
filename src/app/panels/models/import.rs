//! The form that imports a network from a file.

use eframe::egui::{self, Align, Grid, Layout, RichText, TextEdit, Ui, vec2};

use crate::app::command::Command;
use crate::app::panels::{Commands, status};
use crate::app::session::{Import, ImportForm, State};
use crate::app::theme;
use crate::app::widgets::choice::drop_down;
use crate::networks::weights::Network;

const WIDTH: f32 = 560.0;

pub(super) fn import_ui(ui: &mut Ui, form: &ImportForm, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    ui.set_width(WIDTH);
    ui.label(RichText::new("Import a network").font(theme::heading()));
    let hint = "An official checkpoint of PyTorch, Caffe2 or TensorFlow, a release archive, or safetensors. It is only \
                read; nothing in it can run.";
    ui.add(egui::Label::new(RichText::new(hint).color(tokens.muted)).wrap());
    ui.add_space(4.0);
    let job = form
        .job
        .and_then(|id| state.jobs.iter().find(|job| job.id == id && job.is_running()));
    ui.add_enabled_ui(job.is_none(), |ui| form_ui(ui, form, state, commands));
    if let Some(problem) = &form.problem {
        ui.add(egui::Label::new(RichText::new(problem).color(tokens.error)).wrap());
    }
    ui.add_space(8.0);
    if let Some(job) = job {
        ui.horizontal(|ui| {
            status::progress_bar(ui, job, 240.0);
            ui.label(theme::small_text(status::job_words(job)).color(tokens.muted));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button("Cancel import").clicked() {
                    commands.push(Command::CancelJob(job.id));
                }
            });
        });
        return;
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let start = Command::StartImport;
        let button = theme::primary_button(tokens, "Import");
        if ui.add_enabled(start.enabled(state), button).clicked() {
            commands.push(start);
        }
        if ui.button("Back to the models").clicked() {
            commands.push(Command::CloseImport);
        }
    });
}

fn form_ui(ui: &mut Ui, form: &ImportForm, state: &State, commands: &mut Commands) {
    let import = &form.import;
    let mut set = |import: Import| commands.push(Command::SetImport(import));
    let mut browse = false;
    Grid::new("import")
        .num_columns(2)
        .spacing(vec2(20.0, 10.0))
        .show(ui, |ui| {
            let label = ui.label("File");
            ui.horizontal(|ui| {
                let mut path = import.path.clone();
                let width = if state.dialogs { 330.0 } else { 420.0 };
                let field = TextEdit::singleline(&mut path)
                    .hint_text("/path/to/checkpoint")
                    .desired_width(width)
                    .margin(vec2(8.0, 5.0));
                if ui
                    .add(field)
                    .labelled_by(label.id)
                    .accessible_name("Checkpoint file")
                    .changed()
                {
                    set(Import {
                        path,
                        ..import.clone()
                    });
                }
                browse = state.dialogs && ui.button("Browse…").clicked();
            });
            ui.end_row();

            let label = ui.label("Holds");
            let networks: Vec<(Option<Network>, String)> =
                std::iter::once((None, "what its parameters say".to_owned()))
                    .chain(
                        Network::OF_A_PACK.map(|network| (Some(network), network_word(network).to_owned())),
                    )
                    .collect();
            if let Some(network) = drop_down(ui, "Holds", import.network, &networks, 260.0, Some(label.id)) {
                set(Import {
                    network,
                    ..import.clone()
                });
            }
            ui.end_row();

            let label = ui.label("New model");
            let mut name = import.name.clone();
            let field = TextEdit::singleline(&mut name)
                .hint_text(default_name(import, state))
                .desired_width(260.0)
                .margin(vec2(8.0, 5.0));
            if ui
                .add(field)
                .labelled_by(label.id)
                .accessible_name("Name of the new model")
                .changed()
            {
                set(Import {
                    name,
                    ..import.clone()
                });
            }
            ui.end_row();
        });
    if browse {
        commands.push(Command::BrowseCheckpoint);
    }
    let name = import.name.trim();
    if state
        .models
        .inventory
        .packs
        .iter()
        .any(|pack| pack.own && pack.name == name)
    {
        let text = format!("There is a model {name}; it is replaced.");
        ui.label(RichText::new(text).color(theme::tokens(ui).muted));
    }
}

fn default_name(import: &Import, state: &State) -> String {
    let network = import
        .network
        .map_or_else(|| "network".to_owned(), |network| network.to_string());
    format!("{}+{network}", state.pack())
}

fn network_word(network: Network) -> &'static str {
    match network {
        Network::SlowFast => "SlowFast (picture)",
        Network::Vggish => "VGGish (sound)",
        Network::Spleeter => "Spleeter (separation)",
        Network::Mrcmv => "MRCMV (matching)",
        Network::Cmmr => "CMMR (baseline)",
        Network::Cbvmr => "CBVMR (baseline)",
    }
}
