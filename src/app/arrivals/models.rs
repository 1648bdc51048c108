//! What the jobs of the model manager left.

use std::path::PathBuf;

use crate::app::App;
use crate::app::command::Command;
use crate::app::notes::NoteKind;
use crate::app::session::Subject;
use crate::app::work::Task;
use crate::networks::weights::Pack;

impl App {
    pub(super) fn models_verified(&mut self, verdicts: Vec<(PathBuf, Option<String>)>) {
        let models = &mut self.state.models;
        models.verifying = None;
        let damaged = verdicts.iter().filter(|(_, problem)| problem.is_some()).count();
        models.verified = verdicts.into_iter().collect();
        if damaged > 0 && !models.shown {
            let text = format!("{} damaged", crate::words::count(damaged, "model"));
            let action = ("Show".to_owned(), Command::ShowModels(true));
            self.state.notes.add(NoteKind::Error, text, Some(action));
        }
    }

    /// A pack was imported, downloaded or repaired.
    pub(super) fn pack_arrived(&mut self, task: &Task, pack: &Pack) {
        let models = &mut self.state.models;
        match task {
            Task::Fetch(subject) => {
                models.fetching.remove(subject);
            }
            Task::Import => models.import = None,
            _ => {}
        }
        models.verified.remove(&pack.folder);
        let name = &pack.manifest.name;
        let is_in_use = self.state.pack() == name;
        let text = format!("The model {name} is installed");
        let action = ("Use it".to_owned(), Command::UsePack(name.clone()));
        // The list of models has a button of its own, and a note under a dialog cannot be clicked.
        let action = Some(action).filter(|_| !is_in_use && !self.state.models.shown);
        self.state.notes.add(NoteKind::Good, text, action);
        if is_in_use {
            self.reopen_engine();
        } else {
            self.start_models();
        }
    }

    pub(super) fn pack_removed(&mut self, name: &str) {
        let window = &mut self.state.window;
        window.previous_pack = window.previous_pack.take().filter(|before| before != name);
        self.state.models.problems.remove(&Subject::Pack(name.to_owned()));
        self.state.notes.info(format!("The model {name} is removed"));
        self.start_models();
    }

    pub(in crate::app) fn fetch_failed(&mut self, subject: Subject, sentence: String, cancelled: bool) {
        let models = &mut self.state.models;
        models.fetching.remove(&subject);
        if !cancelled {
            models.problems.insert(subject, sentence.clone());
            if !models.shown {
                self.state.notes.error(sentence);
            }
        }
        // What came so far is what the next one goes on from.
        self.start_models();
    }

    pub(in crate::app) fn import_failed(&mut self, sentence: String, cancelled: bool) {
        match &mut self.state.models.import {
            Some(form) => {
                form.job = None;
                form.problem = Some(sentence).filter(|_| !cancelled);
            }
            None if !cancelled => self.state.notes.error(sentence),
            None => {}
        }
    }
}
