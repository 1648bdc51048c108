//! What stands over the window: dialogs, the palette, the list of jobs.

use crate::app::command::Command;
use crate::engine::export::ExportReport;
use crate::jobs::{JobId, JobState, JobStatus};

/// What a path that the user gives is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum PathPurpose {
    Video,
    MusicFolder,
    MusicFiles,
    Corpus,
    FinishedVideos,
    Checkpoint,
    Export,
}

impl PathPurpose {
    /// Title of the dialog.
    pub(in crate::app) fn title(self) -> &'static str {
        match self {
            Self::Video => "Open video",
            Self::MusicFolder => "Add music folder",
            Self::MusicFiles => "Add music files",
            Self::Corpus => "Choose the corpus folder",
            Self::FinishedVideos => "Pick finished videos",
            Self::Checkpoint => "Choose the checkpoint",
            Self::Export => "Export to",
        }
    }
}

/// The open export dialog.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct ExportDialog {
    pub path: String,
    /// The file is there; ask before replacing it.
    pub confirm: bool,
    pub job: Option<JobId>,
    pub problem: Option<String>,
    /// The file was written: what came of it.
    pub done: Option<ExportReport>,
}

/// The path field that stands in for a file dialog.
#[derive(Debug, Clone)]
pub(in crate::app) struct PathPrompt {
    pub purpose: PathPurpose,
    pub text: String,
    /// Why there is a field and no dialog.
    pub problem: Option<String>,
}

/// The open palette.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct PaletteState {
    pub query: String,
    pub selected: usize,
}

/// A job as the window lists it.
#[derive(Debug, Clone)]
pub(in crate::app) struct JobLine {
    pub status: JobStatus,
    /// Small and frequent; listed only when it fails.
    pub quiet: bool,
    pub retry: Option<Command>,
}

impl std::ops::Deref for JobLine {
    type Target = JobStatus;

    fn deref(&self) -> &JobStatus {
        &self.status
    }
}

impl JobLine {
    pub(in crate::app) fn is_listed(&self) -> bool {
        !self.quiet || matches!(self.status.state, JobState::Failed(_))
    }
}

/// What an export made, in words: "0:40 at −14 LUFS, picture copied unchanged".
pub(in crate::app) fn export_words(report: &ExportReport) -> String {
    let loudness = report
        .loudness_lufs
        .map(|lufs| format!(" at {} LUFS", crate::words::decibels(lufs)))
        .unwrap_or_default();
    let picture = match report.picture.as_str() {
        "copied" => ", picture copied unchanged",
        "encoded" => ", picture encoded anew because this container cannot hold the original",
        _ => "",
    };
    format!("{}{loudness}{picture}", crate::words::clock(report.duration_s))
}
