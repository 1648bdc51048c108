//! The model manager.

use super::files::typed_path;
use crate::app::App;
use crate::app::command::Command;
use crate::app::session::{ImportForm, PathPurpose, Subject};

impl App {
    pub(super) fn apply_models(&mut self, command: Command) {
        let models = &mut self.state.models;
        match command {
            Command::ShowModels(show) => {
                models.shown = show;
                models.removing = None;
                models.import = None;
                if show {
                    self.start_models();
                }
            }
            Command::VerifyModels if models.verifying.is_none() => {
                let job = self.start_verifying();
                self.state.models.verifying = Some(job);
            }
            Command::FetchModel(subject) => self.fetch(subject),
            Command::DiscardDownload(name) => {
                models.problems.remove(&Subject::Source(name.clone()));
                self.start_discarding(&name);
            }
            Command::AskRemoveModel(name) => models.removing = name,
            Command::RemoveModel(name) => {
                models.removing = None;
                self.start_removing(name);
            }
            Command::ImportModel => {
                models.shown = true;
                models.import = Some(ImportForm::default());
                self.start_models();
            }
            Command::BrowseCheckpoint => self.start_choosing(PathPurpose::Checkpoint),
            Command::SetImport(import) => {
                if let Some(form) = &mut models.import {
                    form.import = import;
                    form.problem = None;
                }
            }
            Command::StartImport => self.import(),
            Command::CloseImport => models.import = None,
            _ => {}
        }
    }

    fn fetch(&mut self, subject: Subject) {
        if self.state.models.fetching.contains_key(&subject) {
            return;
        }
        self.state.models.problems.remove(&subject);
        if let Some(job) = self.start_fetching(&subject) {
            self.state.models.fetching.insert(subject, job);
        }
    }

    fn import(&mut self) {
        let Some(form) = &mut self.state.models.import else {
            return;
        };
        let file = typed_path(&form.import.path);
        form.problem = if form.import.path.trim().is_empty() {
            Some("type or paste the path of a checkpoint".to_owned())
        } else if !file.is_file() {
            Some(format!(
                "{}: there is no such file; check the path",
                file.display()
            ))
        } else {
            None
        };
        if form.problem.is_some() {
            return;
        }
        let import = form.import.clone();
        let job = self.start_importing(&import, file);
        if let Some(form) = &mut self.state.models.import {
            form.job = job;
        }
    }
}
