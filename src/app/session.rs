//! What the window shows: plain values that panels read and `update` alone changes.
//!
//! Handles that run (player, decoder, jobs) live in [`super::App`], apart from this.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use eframe::egui::TextureHandle;

use super::command::Command;
use super::filter::Filter;
use super::notes::Notes;
use super::state::WindowState;
use super::stems::Stems;
use crate::engine::Engine;
use crate::engine::corpus::CorpusReport;
use crate::engine::fine_tune::{EpochReport, FineTuneReport};
use crate::engine::suggest::{SuggestReport, Suggestion};
use crate::jobs::{JobId, JobState, JobStatus};
use crate::library::{Track, TrackId};
use crate::media::MediaInfo;
use crate::mix::{DuckingCurve, Solo};
use crate::playback::OutputStatus;
use crate::project::History;
use crate::settings::{Folders, Settings};

/// Seconds of the window that music is suggested for.
pub(super) const WINDOW_S: f64 = 32.0;

/// One of the three sounds of the mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Voice,
    Original,
    Candidate,
}

impl Lane {
    pub(super) const ALL: [Self; 3] = [Self::Voice, Self::Original, Self::Candidate];

    pub(super) fn solo(self) -> Solo {
        match self {
            Self::Voice => Solo::Voice,
            Self::Original => Solo::Original,
            Self::Candidate => Solo::Candidate,
        }
    }

    /// In words, for labels.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Original => "original music",
            Self::Candidate => "candidate",
        }
    }
}

/// What a path that the user gives is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathPurpose {
    Video,
    MusicFolder,
    MusicFiles,
    Corpus,
    Export,
}

impl PathPurpose {
    /// Title of the dialog.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Video => "Open video",
            Self::MusicFolder => "Add music folder",
            Self::MusicFiles => "Add music files",
            Self::Corpus => "Choose the corpus folder",
            Self::Export => "Export to",
        }
    }
}

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

/// A pack that can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PackLine {
    pub name: String,
    pub version: String,
    pub licence: String,
    pub folder: PathBuf,
}

/// The video that is open.
pub(super) struct Clip {
    pub path: PathBuf,
    pub name: String,
    pub info: Option<MediaInfo>,
    pub problem: Option<String>,
    pub picture: Option<TextureHandle>,
    pub thumbnails: Vec<TextureHandle>,
    pub sound: ClipSound,
}

impl Clip {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            name: file_name(path),
            info: None,
            problem: None,
            picture: None,
            thumbnails: Vec::new(),
            sound: ClipSound::Unknown,
        }
    }

    /// Seconds a frame lasts.
    pub(super) fn frame_s(&self) -> f64 {
        self.info
            .as_ref()
            .and_then(|info| info.video.first())
            .map(|video| video.frame_rate)
            .filter(|rate| *rate > 0.0)
            .map_or(0.04, |rate| 1.0 / rate)
    }

    pub(super) fn duration_s(&self) -> f64 {
        self.info.as_ref().map_or(0.0, |info| info.duration_s)
    }

    pub(super) fn stems(&self) -> Option<&Stems> {
        match &self.sound {
            ClipSound::Separated(stems) => Some(stems),
            _ => None,
        }
    }
}

/// How far the clip's sound is.
pub(super) enum ClipSound {
    /// The file is still being opened.
    Unknown,
    /// It has none.
    Silent,
    Separating,
    Separated(Box<Stems>),
    Failed(String),
}

/// The player, as it was at the start of this frame.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    pub position_s: f64,
    pub duration_s: f64,
    pub playing: bool,
    pub rate: f64,
    /// Voice, original, candidate, mix; linear, falling smoothly.
    pub levels: [f32; 4],
    pub output: OutputStatus,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            position_s: 0.0,
            duration_s: 0.0,
            playing: false,
            rate: 1.0,
            levels: [0.0; 4],
            output: OutputStatus::Silent(String::new()),
        }
    }
}

/// Music at a place: what is heard, picked or exported.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub track_id: i64,
    pub path: PathBuf,
    pub title: String,
    pub duration_s: f64,
    /// Where in the track the clip's start falls, seconds.
    pub in_point_s: f64,
}

/// How the last question went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asking {
    Idle,
    Running,
    Answered,
    Failed(String),
}

/// The music for the current window.
pub(super) struct Suggestions {
    pub asking: Asking,
    pub report: Option<SuggestReport>,
    /// What is listed: the report after the filter's local part.
    pub rows: Vec<Suggestion>,
    pub selected: Option<usize>,
    /// When a changed question is sent, once it has rested.
    pub due: Option<Instant>,
    /// The wall time of the last answer, seconds.
    pub answered_in_s: Option<f64>,
}

impl Default for Suggestions {
    fn default() -> Self {
        Self {
            asking: Asking::Idle,
            report: None,
            rows: Vec::new(),
            selected: None,
            due: None,
            answered_in_s: None,
        }
    }
}

/// The library as it was last read.
#[derive(Default)]
pub(super) struct LibraryView {
    pub loaded: bool,
    pub tracks: Vec<Track>,
    by_id: HashMap<TrackId, usize>,
    /// Indices of the tracks that the filter takes, by title.
    pub shown: Vec<usize>,
    /// All tags with how many tracks have them, most used first.
    pub tags: Vec<(String, usize)>,
    pub problem: Option<String>,
    pub indexing: Option<JobId>,
}

impl LibraryView {
    pub(super) fn track(&self, id: TrackId) -> Option<&Track> {
        self.by_id.get(&id).and_then(|at| self.tracks.get(*at))
    }

    pub(super) fn track_mut(&mut self, id: TrackId) -> Option<&mut Track> {
        let at = *self.by_id.get(&id)?;
        self.tracks.get_mut(at)
    }

    pub(super) fn set_tracks(&mut self, tracks: Vec<Track>, filter: &Filter) {
        self.by_id = tracks
            .iter()
            .enumerate()
            .map(|(at, track)| (track.id, at))
            .collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for tag in tracks.iter().flat_map(|track| &track.tags) {
            *counts.entry(tag).or_default() += 1;
        }
        let mut tags: Vec<(String, usize)> = counts
            .into_iter()
            .map(|(tag, count)| (tag.to_owned(), count))
            .collect();
        tags.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        self.tags = tags;
        self.tracks = tracks;
        self.loaded = true;
        self.apply_filter(filter);
    }

    pub(super) fn apply_filter(&mut self, filter: &Filter) {
        self.shown = (0..self.tracks.len())
            .filter(|at| filter.takes(&self.tracks[*at]))
            .collect();
    }

    /// Tracks that can be suggested.
    pub(super) fn usable(&self) -> usize {
        self.tracks
            .iter()
            .filter(|track| track.problem.is_none() && !track.missing)
            .count()
    }
}

/// The training panel's run.
#[derive(Default)]
pub(super) struct TrainingView {
    pub job: Option<JobId>,
    pub curve: Vec<EpochReport>,
    pub report: Option<FineTuneReport>,
    pub problem: Option<String>,
    pub checking: bool,
    pub corpus: Option<CorpusReport>,
    /// Name of the pack that the run writes.
    pub pack: Option<String>,
}

/// The open export dialog.
#[derive(Debug, Clone, Default)]
pub(super) struct ExportDialog {
    pub path: String,
    /// The file is there; ask before replacing it.
    pub confirm: bool,
    pub job: Option<JobId>,
    pub problem: Option<String>,
}

/// The path field that stands in for a file dialog.
#[derive(Debug, Clone)]
pub(super) struct PathPrompt {
    pub purpose: PathPurpose,
    pub text: String,
    /// Why there is a field and no dialog.
    pub problem: Option<String>,
}

/// The open palette.
#[derive(Debug, Clone, Default)]
pub(super) struct PaletteState {
    pub query: String,
    pub selected: usize,
}

/// A job as the window lists it.
#[derive(Debug, Clone)]
pub(super) struct JobLine {
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
    pub(super) fn is_listed(&self) -> bool {
        !self.quiet || matches!(self.status.state, JobState::Failed(_))
    }
}

/// Everything that panels read.
pub(super) struct State {
    pub folders: Folders,
    pub settings: Settings,
    pub window: WindowState,
    pub engine: EngineState,
    pub packs: Vec<PackLine>,
    /// Counts the clips that were opened; results of an earlier one are dropped.
    pub session: u64,
    pub clip: Option<Clip>,
    pub transport: Transport,
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
    pub(super) fn new(folders: Folders) -> Self {
        Self {
            settings: Settings::load(&folders),
            window: WindowState::load(&folders),
            folders,
            engine: EngineState::Opening,
            packs: Vec::new(),
            session: 0,
            clip: None,
            transport: Transport::default(),
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

    /// Whether a video is open and understood.
    pub(super) fn has_clip(&self) -> bool {
        self.clip.as_ref().is_some_and(|clip| clip.info.is_some())
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
