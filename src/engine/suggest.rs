//! The main question: which music fits this clip.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::Engine;
use super::candidates::{Candidates, Filter, Found};
use super::embed::{CLIP_S, QueryTimings, Question, VoiceSource, join};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::media;
use crate::networks::mrcmv::Norm;
use crate::retrieval::Metric;
use crate::signal::features::Description;

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
    #[serde(serialize_with = "crate::files::serialize_path")]
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
    #[serde(serialize_with = "crate::files::serialize_path")]
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

/// Ranks the library for a clip. An empty `suggestions` list means that nothing was found. What the networks made of a clip is
/// kept: the same clip with another balance or filter is answered in milliseconds, and its times are 0.
///
/// # Errors
/// As [`super::embed::embed_query`]; when the library cannot be opened, holds no music, or none that this pack has
/// listened to.
pub fn suggest(engine: &Engine, request: &SuggestRequest, monitor: &Monitor) -> Result<SuggestReport> {
    let began = Instant::now();
    if !(-1.0..=1.0).contains(&request.balance) {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "a balance of {} is out of range; choose from -1 (picture only) to 1 (voice only)",
                request.balance
            ),
        ));
    }
    let filter = Filter::new(&request.tags, request.text.as_deref());
    let question = Question {
        media: &request.media,
        start_s: request.start_s,
        voice: &request.voice,
    };
    let (candidates, rows, mut timings_ms) = if let Some(rows) = question.remembered(engine) {
        (Candidates::of(engine, monitor)?, rows, QueryTimings::default())
    } else {
        // The media first: whoever names a wrong file wants to hear of that, whatever the library holds.
        let info = media::probe(&request.media)?;
        let candidates = Candidates::of(engine, monitor)?;
        let (rows, timings) = question.rows(engine, &info, &monitor.part(0.0, 0.95))?;
        (candidates, rows, timings)
    };
    let query = join(engine, &rows, request.balance, monitor)?;
    timings_ms.fuse = query.timings.fuse;
    let (voice, picture) = (query.vggish_voice.is_some(), query.slow.is_some());
    say_what_is_missing(&request.media, voice, picture, monitor);
    monitor.check()?;
    monitor.progress("Ranking the library", Some(0.95));
    let ranking = Instant::now();
    let metric = match engine.mrcmv()?.config().norm {
        Norm::Unit | Norm::SqrtDim => Metric::Cosine,
        Norm::None => Metric::L2,
    };
    let best = candidates.best(&query.embedding, metric, request.top, &filter)?;
    timings_ms.rank = milliseconds(ranking);
    timings_ms.total = milliseconds(began);
    Ok(SuggestReport {
        query: QueryInfo {
            media: request.media.clone(),
            start_s: request.start_s,
            duration_s: (query.duration_s - request.start_s).clamp(0.0, CLIP_S),
            voice,
            picture,
        },
        pack: engine.pack().manifest.name.clone(),
        device: engine.device().name.to_owned(),
        timings_ms,
        suggestions: best
            .into_iter()
            .zip(1..)
            .map(|(found, rank)| suggestion(found, rank, query.voice_share))
            .collect(),
    })
}

/// A query of one kind alone works; the person should know that it was one.
fn say_what_is_missing(media: &Path, voice: bool, picture: bool, monitor: &Monitor) {
    let name = media.display();
    if !voice {
        monitor.warn(format!(
            "{name}: no voice was heard, so the music is matched to the picture alone"
        ));
    }
    if !picture {
        monitor.warn(format!(
            "{name}: there is no picture, so the music is matched to the voice alone"
        ));
    }
}

fn suggestion(found: Found<'_>, rank: usize, voice_share: Option<f32>) -> Suggestion {
    let Found {
        track,
        score,
        start_s,
    } = found;
    Suggestion {
        rank,
        track_id: track.id.0,
        path: track.path.clone(),
        title: track.title.clone(),
        score,
        start_s,
        duration_s: track.duration_s,
        has_vocals: track.has_vocals,
        why: Why {
            voice_share,
            picture_share: voice_share.map(|share| 1.0 - share),
            tempo_bpm: track.description.tempo_bpm,
            mode: mode_word(&track.description).map(str::to_owned),
            energy: track.description.energy,
            words: words(&track.description),
        },
    }
}

/// A track in a few words: "112 BPM, minor, driving".
pub fn words(description: &Description) -> String {
    let tempo = description.tempo_bpm.map(|tempo| format!("{tempo:.0} BPM"));
    let mode = mode_word(description).map(str::to_owned);
    let energy = match description.energy {
        energy if energy < 0.25 => "still",
        energy if energy < 0.5 => "calm",
        energy if energy < 0.75 => "lively",
        _ => "driving",
    };
    let parts: Vec<String> = [tempo, mode, Some(energy.to_owned())]
        .into_iter()
        .flatten()
        .collect();
    parts.join(", ")
}

fn mode_word(description: &Description) -> Option<&'static str> {
    description
        .major
        .map(|major| if major { "major" } else { "minor" })
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_in_words() {
        let mut description = Description {
            tempo_bpm: Some(111.6),
            major: Some(false),
            energy: 0.9,
            ..Description::default()
        };
        assert_eq!(words(&description), "112 BPM, minor, driving");
        description.tempo_bpm = None;
        description.major = None;
        description.energy = 0.0;
        assert_eq!(words(&description), "still");
    }

    #[test]
    fn the_report_has_the_keys_of_the_contract() {
        let report = SuggestReport {
            query: QueryInfo {
                media: "clip.mp4".into(),
                start_s: 0.0,
                duration_s: 32.0,
                voice: true,
                picture: false,
            },
            pack: "compact".to_owned(),
            device: "cpu".to_owned(),
            timings_ms: QueryTimings::default(),
            suggestions: vec![Suggestion {
                rank: 1,
                track_id: 12,
                path: "music/a.opus".into(),
                title: "A".to_owned(),
                score: 0.5,
                start_s: 16.0,
                duration_s: 94.1,
                has_vocals: false,
                why: Why::default(),
            }],
        };
        let json = serde_json::to_value(&report).expect("JSON");
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().expect("an object").keys().cloned().collect()
        };
        let sorted = |names: &[&str]| {
            let mut names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(
            keys(&json),
            sorted(&["query", "pack", "device", "timings_ms", "suggestions"])
        );
        assert_eq!(
            keys(&json["query"]),
            sorted(&["media", "start_s", "duration_s", "voice", "picture"])
        );
        let times = [
            "decode", "separate", "slowfast", "vggish", "fuse", "rank", "total",
        ];
        assert_eq!(keys(&json["timings_ms"]), sorted(&times));
        let first = &json["suggestions"][0];
        let expected = [
            "rank",
            "track_id",
            "path",
            "title",
            "score",
            "start_s",
            "duration_s",
            "has_vocals",
            "why",
        ];
        assert_eq!(keys(first), sorted(&expected));
        assert!(first["why"]["voice_share"].is_null() && first["why"]["picture_share"].is_null());
    }
}
