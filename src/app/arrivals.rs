//! What finished jobs left, and what follows from it.

mod models;

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use eframe::egui::TextureOptions;

use super::App;
use super::command::Command;
use super::notes::NoteKind;
use super::picture::image_of;
use super::session::{Asking, ClipSound, EngineState, JobLine, export_words, file_name};
use super::work::{CacheWork, Opened, Outcome, Separated, Task};
use crate::engine::export::ExportReport;
use crate::engine::fine_tune::News;
use crate::engine::index::IndexReport;
use crate::engine::models::Inventory;
use crate::engine::suggest::SuggestReport;
use crate::jobs::JobState;
use crate::mix::MixGraph;

/// How often the library is read again while music is being added.
const LIBRARY_REST: Duration = Duration::from_secs(2);

impl App {
    /// Takes the news of the jobs.
    pub(super) fn take_arrivals(&mut self) {
        for (id, result) in self.runner.poll() {
            let Some(task) = self.tasks.get(&id).cloned() else {
                continue;
            };
            if task
                .session()
                .is_some_and(|session| session != self.state.session)
            {
                continue;
            }
            match result {
                Ok(outcome) => self.arrived(task, outcome),
                Err(error) => self.failed(task, &error),
            }
        }
        self.take_training_news();
        self.forget_small_jobs();
        self.state.jobs = self
            .runner
            .jobs()
            .iter()
            .map(|status| {
                let task = self.tasks.get(&status.id);
                JobLine {
                    status: status.clone(),
                    quiet: task.is_none_or(Task::is_quiet),
                    retry: task.and_then(Task::retry),
                }
            })
            .collect();
        self.reread_library();
    }

    /// Small jobs that ended well and questions that were asked again leave no line; a window that is open all day
    /// would gather thousands.
    fn forget_small_jobs(&mut self) {
        let (tasks, question) = (&self.tasks, self.question);
        self.runner.retain_ended(|job| {
            let failed = matches!(job.state, JobState::Failed(_));
            tasks.get(&job.id).is_some_and(|task| match task {
                Task::Suggest { question: asked, .. } => *asked == question,
                task => failed || !task.is_quiet(),
            })
        });
        let jobs = self.runner.jobs();
        if self.tasks.len() > jobs.len() {
            self.tasks.retain(|id, _| jobs.iter().any(|job| job.id == *id));
        }
    }

    pub(super) fn take_training_news(&mut self) {
        for news in self.training_news.iter().flat_map(Receiver::try_iter) {
            match news {
                News::Understood(item) => self.state.training.understood.push(item),
                News::Epoch(epoch) => self.state.training.curve.push(epoch),
            }
        }
    }

    /// While music is being added, the list grows before the job ends.
    fn reread_library(&mut self) {
        if self.state.library.indexing.is_some() {
            if self.library_read.elapsed() >= LIBRARY_REST {
                self.start_library(false);
            } else {
                self.ctx.request_repaint_after(LIBRARY_REST);
            }
        }
    }

    fn arrived(&mut self, task: Task, outcome: Outcome) {
        match outcome {
            Outcome::Engine(engine, inventory) => {
                if task
                    == (Task::Engine {
                        request: self.engine_request,
                    })
                {
                    self.engine_arrived(engine, inventory);
                }
            }
            Outcome::Opened(opened) => self.opened(*opened),
            Outcome::Preview(samples) => {
                if self
                    .state
                    .clip
                    .as_ref()
                    .is_some_and(|clip| clip.stems().is_none())
                {
                    self.load_preview(samples);
                }
            }
            Outcome::Thumbnails(frames) => {
                let textures = frames.iter().enumerate().map(|(at, frame)| {
                    self.ctx
                        .load_texture(format!("thumbnail {at}"), image_of(frame), TextureOptions::LINEAR)
                });
                let textures = textures.collect();
                if let Some(clip) = &mut self.state.clip {
                    clip.thumbnails = textures;
                }
            }
            Outcome::Separated(separated) => self.separated(*separated),
            Outcome::Suggested(report, seconds) => {
                if matches!(task, Task::Suggest { question, .. } if question == self.question) {
                    self.suggested(*report, seconds);
                }
            }
            Outcome::Candidate(excerpt) => {
                if let Task::Candidate(key) = task {
                    self.candidates.put(key, excerpt);
                }
            }
            Outcome::Level(gain_db) => {
                if let Task::Level(key) = task {
                    self.level_arrived(&key, gain_db);
                }
            }
            Outcome::Tracks(tracks) => self.library_arrived(tracks),
            Outcome::Indexed(report) => self.indexed(&report),
            Outcome::Corpus(report) => {
                self.state.training.checking = false;
                self.state.training.corpus = Some(report);
            }
            Outcome::Gathered(folder) => {
                self.apply(Command::SetCorpus(folder.to_string_lossy().into_owned()));
            }
            Outcome::Runs(unfinished) => {
                let running = self.state.training.job.and(self.state.training.pack.clone());
                self.state.training.unfinished = unfinished
                    .into_iter()
                    .filter(|run| Some(&run.name) != running.as_ref())
                    .collect();
            }
            Outcome::Trained(report) => {
                let text = format!("The model {} is trained", file_name(&report.pack));
                let action = self
                    .state
                    .training
                    .pack
                    .clone()
                    .map(|pack| ("Use it".to_owned(), Command::UsePack(pack)));
                self.state.notes.add(NoteKind::Good, text, action);
                self.take_training_news();
                self.state.training.job = None;
                self.state.training.report = Some(report);
            }
            Outcome::Cache(work, trimmed) => {
                self.state.cache_bytes = Some(trimmed.left_bytes);
                if work == CacheWork::Clear {
                    let text = format!("{} are free again", crate::words::bytes(trimmed.freed_bytes));
                    self.state.notes.add(NoteKind::Good, text, None);
                }
            }
            Outcome::Exported(report) => self.exported(report),
            Outcome::Models(inventory) => self.state.models.inventory = inventory,
            Outcome::Verified(verdicts) => self.models_verified(verdicts),
            Outcome::Pack(pack) => self.pack_arrived(&task, &pack),
            Outcome::Removed(name) => self.pack_removed(&name),
            Outcome::Chosen(purpose, paths) => {
                if !paths.is_empty() {
                    self.apply(Command::Chosen(purpose, paths));
                }
            }
            Outcome::Done => {}
        }
    }

    fn engine_arrived(&mut self, engine: std::sync::Arc<crate::engine::Engine>, inventory: Inventory) {
        self.state.engine = EngineState::Ready(engine);
        self.state.models.inventory = inventory;
        self.start_library(false);
        self.start_listing_runs(None);
        let music = std::mem::take(&mut self.wanted_music);
        if !music.is_empty() {
            self.start_index(music);
        }
        self.separate_and_ask();
    }

    /// Starts what needs both the engine and an understood clip.
    pub(super) fn separate_and_ask(&mut self) {
        let Some(clip) = &self.state.clip else {
            return;
        };
        let (path, waits) = (clip.path.clone(), matches!(clip.sound, ClipSound::Unknown));
        if clip.info.is_none() {
            return;
        }
        if waits && self.state.has_sound() {
            self.start_separation(path);
        }
        self.ask_soon(Duration::ZERO);
    }

    fn opened(&mut self, opened: Opened) {
        let returning = self.returning.take();
        let Some(clip) = &mut self.state.clip else {
            return;
        };
        let (path, duration_s) = (clip.path.clone(), opened.info.duration_s);
        let (picture, sound) = (!opened.info.video.is_empty(), !opened.info.audio.is_empty());
        clip.sound = if sound {
            ClipSound::Unknown
        } else {
            ClipSound::Silent
        };
        clip.info = Some(opened.info);
        self.follower = match opened.follower.transpose() {
            Ok(follower) => follower,
            Err(error) => {
                self.state.notes.error(error.to_string());
                None
            }
        };
        if let Some(edit) = returning {
            self.state.history = crate::project::History::new(edit);
        }
        self.load_silence(duration_s);
        if sound {
            self.start_preview(path.clone(), duration_s);
        } else {
            self.state
                .notes
                .info("This video has no sound: music is matched by the picture alone");
        }
        if picture {
            self.start_thumbnails(path);
        } else {
            self.state
                .notes
                .info("This file has no picture: music is matched by the voice alone");
        }
        self.separate_and_ask();
    }

    fn separated(&mut self, separated: Separated) {
        let Some(clip) = &mut self.state.clip else {
            return;
        };
        let rms = separated.stems.levels.rms.clone();
        clip.sound = ClipSound::Separated(Box::new(separated.stems));
        self.stems_lease = separated.lease;
        self.start_cache(CacheWork::Trim);
        self.load_graph(MixGraph::new(
            Box::new(separated.voice_source),
            Box::new(separated.original_source),
            rms,
        ));
    }

    fn suggested(&mut self, report: SuggestReport, seconds: f64) {
        let suggestions = &mut self.state.suggestions;
        // The music that is being listened to stays selected where it is still listed.
        let kept = suggestions
            .selected
            .and_then(|at| suggestions.rows.get(at))
            .map(|suggestion| suggestion.track_id);
        suggestions.asking = Asking::Answered;
        suggestions.answered_in_s = Some(seconds);
        suggestions.report = Some(report);
        self.list_suggestions();
        let suggestions = &mut self.state.suggestions;
        suggestions.selected =
            kept.and_then(|track| suggestions.rows.iter().position(|row| row.track_id == track));
    }

    /// What is listed of the last report: the filter's local part, without hidden tracks, at most as many as wanted.
    pub(super) fn list_suggestions(&mut self) {
        let (library, filter) = (&self.state.library, &self.state.filter);
        let Some(report) = &self.state.suggestions.report else {
            return;
        };
        self.state.suggestions.rows = report
            .suggestions
            .iter()
            .filter(|suggestion| {
                library
                    .track(crate::library::TrackId(suggestion.track_id))
                    .is_none_or(|track| !track.hidden && filter.takes_locally(track))
            })
            .take(self.state.settings.top)
            .cloned()
            .collect();
    }

    fn library_arrived(&mut self, tracks: Vec<crate::library::Track>) {
        let before = self.state.library.usable();
        self.state.library.problem = None;
        self.state.library.set_tracks(tracks, &self.state.filter);
        let few = self.state.suggestions.rows.len() < self.state.settings.top;
        if self.state.library.usable() > before && few && self.state.suggestions.asking != Asking::Running {
            self.ask_soon(Duration::ZERO);
        }
    }

    fn indexed(&mut self, report: &IndexReport) {
        self.state.library.indexing = None;
        self.start_library(false);
        if report.indexed > 0 {
            self.ask_soon(Duration::from_millis(50));
        }
        let failed = report.failed.len();
        if failed > 0 {
            let files = if failed == 1 {
                "1 file".to_owned()
            } else {
                format!("{failed} files")
            };
            self.state.notes.add(
                NoteKind::Info,
                format!("{files} could not be added; the jobs list says why"),
                Some(("Show".to_owned(), Command::ShowJobs(true))),
            );
        }
    }

    /// The dialog that waited tells; without one, a note.
    fn exported(&mut self, report: ExportReport) {
        if let Some(dialog) = &mut self.state.export {
            dialog.job = None;
            dialog.done = Some(report);
        } else {
            let text = format!("Exported {}: {}", report.out.display(), export_words(&report));
            self.state.notes.add(NoteKind::Good, text, None);
        }
    }

    /// Asks for suggestions after `rest`, in place of any question that waits, but no later than that one: a slider that
    /// keeps moving is answered on the way.
    pub(super) fn ask_soon(&mut self, rest: Duration) {
        if self.state.has_clip() {
            let due = Instant::now() + rest;
            let waiting = self.state.suggestions.due.unwrap_or(due);
            self.state.suggestions.due = Some(due.min(waiting));
            self.ctx.request_repaint_after(rest);
        }
    }
}
