//! What failed jobs leave: the one place where each error is shown.

use super::App;
use super::command::Command;
use super::notes::NoteKind;
use super::session::{Asking, ClipSound, Ending, EngineState};
use super::work::Task;
use crate::error::Error;

impl App {
    pub(super) fn failed(&mut self, task: Task, error: &Error) {
        let cancelled = error.is_cancelled();
        let sentence = error.to_string();
        tracing::debug!(?task, "a job failed: {sentence}");
        match task {
            Task::Engine { request } if request == self.engine_request => {
                self.state.engine = EngineState::Failed(sentence.clone());
                let action = Some(("Settings…".to_owned(), Command::ShowSettings(true)));
                self.state.notes.add(NoteKind::Error, sentence, action);
            }
            Task::Open { .. } => {
                self.returning = None;
                if let Some(clip) = &mut self.state.clip {
                    clip.problem = Some(sentence);
                }
            }
            Task::Separate { .. } => {
                if let Some(clip) = &mut self.state.clip {
                    clip.sound = ClipSound::Failed(sentence);
                }
            }
            Task::Suggest { question, .. } if question == self.question => {
                self.state.suggestions.asking = if cancelled {
                    Asking::Idle
                } else {
                    Asking::Failed(sentence)
                };
            }
            Task::Candidate(key) if !cancelled => {
                self.mixed.failed.push(key);
                self.state.notes.error(sentence);
            }
            Task::Library => self.state.library.problem = Some(sentence),
            Task::Index(_) => {
                self.state.library.indexing = None;
                self.start_library(false);
                if !cancelled {
                    self.state.notes.error(sentence);
                }
            }
            Task::Corpus(_) => {
                self.state.training.checking = false;
                self.state.training.problem = Some(sentence).filter(|_| !cancelled);
            }
            Task::Train => {
                self.take_training_news();
                let training = &mut self.state.training;
                training.job = None;
                training.problem = Some(sentence).filter(|_| !cancelled);
                let discarded = training
                    .pack
                    .clone()
                    .filter(|_| cancelled && training.ending == Ending::Discard);
                if discarded.is_some() {
                    training.understood.clear();
                    training.curve.clear();
                }
                self.start_listing_runs(discarded.as_deref());
            }
            Task::Export => match &mut self.state.export {
                Some(dialog) => {
                    dialog.job = None;
                    dialog.problem = Some(sentence).filter(|_| !cancelled);
                }
                None if !cancelled => self.state.notes.error(sentence),
                None => {}
            },
            Task::Fetch(subject) => self.fetch_failed(subject, sentence, cancelled),
            Task::Import => self.import_failed(sentence, cancelled),
            Task::Verify => self.state.models.verifying = None,
            Task::Gather => self.state.training.problem = Some(sentence).filter(|_| !cancelled),
            Task::Mark | Task::Choose | Task::Save | Task::Runs | Task::Remove if !cancelled => {
                self.state.notes.error(sentence);
            }
            // The timeline does without pictures, and the sound is heard once it is separated; the log has the reason.
            Task::Thumbnails { .. } | Task::Preview { .. } | Task::Level(_) if !cancelled => {
                tracing::warn!("{sentence}");
            }
            _ => {}
        }
    }
}
