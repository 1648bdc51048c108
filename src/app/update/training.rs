//! The training form and its run.

use std::path::PathBuf;

use crate::app::App;
use crate::app::command::Command;
use crate::app::notes::NoteKind;
use crate::app::session::{Ending, EngineState, PathPurpose};

impl App {
    pub(super) fn apply_training(&mut self, command: Command) {
        let window = &mut self.state.window;
        match command {
            Command::ChooseCorpus => self.start_choosing(PathPurpose::Corpus),
            Command::PickVideos => self.start_choosing(PathPurpose::FinishedVideos),
            Command::SetCorpus(text) => {
                window.corpus = text;
                let folder = PathBuf::from(window.corpus.trim());
                self.state.training.corpus = None;
                self.state.training.problem = None;
                if folder.join("corpus.json").is_file() {
                    self.start_corpus_check(folder);
                }
            }
            Command::SetUntil(until) => window.until = until,
            Command::SetEpochs(epochs) => window.epochs = epochs.clamp(1, 10_000),
            Command::SetScope(scope) => window.scope = scope,
            Command::SetSeed(seed) => window.seed = seed,
            // The name becomes a folder's.
            Command::SetPackName(name) => {
                window.pack_name = name
                    .chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ' | '.'))
                    .collect();
            }
            Command::StartTraining => self.start_training(),
            Command::PauseTraining => self.end_training(Ending::Pause),
            Command::StopTraining => self.end_training(Ending::Discard),
            Command::ResumeTraining(name) => {
                let runs = &self.state.training.unfinished;
                if let Some(run) = runs.iter().find(|run| run.name == name).cloned() {
                    self.run_training(run.name, run.request);
                }
            }
            Command::DiscardModel(name) => self.discard_model(&name),
            Command::UsePack(name)
                if self.state.settings.pack != name || self.state.choices.pack.is_some() =>
            {
                self.state.choices.pack = None;
                let before = std::mem::replace(&mut self.state.settings.pack, name.clone());
                // The list of models has a way back of its own.
                if !self.state.models.shown {
                    let back = (format!("Back to {before}"), Command::RollBack);
                    let text = format!("Using the model {name}");
                    self.state.notes.add(NoteKind::Info, text, Some(back));
                }
                self.state.window.previous_pack = Some(before);
                self.reopen_engine();
            }
            Command::RollBack => {
                if let Some(before) = self.state.window.previous_pack.take() {
                    self.state.choices.pack = None;
                    self.state.settings.pack = before;
                    self.reopen_engine();
                }
            }
            _ => {}
        }
    }

    fn end_training(&mut self, ending: Ending) {
        if let Some(job) = self.state.training.job {
            self.state.training.ending = ending;
            self.runner.cancel(job);
        }
    }

    /// Removes a run with all it made; the model in use stays.
    fn discard_model(&mut self, name: &str) {
        if self.state.settings.pack == name {
            return;
        }
        let training = &mut self.state.training;
        if training.pack.as_deref() == Some(name) {
            training.report = None;
            training.problem = None;
            training.understood.clear();
            training.curve.clear();
            training.pack = None;
        }
        self.start_listing_runs(Some(name));
    }

    /// After another device or pack was chosen. Until the new engine is there, nothing is asked of the old one.
    pub(in crate::app) fn reopen_engine(&mut self) {
        self.state.engine = EngineState::Opening;
        self.start_engine();
    }
}
