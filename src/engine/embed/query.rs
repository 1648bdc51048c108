//! The query branch: picture and voice of a clip to the joint embedding (3.1).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::Tensor;

use super::stages::{Clip, listen, see};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::jobs::{self, Monitor};
use crate::media::{self, MediaInfo};
use crate::networks::mrcmv::QueryInput;

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
    /// `[d_E]`.
    pub embedding: Vec<f32>,
    /// Voice share of the gate (reading, point 14); `None` where undefined.
    pub voice_share: Option<f32>,
    /// Length of the media, seconds.
    pub duration_s: f64,
    /// Time spent, milliseconds.
    pub timings: QueryTimings,
}

/// Where a query's time went, milliseconds. Stages overlap, so that `total` is less than their sum.
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

/// Embeds the 32 s of `media` from `start_s` on; shorter media repeat (reading, point 1). Picture and sound are worked on
/// at the same time.
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
    let began = Instant::now();
    let info = media::probe(media)?;
    let sensed = sense(engine, media, &info, start_s, voice, monitor)?;
    let mut features = join(engine, &sensed.rows, balance, monitor)?;
    features.log_mel_voice = sensed.log_mel_voice;
    features.timings = QueryTimings {
        fuse: features.timings.fuse,
        ..sensed.timings
    };
    features.timings.total = milliseconds(began.elapsed());
    Ok(features)
}

/// What the networks saw and heard of a clip, before the gate weighs it: the same for each balance.
#[derive(Debug, Clone)]
pub(in crate::engine) struct QueryRows {
    /// [1, 8, slow_dim] and [1, 64, fast_dim].
    pub(super) picture: Option<(Tensor, Tensor)>,
    /// [1, 72, 128].
    pub(super) voice: Option<Tensor>,
    /// Length of the media, seconds.
    pub(in crate::engine) duration_s: f64,
}

/// Fresh rows, and what only a fresh query knows.
pub(super) struct Sensed {
    pub(super) rows: QueryRows,
    /// [72, 96, 64].
    log_mel_voice: Option<Vec<f32>>,
    /// All but `fuse`, `rank` and `total`.
    pub(super) timings: QueryTimings,
}

/// Looks at and listens to a clip.
pub(super) fn sense(
    engine: &Engine,
    media: &Path,
    info: &MediaInfo,
    start_s: f64,
    voice: &VoiceSource,
    monitor: &Monitor,
) -> Result<Sensed> {
    let clip = Clip::of(media, info, start_s)?;
    let has_sound = !info.audio.is_empty() || matches!(voice, VoiceSource::File(_));
    if info.video.is_empty() && !has_sound {
        return Err(Error::input(
            media,
            "has neither picture nor sound; give a video or a sound file",
        ));
    }
    let (picture, sound) = jobs::join(
        "picture",
        || {
            (!info.video.is_empty())
                .then(|| see(engine, &clip, &monitor.part(0.0, 0.5)))
                .transpose()
        },
        || {
            if has_sound {
                listen(engine, &clip, voice, &monitor.part(0.5, 0.9))
            } else {
                Ok(None)
            }
        },
    )?;
    let (picture, sound) = (picture?, sound?);
    if picture.is_none() && sound.is_none() {
        return Err(Error::input(
            media,
            "is silent and has no picture, so there is nothing to match; give another file",
        ));
    }
    monitor.check()?;
    let mut timings = QueryTimings::default();
    if let Some(seen) = &picture {
        timings.decode += milliseconds(seen.decoding);
        timings.slowfast = milliseconds(seen.computing);
    }
    if let Some(heard) = &sound {
        timings.decode += milliseconds(heard.decoding);
        timings.separate = milliseconds(heard.separating);
        timings.vggish = milliseconds(heard.computing);
    }
    let (log_mel_voice, voice) = sound.map(|heard| (heard.log_mel, heard.rows)).unzip();
    Ok(Sensed {
        rows: QueryRows {
            picture: picture.map(|seen| (seen.slow, seen.fast)),
            voice,
            duration_s: info.duration_s,
        },
        log_mel_voice,
        timings,
    })
}

/// Joins rows to one embedding (eq. 1 to 4), each side weighed by `balance`. The log-mel patches stay out.
pub(in crate::engine) fn join(
    engine: &Engine,
    rows: &QueryRows,
    balance: f64,
    monitor: &Monitor,
) -> Result<QueryFeatures> {
    monitor.progress("Matching picture and voice", Some(0.9));
    let began = Instant::now();
    let output = engine.mrcmv()?.query(
        &QueryInput {
            picture: rows.picture.clone(),
            voice: rows.voice.clone(),
        },
        balance,
    )?;
    let mut features = QueryFeatures {
        embedding: values(&output.embedding)?,
        voice_share: values(&output.voice_share)?
            .first()
            .copied()
            .filter(|share| share.is_finite()),
        duration_s: rows.duration_s,
        ..QueryFeatures::default()
    };
    features.timings.fuse = milliseconds(began.elapsed());
    if let Some((slow, fast)) = &rows.picture {
        features.slow = Some(values(slow)?);
        features.fast = Some(values(fast)?);
    }
    features.vggish_voice = rows.voice.as_ref().map(values).transpose()?;
    Ok(features)
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
