//! Jobs of the music: asking, decoding candidates, the library.

use std::path::{Path, PathBuf};

use super::{Mark, Outcome, Task};
use crate::app::App;
use crate::app::candidates::{CandidateKey, Excerpt};
use crate::app::session::{Asking, Candidate};
use crate::engine::embed::VoiceSource;
use crate::engine::index::{Songs, index};
use crate::engine::suggest::{SuggestRequest, suggest};
use crate::error::Result;
use crate::library::{Library, TrackId};

/// Suggestions asked for when the list is narrowed here.
const NARROWED_TOP: usize = 500;

impl App {
    /// Asks for music for the current window; an older question is withdrawn.
    pub(in crate::app) fn start_suggest(&mut self) {
        self.state.suggestions.due = None;
        let (Some(engine), Some(clip)) = (self.state.engine.ready().cloned(), &self.state.clip) else {
            return;
        };
        if clip.info.is_none() || self.state.library.usable() == 0 {
            return;
        }
        let filter = &self.state.filter;
        let request = SuggestRequest {
            media: clip.path.clone(),
            top: if filter.narrows_locally() {
                NARROWED_TOP
            } else {
                self.state.settings.top
            },
            start_s: self.state.history.edit().window_start_s,
            voice: VoiceSource::Separated,
            balance: f64::from(self.state.settings.balance),
            tags: filter.tags.clone(),
            text: Some(filter.text.trim().to_owned()).filter(|text| !text.is_empty()),
        };
        self.cancel_tasks(|task| matches!(task, Task::Suggest { .. }));
        self.question += 1;
        let task = Task::Suggest {
            session: self.state.session,
            question: self.question,
        };
        self.state.suggestions.asking = Asking::Running;
        self.start("Suggest music", task, move |monitor| {
            let started = std::time::Instant::now();
            let report = suggest(&engine, &request, monitor)?;
            Ok(Outcome::Suggested(
                Box::new(report),
                started.elapsed().as_secs_f64(),
            ))
        });
    }

    pub(in crate::app) fn start_candidate(&mut self, candidate: &Candidate, clip_s: f64) {
        let key = CandidateKey::of(candidate, clip_s);
        if self
            .running(|task| *task == Task::Candidate(key.clone()))
            .is_some()
        {
            return;
        }
        let (from_s, span_s) = key.span();
        let (path, duration_s) = (candidate.path.clone(), candidate.duration_s);
        self.start("Read a track", Task::Candidate(key), move |monitor| {
            Excerpt::decode(&path, from_s, span_s, duration_s, monitor).map(Outcome::Candidate)
        });
    }

    /// Reads the library anew; with `check_files` it also looks which files are gone.
    pub(in crate::app) fn start_library(&mut self, check_files: bool) {
        if self.running(|task| *task == Task::Library).is_some() {
            return;
        }
        let path = self.state.library_path();
        self.library_read = std::time::Instant::now();
        self.start("Read the library", Task::Library, move |_| {
            let library = open_library(&path)?;
            if check_files {
                library.refresh_missing()?;
            }
            library.tracks().map(Outcome::Tracks)
        });
    }

    pub(in crate::app) fn start_mark(&mut self, id: TrackId, mark: Mark) {
        let path = self.state.library_path();
        self.start("Change the library", Task::Mark, move |_| {
            let library = open_library(&path)?;
            match mark {
                Mark::Favourite(favourite) => library.set_favourite(id, favourite)?,
                Mark::Hidden(hidden) => library.set_hidden(id, hidden)?,
                Mark::Forget => library.forget(id)?,
            }
            Ok(Outcome::Done)
        });
    }

    pub(in crate::app) fn start_index(&mut self, paths: Vec<PathBuf>) {
        let Some(engine) = self.state.engine.ready().cloned() else {
            self.wanted_music.extend(paths);
            return;
        };
        let task = Task::Index(paths.clone());
        let id = self.start("Index music", task, move |monitor| {
            index(&engine, &paths, Songs::Auto, monitor).map(Outcome::Indexed)
        });
        self.state.library.indexing = Some(id);
    }
}

fn open_library(path: &Path) -> Result<Library> {
    if let Some(folder) = path.parent() {
        crate::settings::Folders::ensure(folder)?;
    }
    Library::open(path)
}
