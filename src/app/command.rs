//! Everything a user can ask of the window, as one enum.
//!
//! Menu, shortcut, palette, panels and tests all send these; `update` alone acts on them.

mod listed;

use std::path::PathBuf;

use super::filter::Filter;
use super::session::{Import, Lane, PathPurpose, State, Subject};
use super::state::{Tab, Until};
use crate::device::DeviceChoice;
use crate::engine::fine_tune::Scope;
use crate::jobs::JobId;
use crate::library::TrackId;
use crate::mix::{DuckingPreset, Solo};
use crate::settings::ThemeChoice;

pub(super) use listed::{Category, LISTED, Listed, keys_text};

/// One wish of the user.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    OpenVideo,
    OpenMedia(PathBuf),
    OpenDemo,
    AddMusicFolder,
    AddMusicFiles,
    AddMusic(Vec<PathBuf>),
    Export,
    Quit,

    Undo,
    Redo,

    PlayPause,
    PlayBackward,
    Pause,
    PlayForward,
    PreviousFrame,
    NextFrame,
    BackSecond,
    ForwardSecond,
    GoToStart,
    GoToEnd,
    Seek(f64),
    MarkIn,
    MarkOut,
    ClearMarks,
    SetVolume(f32),

    PreviousSuggestion,
    NextSuggestion,
    Audition(usize),
    AuditionTrack(TrackId),
    UseSelected,
    Use(usize),
    DropPick,
    StopListening,
    FavouriteSelected,
    HideSelected,
    SetFavourite(TrackId, bool),
    SetHidden(TrackId, bool),
    AskAgain,
    WindowFromPlayhead,
    WindowFromMark,
    SetWindow(f64),
    SetBalance(f32),
    SetFilter(Filter),
    ClearFilter,

    SetSolo(Solo),
    SetMuted(Lane, bool),
    ToggleMute(Lane),
    SetGain(Lane, f32),
    SetDucking(DuckingPreset),
    SetLoudness(Option<i32>),
    SeparateAgain,

    RefreshLibrary,
    ForgetTrack(TrackId),

    ChooseCorpus,
    PickVideos,
    SetCorpus(String),
    SetUntil(Until),
    SetEpochs(usize),
    SetScope(Scope),
    SetSeed(u64),
    SetPackName(String),
    StartTraining,
    PauseTraining,
    StopTraining,
    ResumeTraining(String),
    DiscardModel(String),
    UsePack(String),
    RollBack,

    ShowModels(bool),
    VerifyModels,
    FetchModel(Subject),
    DiscardDownload(String),
    AskRemoveModel(Option<String>),
    RemoveModel(String),
    ImportModel,
    BrowseCheckpoint,
    SetImport(Import),
    StartImport,
    CloseImport,

    ShowTab(Tab),
    ToggleLeft,
    ToggleRight,
    ToggleTimeline,
    Look(Look),
    ResetLayout,
    SetTheme(ThemeChoice),
    NextTheme,
    ShowPalette(bool),
    SetPaletteQuery(String),
    MovePalette(i32),
    ShowJobs(bool),
    ShowSettings(bool),
    ShowShortcuts(bool),

    CancelJob(JobId),
    CancelJobs,
    RetryJob(JobId),
    ClearJobs,

    SetDevice(DeviceChoice),
    SetTop(usize),
    SetCacheSize(u32),
    ClearCache,
    SetPathText(String),
    AcceptPath,
    ClosePath,

    SetExportPath(String),
    BrowseExport,
    StartExport { overwrite: bool },
    RenameExport,
    CloseExport,
    CopyText(String),
    DismissNote(u64),
    Chosen(PathPurpose, Vec<PathBuf>),
}

/// Another part of the clip on the timeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Look {
    /// Less, around the playhead.
    Closer,
    /// More, around the playhead.
    Wider,
    /// `factor` times as much detail; what is at `at_s` stays where it is.
    Zoom { at_s: f64, factor: f64 },
    /// As much, so many seconds later.
    Along(f64),
    /// All of it.
    Whole,
}

impl Command {
    /// Whether it would do something now.
    pub(super) fn enabled(&self, state: &State) -> bool {
        let edit = state.history.edit();
        match self {
            Self::Undo => state.history.undo_label().is_some(),
            Self::Redo => state.history.redo_label().is_some(),
            Self::PlayPause
            | Self::PlayBackward
            | Self::PlayForward
            | Self::PreviousFrame
            | Self::NextFrame
            | Self::BackSecond
            | Self::ForwardSecond
            | Self::GoToStart
            | Self::GoToEnd
            | Self::MarkIn
            | Self::MarkOut
            | Self::Seek(_)
            | Self::WindowFromPlayhead
            | Self::Look(Look::Closer | Look::Wider)
            | Self::AskAgain => state.has_clip(),
            Self::Look(Look::Whole) => state.view.is_part(state.clip_length_s()),
            Self::Pause => state.transport.playing,
            Self::SeparateAgain => state.has_sound(),
            Self::ClearMarks => edit.marks.in_s.is_some() || edit.marks.out_s.is_some(),
            Self::WindowFromMark => state.has_clip() && edit.marks.in_s.is_some(),
            Self::NextSuggestion | Self::PreviousSuggestion => !state.suggestions.rows.is_empty(),
            Self::UseSelected | Self::FavouriteSelected | Self::HideSelected => {
                state.chosen_suggestion().is_some()
            }
            Self::StopListening => state.audition.is_some(),
            Self::DropPick => edit.pick.is_some(),
            Self::ClearFilter => !state.filter.is_empty(),
            Self::Export => state.has_clip() && state.candidate().is_some(),
            Self::StartTraining => state.can_train(),
            Self::StopTraining | Self::PauseTraining => state.training.job.is_some(),
            Self::ResumeTraining(_) => state.engine.ready().is_some() && state.training.job.is_none(),
            Self::ImportModel | Self::StartImport | Self::FetchModel(Subject::Source(_)) => {
                state.engine.ready().is_some()
            }
            Self::VerifyModels => state.models.verifying.is_none(),
            // What is in use stays.
            Self::RemoveModel(name) | Self::AskRemoveModel(Some(name)) => state.pack() != name,
            Self::RollBack => state.window.previous_pack.is_some(),
            Self::CancelJobs => state.jobs.iter().any(|job| job.is_running()),
            Self::ClearJobs => state.jobs.iter().any(|job| !job.is_running()),
            Self::AddMusicFolder | Self::AddMusicFiles => state.engine.ready().is_some(),
            _ => true,
        }
    }
}
