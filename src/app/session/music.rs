//! The music: what is suggested, what is in the library, what is listened to.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use crate::app::filter::Filter;
use crate::engine::suggest::{SuggestReport, Suggestion};
use crate::jobs::JobId;
use crate::library::{Track, TrackId};

/// Music at a place: what is heard, picked or exported.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::app) struct Candidate {
    pub track_id: i64,
    pub path: PathBuf,
    pub title: String,
    pub duration_s: f64,
    /// Where in the track the clip's start falls, seconds.
    pub in_point_s: f64,
}

/// How the last question went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) enum Asking {
    Idle,
    Running,
    Answered,
    Failed(String),
}

/// The music for the current window.
pub(in crate::app) struct Suggestions {
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
pub(in crate::app) struct LibraryView {
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
    pub(in crate::app) fn track(&self, id: TrackId) -> Option<&Track> {
        self.by_id.get(&id).and_then(|at| self.tracks.get(*at))
    }

    pub(in crate::app) fn track_mut(&mut self, id: TrackId) -> Option<&mut Track> {
        let at = *self.by_id.get(&id)?;
        self.tracks.get_mut(at)
    }

    pub(in crate::app) fn set_tracks(&mut self, tracks: Vec<Track>, filter: &Filter) {
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

    pub(in crate::app) fn apply_filter(&mut self, filter: &Filter) {
        self.shown = (0..self.tracks.len())
            .filter(|at| filter.takes(&self.tracks[*at]))
            .collect();
    }

    /// Tracks that can be suggested.
    pub(in crate::app) fn usable(&self) -> usize {
        self.tracks
            .iter()
            .filter(|track| track.problem.is_none() && !track.missing)
            .count()
    }
}
