//! The main question: which music fits this clip.

use std::path::PathBuf;

use serde::Serialize;

use super::Engine;
use super::embed::{QueryTimings, VoiceSource};
use crate::error::Result;
use crate::jobs::Monitor;

/// A question.
#[derive(Debug, Clone)]
pub struct SuggestRequest {
    /// The video (or sound).
    pub media: PathBuf,
    /// How many suggestions.
    pub top: usize,
    /// Start of the 32 s window, seconds.
    pub start_s: f64,
    /// Which sound is the voice.
    pub voice: VoiceSource,
    /// Picture (-1) to voice (+1).
    pub balance: f64,
    /// Tags that a track must all have.
    pub tags: Vec<String>,
    /// Words that title, artist or tags must all contain.
    pub text: Option<String>,
}

/// The answer, as `suggest --json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct SuggestReport {
    /// What was asked.
    pub query: QueryInfo,
    /// Pack used.
    pub pack: String,
    /// Device used.
    pub device: String,
    /// Where the time went.
    pub timings_ms: QueryTimings,
    /// Best first.
    pub suggestions: Vec<Suggestion>,
}

/// What was asked.
#[derive(Debug, Clone, Serialize)]
pub struct QueryInfo {
    /// The media as given.
    pub media: PathBuf,
    /// Start of the window, seconds.
    pub start_s: f64,
    /// Length of the window that the media really covers, at most 32 s.
    pub duration_s: f64,
    /// Whether a voice was used.
    pub voice: bool,
    /// Whether a picture was used.
    pub picture: bool,
}

/// One suggested track.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suggestion {
    /// 1 is best.
    pub rank: usize,
    /// The track.
    pub track_id: i64,
    /// Its file.
    pub path: PathBuf,
    /// Its title.
    pub title: String,
    /// Similarity; higher is better.
    pub score: f32,
    /// The best moment: in point in the track, seconds.
    pub start_s: f64,
    /// Length of the track, seconds.
    pub duration_s: f64,
    /// Whether it has singing.
    pub has_vocals: bool,
    /// Why.
    pub why: Why,
}

/// The reason for a suggestion.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Why {
    /// Share of the voice in the query, 0..=1; null when undefined.
    pub voice_share: Option<f32>,
    /// Share of the picture, 0..=1; null when undefined.
    pub picture_share: Option<f32>,
    /// Tempo of the track, beats per minute.
    pub tempo_bpm: Option<f32>,
    /// "major" or "minor", where clear.
    pub mode: Option<String>,
    /// 0 (still) to 1 (driving).
    pub energy: f32,
    /// Grey words for the row: "112 BPM, minor, driving".
    pub words: String,
}

/// Ranks the library for a clip. An empty `suggestions` list means that nothing was found.
///
/// # Errors
/// As [`super::embed::embed_query`]; when the library cannot be opened.
pub fn suggest(engine: &Engine, request: &SuggestRequest, monitor: &Monitor) -> Result<SuggestReport> {
    let _ = (engine, request, monitor);
    crate::error::unbuilt("suggesting")
}
