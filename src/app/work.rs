//! What runs beside the window: each engine call as a job, and what it leaves behind.
//!
//! A task says what a job was for, so that its end is understood whether it succeeded or not. Results that belong to a
//! clip carry its session; `arrivals` drops the stale ones.

mod clip;
mod files;
mod model;
mod models;
mod music;

use std::path::PathBuf;
use std::sync::Arc;

use super::App;
use super::candidates::{CandidateKey, Excerpt};
use super::command::Command;
use super::level::LevelKey;
use super::session::{PathPurpose, Subject};
use super::stems::Stems;
use crate::engine::Engine;
use crate::engine::cache::{Lease, Trimmed};
use crate::engine::corpus::CorpusReport;
use crate::engine::export::ExportReport;
use crate::engine::fine_tune::{FineTuneReport, Unfinished};
use crate::engine::index::IndexReport;
use crate::engine::models::Inventory;
use crate::engine::suggest::SuggestReport;
use crate::error::Result;
use crate::jobs::{JobId, Monitor};
use crate::library::Track;
use crate::media::{Frame, MediaInfo, VideoFollower};
use crate::mix::StemFile;
use crate::networks::weights::Pack;

/// What a job is for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Task {
    Engine { request: u64 },
    Open { session: u64, path: PathBuf },
    Preview { session: u64 },
    Thumbnails { session: u64 },
    Separate { session: u64 },
    Suggest { session: u64, question: u64 },
    Candidate(CandidateKey),
    Level(Box<LevelKey>),
    Library,
    Mark,
    Index(Vec<PathBuf>),
    Corpus(PathBuf),
    Gather,
    Runs,
    Train,
    Export,
    Models,
    Verify,
    Fetch(Subject),
    Import,
    Remove,
    Choose,
    Save,
    Cache,
}

/// What is done to the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CacheWork {
    /// Kept within its size.
    Trim,
    /// Emptied of all that is not open.
    Clear,
}

impl Task {
    /// The clip it belongs to.
    pub(super) fn session(&self) -> Option<u64> {
        match self {
            Self::Open { session, .. }
            | Self::Preview { session }
            | Self::Thumbnails { session }
            | Self::Separate { session }
            | Self::Suggest { session, .. } => Some(*session),
            _ => None,
        }
    }

    /// Small and frequent; not worth a line unless it fails.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(
            self,
            Self::Engine { .. }
                | Self::Preview { .. }
                | Self::Thumbnails { .. }
                | Self::Candidate(_)
                | Self::Level(_)
                | Self::Library
                | Self::Gather
                | Self::Runs
                | Self::Models
                | Self::Remove
                | Self::Mark
                | Self::Choose
                | Self::Save
                | Self::Cache
        )
    }

    /// What starts it again.
    pub(super) fn retry(&self) -> Option<Command> {
        match self {
            Self::Open { path, .. } => Some(Command::OpenMedia(path.clone())),
            Self::Separate { .. } => Some(Command::SeparateAgain),
            Self::Suggest { .. } => Some(Command::AskAgain),
            Self::Index(paths) => Some(Command::AddMusic(paths.clone())),
            Self::Library => Some(Command::RefreshLibrary),
            Self::Train => Some(Command::StartTraining),
            Self::Export => Some(Command::Export),
            Self::Verify => Some(Command::VerifyModels),
            Self::Fetch(subject) => Some(Command::FetchModel(subject.clone())),
            _ => None,
        }
    }
}

/// What a finished job leaves.
pub(super) enum Outcome {
    Engine(Arc<Engine>, Inventory),
    Opened(Box<Opened>),
    Preview(Arc<[f32]>),
    Thumbnails(Vec<Frame>),
    Separated(Box<Separated>),
    Suggested(Box<SuggestReport>, f64),
    Candidate(Excerpt),
    /// The master gain for the loudness target, dB.
    Level(f32),
    Tracks(Vec<Track>),
    Indexed(IndexReport),
    Corpus(CorpusReport),
    /// A corpus made of the user's videos.
    Gathered(PathBuf),
    Runs(Vec<Unfinished>),
    Trained(FineTuneReport),
    Exported(ExportReport),
    Models(Inventory),
    Verified(Vec<(PathBuf, Option<String>)>),
    /// A pack was imported, downloaded or repaired.
    Pack(Pack),
    Removed(String),
    Chosen(PathPurpose, Vec<PathBuf>),
    Cache(CacheWork, Trimmed),
    Done,
}

/// A clip that was opened.
pub(super) struct Opened {
    pub info: MediaInfo,
    /// `None` without a picture; a picture that cannot be decoded does not keep the sound from being heard.
    pub follower: Option<Result<VideoFollower>>,
}

/// The stems of a clip, measured and ready to play.
pub(super) struct Separated {
    pub stems: Stems,
    pub voice_source: StemFile,
    pub original_source: StemFile,
    pub lease: Option<Lease>,
}

/// A change of one track's marks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    Favourite(bool),
    Hidden(bool),
    Forget,
}

impl App {
    pub(super) fn start(
        &mut self,
        title: impl Into<String>,
        task: Task,
        work: impl FnOnce(&Monitor) -> Result<Outcome> + Send + 'static,
    ) -> JobId {
        let ctx = self.ctx.clone();
        let id = self.runner.start(title, move || ctx.request_repaint(), work);
        self.tasks.insert(id, task);
        id
    }

    /// The job that does `wanted`, if one runs.
    pub(super) fn running(&self, wanted: impl Fn(&Task) -> bool) -> Option<JobId> {
        self.runner
            .jobs()
            .iter()
            .filter(|job| job.is_running())
            .map(|job| job.id)
            .find(|id| self.tasks.get(id).is_some_and(&wanted))
    }

    pub(super) fn cancel_tasks(&mut self, which: impl Fn(&Task) -> bool) {
        let ids: Vec<JobId> = self
            .runner
            .jobs()
            .iter()
            .filter(|job| job.is_running() && self.tasks.get(&job.id).is_some_and(&which))
            .map(|job| job.id)
            .collect();
        ids.into_iter().for_each(|id| self.runner.cancel(id));
    }
}
