//! What the window shows: plain values that panels read and `update` alone changes.
//!
//! Handles that run (player, decoder, jobs) live in [`super::App`], apart from this.

mod clip;
mod dialogs;
mod models;
mod music;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Choices;
use super::filter::Filter;
use super::notes::Notes;
use super::state::{Tab, WindowState};
use crate::device::DeviceChoice;
use crate::engine::corpus::CorpusReport;
use crate::engine::fine_tune::{EpochReport, FineTuneReport, Understood, Unfinished};
use crate::engine::suggest::Suggestion;
use crate::engine::{Engine, EngineOptions};
use crate::jobs::JobId;
use crate::mix::{DuckingCurve, Solo};
use crate::project::History;
use crate::settings::{Folders, Settings};

pub(super) use clip::{Clip, ClipSound, Lane, Transport};
pub(super) use dialogs::{ExportDialog, JobLine, PaletteState, PathPrompt, PathPurpose, export_words};
pub(super) use models::{Import, ImportForm, ModelsView, Subject};
pub(super) use music::{Asking, Candidate, LibraryView, Suggestions};
pub(super) use view::View;

/// Seconds of the window that music is suggested for.
pub(super) const WINDOW_S: f64 = 32.0;

/// The engine and how far it is.
pub(super) enum EngineState {
    Opening,
    Ready(Arc<Engine>),
    Failed(String),
}

impl EngineState {
    pub(super) fn ready(&self) -> Option<&Arc<Engine>> {
        match self {
            Self::Ready(engine) => Some(engine),
            _ => None,
        }
    }
}

/// The training panel's run.
#[derive(Default)]
pub(super) struct TrainingView {
    pub job: Option<JobId>,
    /// What the run has understood so far.
    pub understood: Vec<Understood>,
    pub curve: Vec<EpochReport>,
    pub report: Option<FineTuneReport>,
    pub problem: Option<String>,
    pub checking: bool,
    pub corpus: Option<CorpusReport>,
    /// Name of the pack that the run writes.
    pub pack: Option<String>,
    /// What was asked of a run that is to end before it is done.
    pub ending: Ending,
    /// Runs that can be resumed.
    pub unfinished: Vec<Unfinished>,
}

/// How a run ends that is asked to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// It keeps what it has, to be resumed.
    #[default]
    Pause,
    /// It goes, with all it made.
    Discard,
}

/// Everything that panels read.
pub(super) struct State {
    pub folders: Folders,
    pub settings: Settings,
    /// What stands in for the settings in this run.
    pub choices: Choices,
    pub window: WindowState,
    pub engine: EngineState,
    pub models: ModelsView,
    /// Counts the clips that were opened; results of an earlier one are dropped.
    pub session: u64,
    pub clip: Option<Clip>,
    pub transport: Transport,
    /// The part of the clip that the timeline shows.
    pub view: View,
    /// Bytes in the cache, once they were counted.
    pub cache_bytes: Option<u64>,
    pub history: History,
    pub solo: Solo,
    pub suggestions: Suggestions,
    pub filter: Filter,
    /// What is listened to without being picked.
    pub audition: Option<Candidate>,
    /// The candidate that sounds is still being decoded.
    pub candidate_loading: bool,
    /// The ducking that the timeline draws.
    pub ducking: DuckingCurve,
    pub library: LibraryView,
    pub training: TrainingView,
    pub export: Option<ExportDialog>,
    pub prompt: Option<PathPrompt>,
    pub palette: Option<PaletteState>,
    pub show_jobs: bool,
    pub show_settings: bool,
    pub show_shortcuts: bool,
    pub notes: Notes,
    pub jobs: Vec<JobLine>,
    /// Whether a file dialog can open.
    pub dialogs: bool,
    /// Whether the demo came with the program.
    pub has_demo: bool,
    /// Raised to let the panels forget the sizes they were dragged to.
    pub layout_round: u32,
}

impl State {
    pub(super) fn new(folders: Folders, choices: Choices) -> Self {
        Self {
            settings: Settings::load(&folders),
            window: WindowState::load(&folders),
            folders,
            choices,
            engine: EngineState::Opening,
            models: ModelsView::default(),
            session: 0,
            clip: None,
            transport: Transport::default(),
            view: View::default(),
            cache_bytes: None,
            history: History::default(),
            solo: Solo::None,
            suggestions: Suggestions::default(),
            filter: Filter::default(),
            audition: None,
            candidate_loading: false,
            ducking: DuckingCurve::default(),
            library: LibraryView::default(),
            training: TrainingView::default(),
            export: None,
            prompt: None,
            palette: None,
            show_jobs: false,
            show_settings: false,
            show_shortcuts: false,
            notes: Notes::default(),
            jobs: Vec::new(),
            dialogs: false,
            has_demo: false,
            layout_round: 0,
        }
    }

    /// How the engine is to be opened.
    pub(super) fn engine_options(&self) -> EngineOptions {
        EngineOptions {
            device: self.device(),
            pack: self.pack().to_owned(),
            library: self.choices.library.clone(),
            folders: self.folders.clone(),
        }
    }

    /// Where to compute in this run.
    pub(super) fn device(&self) -> DeviceChoice {
        self.choices.device.unwrap_or(self.settings.device)
    }

    /// Pack name or folder in this run.
    pub(super) fn pack(&self) -> &str {
        self.choices.pack.as_deref().unwrap_or(&self.settings.pack)
    }

    /// The library file in this run.
    pub(super) fn library_path(&self) -> PathBuf {
        self.choices
            .library
            .clone()
            .unwrap_or_else(|| self.folders.library())
    }

    /// Whether a video is open and understood.
    pub(super) fn has_clip(&self) -> bool {
        self.clip.as_ref().is_some_and(|clip| clip.info.is_some())
    }

    /// Length of the open clip, seconds.
    pub(super) fn clip_length_s(&self) -> f64 {
        let told_s = self.clip.as_ref().map_or(0.0, Clip::duration_s);
        self.transport.duration_s.max(told_s)
    }

    /// Whether it has a sound stream.
    pub(super) fn has_sound(&self) -> bool {
        let info = self.clip.as_ref().and_then(|clip| clip.info.as_ref());
        info.is_some_and(|info| !info.audio.is_empty())
    }

    /// The music under the voice: what is listened to, else what was picked.
    pub(super) fn candidate(&self) -> Option<Candidate> {
        if let Some(audition) = &self.audition {
            return Some(audition.clone());
        }
        let edit = self.history.edit();
        edit.pick.as_ref().map(|pick| Candidate {
            track_id: pick.track_id,
            path: pick.path.clone(),
            title: pick.title.clone(),
            duration_s: pick.duration_s,
            in_point_s: edit.mix.candidate.in_point_s,
        })
    }

    /// The selected suggestion.
    pub(super) fn chosen_suggestion(&self) -> Option<&Suggestion> {
        self.suggestions
            .selected
            .and_then(|at| self.suggestions.rows.get(at))
    }

    /// A suggestion as a candidate: its best moment falls on the start of the window.
    pub(super) fn candidate_of(&self, suggestion: &Suggestion) -> Candidate {
        let window_start_s = self.history.edit().window_start_s;
        let in_point_s = suggestion.start_s - window_start_s;
        Candidate {
            track_id: suggestion.track_id,
            path: suggestion.path.clone(),
            title: suggestion.title.clone(),
            duration_s: suggestion.duration_s,
            in_point_s: if in_point_s < 0.0 && suggestion.duration_s > 0.0 {
                in_point_s.rem_euclid(suggestion.duration_s)
            } else {
                in_point_s
            },
        }
    }

    /// Whether the training form can be sent.
    pub(super) fn can_train(&self) -> bool {
        self.engine.ready().is_some()
            && self.training.job.is_none()
            && !self.window.corpus.trim().is_empty()
            && !self.window.pack_name.trim().is_empty()
    }

    /// Whether the primary action is one of the training panel: to start with a corpus, or to keep a model that waits. With
    /// music in the mix it is the export.
    pub(super) fn training_is_primary(&self) -> bool {
        let training = &self.training;
        let starts = training.curve.is_empty() && self.can_train();
        let decides = training.report.is_some() && training.pack.as_ref() != Some(&self.settings.pack);
        let exports = self.has_clip() && self.candidate().is_some();
        self.window.tab == Tab::Training && !exports && (starts || decides)
    }

    /// The end of the window that music is suggested for, seconds.
    pub(super) fn window_end_s(&self) -> f64 {
        let start_s = self.history.edit().window_start_s;
        let duration_s = self.clip.as_ref().map_or(0.0, Clip::duration_s);
        (start_s + WINDOW_S).min(duration_s.max(start_s))
    }
}

/// The last part of a path, for people.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
