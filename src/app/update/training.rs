//! The training form and its run.

use std::path::PathBuf;

use crate::app::App;
use crate::app::command::Command;
use crate::app::session::{EngineState, PathPurpose};

impl App {
    pub(super) fn apply_training(&mut self, command: Command) {
        let window = &mut self.state.window;
        match command {
            Command::ChooseCorpus => self.start_choosing(PathPurpose::Corpus),
            Command::SetCorpus(text) => {
                window.corpus = text;
                let folder = PathBuf::from(window.corpus.trim());
                self.state.training.corpus = None;
                self.state.training.problem = None;
                if folder.join("corpus.json").is_file() {
                    self.start_corpus_check(folder);
                }
            }
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
            Command::StopTraining => {
                if let Some(job) = self.state.training.job {
                    self.runner.cancel(job);
                }
            }
            Command::UsePack(name) => {
                self.state.choices.pack = None;
                self.state.settings.pack = name;
                self.reopen_engine();
            }
            _ => {}
        }
    }

    /// After another device or pack was chosen. Until the new engine is there, nothing is asked of the old one.
    pub(super) fn reopen_engine(&mut self) {
        self.state.engine = EngineState::Opening;
        self.start_engine();
    }
}
