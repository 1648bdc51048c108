//! From media to embeddings: every stage of a query and of a BGM window.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::jobs::Monitor;

use super::Engine;

/// Which sound is the voice of a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum VoiceSource {
    /// The voice stem of the media's sound.
    #[default]
    Separated,
    /// The media's sound as it is (`--no-separate`).
    Raw,
    /// This file instead (`--voice FILE`).
    File(PathBuf),
}

/// Every stage of a query, row-major `f32` (shapes of `features` in the contract).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueryFeatures {
    /// [72, 96, 64]; `None` without voice.
    pub log_mel_voice: Option<Vec<f32>>,
    /// [72, 128]; `None` without voice.
    pub vggish_voice: Option<Vec<f32>>,
    /// [8, slow_dim]; `None` without picture.
    pub slow: Option<Vec<f32>>,
    /// [64, fast_dim]; `None` without picture.
    pub fast: Option<Vec<f32>>,
    /// [d_E].
    pub embedding: Vec<f32>,
    /// Voice share of the gate (reading, point 14); `None` where undefined.
    pub voice_share: Option<f32>,
    /// Length of the media, seconds.
    pub duration_s: f64,
    /// Time spent, milliseconds.
    pub timings: QueryTimings,
}

/// Where a query's time went, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct QueryTimings {
    /// Decoding of picture and sound.
    pub decode: f64,
    /// Separation.
    pub separate: f64,
    /// SlowFast.
    pub slowfast: f64,
    /// VGGish with its front end.
    pub vggish: f64,
    /// Attention, gate, embedding.
    pub fuse: f64,
    /// Search.
    pub rank: f64,
    /// All of it.
    pub total: f64,
}

/// Embeds the 32 s of `media` from `start_s` on; shorter media repeat (reading, point 1).
///
/// # Errors
/// As [`crate::media::probe`]; when neither picture nor sound can be used; cancelled.
pub fn embed_query(
    engine: &Engine,
    media: &Path,
    start_s: f64,
    voice: &VoiceSource,
    balance: f64,
    monitor: &Monitor,
) -> Result<QueryFeatures> {
    let _ = (engine, media, start_s, voice, balance, monitor);
    crate::error::unbuilt("embedding")
}

/// One window of a track.
#[derive(Debug, Clone, PartialEq)]
pub struct BgmWindow {
    /// Start in the track, seconds.
    pub start_s: f64,
    /// [72, 96, 64]; empty unless asked for.
    pub log_mel: Vec<f32>,
    /// [72, 128].
    pub vggish: Vec<f32>,
    /// [d_E].
    pub embedding: Vec<f32>,
}

/// Embeds 16 kHz mono sound, one window per 8 s hop (reading, point 11); shorter sound repeats to 32 s.
///
/// # Errors
/// When the device fails; cancelled.
pub fn embed_bgm(
    engine: &Engine,
    samples: &[f32],
    keep_log_mel: bool,
    monitor: &Monitor,
) -> Result<Vec<BgmWindow>> {
    let _ = (engine, samples, keep_log_mel, monitor);
    crate::error::unbuilt("embedding")
}
