//! The BGM branch: windows of a track, their features and embeddings (3.2; reading, point 11).

use super::clip::{Audible, CLIP_S, CLIP_SAMPLES};
use crate::engine::Engine;
use crate::error::Result;
use crate::jobs::Monitor;

/// Seconds from one window of a track to the next.
pub const WINDOW_HOP_S: f64 = 8.0;

const HOP_SAMPLES: usize = 128_000;

/// One window of a track.
#[derive(Debug)]
pub struct BgmWindow {
    /// Start in the track, seconds.
    pub start_s: f64,
    /// What the network was given, where that is asked for.
    pub(in crate::engine) given: Option<Audible>,
    /// [72, 128].
    pub vggish: Vec<f32>,
    /// `[d_E]`.
    pub embedding: Vec<f32>,
}

/// Embeds 16 kHz mono sound, one window per 8 s hop (reading, point 11); shorter sound repeats to 32 s.
///
/// # Errors
/// When the device fails; cancelled.
pub fn embed_bgm(
    engine: &Engine,
    samples: &[f32],
    keep_given: bool,
    monitor: &Monitor,
) -> Result<Vec<BgmWindow>> {
    if samples.is_empty() {
        return Ok(Vec::new());
    }
    let vggish = engine.vggish_bgm()?;
    let mrcmv = engine.mrcmv()?;
    let device = &engine.device().device;
    let count = samples.len().saturating_sub(CLIP_SAMPLES) / HOP_SAMPLES + 1;
    (0..count)
        .map(|window| {
            monitor.check()?;
            monitor.progress("Listening to the music", Some(window as f32 / count as f32));
            let start = window * HOP_SAMPLES;
            let end = samples.len().min(start + CLIP_SAMPLES);
            let audible = Audible::of(&samples[start..end], vggish.takes_chroma());
            let rows = audible.rows(vggish, device)?;
            let embedding = mrcmv.bgm(&rows.unsqueeze(0)?)?;
            Ok(BgmWindow {
                start_s: window as f64 * WINDOW_HOP_S,
                given: keep_given.then_some(audible),
                vggish: rows.flatten_all()?.to_vec1()?,
                embedding: embedding.flatten_all()?.to_vec1()?,
            })
        })
        .collect()
}

const _: () =
    assert!(CLIP_S as usize * 16_000 == CLIP_SAMPLES && WINDOW_HOP_S as usize * 16_000 == HOP_SAMPLES);
