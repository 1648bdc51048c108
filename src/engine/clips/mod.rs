//! Features of the clips of a corpus, for training and evaluation: computed once, then read from the cache.
//!
//! Everything in the cache stands under a hash of the bytes it came from, the networks that made it and what was done to the sound
//! on the way, so that an edited file or another pack never meets old features.

mod cache;
mod sound;

use candle_core::Tensor;
use serde::Serialize;

use super::Engine;
use super::corpus::MediaFile;
use super::embed::{CLIP_S, clip_patches, is_silent, picture_rows};
use super::separate::{SeparateOptions, separate_samples};
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::media::{self, AudioFormat};
use crate::networks::vggish::Vggish;
use crate::networks::weights::Pack;
use crate::signal::{mel, resample};
use cache::Cache;
pub(super) use sound::Mix;

/// The part of a file that a clip covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) file: &'a MediaFile,
    pub(super) start_s: f64,
}

impl Window<'_> {
    /// Seconds that the file has from the start on, at most a clip; what is short repeats.
    fn length_s(&self) -> f64 {
        (self.file.duration_s - self.start_s).clamp(0.0, CLIP_S)
    }
}

/// A VGGish that hears a sound, and its identity.
pub(super) struct Ear<'a> {
    vggish: &'a Vggish,
    id: String,
}

impl<'a> Ear<'a> {
    /// A VGGish and the entry of `pack` it came from.
    pub(super) fn new(vggish: &'a Vggish, pack: &Pack, network: &str) -> Self {
        Self {
            vggish,
            id: network_id(pack, network),
        }
    }
}

/// Features of clips by the networks of one engine.
pub(super) struct Clips<'a> {
    engine: &'a Engine,
    cache: Cache,
    /// Identity of the separator.
    separator: String,
    pub(super) voice: Ear<'a>,
    pub(super) bgm: Ear<'a>,
}

/// VGGish rows [72, 128] of the two stems of a mix; `None` where a stem is silent.
pub(super) struct StemRows {
    pub(super) voice: Option<Tensor>,
    pub(super) bgm: Option<Tensor>,
}

const CLIP_ROWS: &str = "rows";

impl<'a> Clips<'a> {
    /// # Errors
    /// When the pack lacks a network or the cache folder cannot be made.
    pub(super) fn new(engine: &'a Engine) -> Result<Self> {
        let ear = |vggish, network| Ear::new(vggish, engine.pack(), network);
        Ok(Self {
            cache: Cache::open(engine.options().folders.cache.join("features"))?,
            voice: ear(engine.vggish_voice()?, "vggish_voice"),
            bgm: ear(engine.vggish_bgm()?, "vggish_bgm"),
            separator: network_id(engine.pack(), "spleeter"),
            engine,
        })
    }

    /// SlowFast rows, slow [8, slow_dim] and fast [64, fast_dim].
    pub(super) fn picture(&self, window: Window<'_>, monitor: &Monitor) -> Result<(Tensor, Tensor)> {
        let key = key(
            "picture",
            window,
            &[&network_id(self.engine.pack(), "slowfast")],
            (),
        );
        let [slow, fast] = self.cache.tensors(&key, ["slow", "fast"], self.device(), || {
            let (slow, fast) = picture_rows(
                self.engine,
                &window.file.path,
                window.start_s,
                window.length_s(),
                monitor,
            )?;
            Ok([Some(slow.squeeze(0)?), Some(fast.squeeze(0)?)])
        })?;
        slow.zip(fast)
            .ok_or_else(|| Error::internal("a picture without rows was cached"))
    }

    /// Rows of the two stems that separation cuts from the mix. `envelope` seeds random gains over time, other ones for
    /// each stem.
    pub(super) fn separated(
        &self,
        window: Window<'_>,
        envelope: Option<u64>,
        monitor: &Monitor,
    ) -> Result<StemRows> {
        let networks = [&self.separator, &self.voice.id, &self.bgm.id];
        let key = key("separated", window, &networks.map(String::as_str), envelope);
        let [voice, bgm] = self.cache.tensors(&key, ["voice", "bgm"], self.device(), || {
            let mix = decode(window, AudioFormat::MIX, monitor)?;
            let (mut voice, mut bgm) = self.stems(&mix, monitor)?;
            if let Some(seed) = envelope {
                sound::fade_randomly(&mut voice, seed);
                sound::fade_randomly(&mut bgm, seed.wrapping_add(1));
            }
            Ok([self.rows(&voice, &self.voice)?, self.rows(&bgm, &self.bgm)?])
        })?;
        Ok(StemRows { voice, bgm })
    }

    /// Rows of the voice that separation cuts from a clean voice mixed with another video's music.
    pub(super) fn remixed_voice(
        &self,
        voice: Window<'_>,
        music: Window<'_>,
        mix: &Mix,
        monitor: &Monitor,
    ) -> Result<Option<Tensor>> {
        let about = (&music.file.sha256, music.start_s, mix);
        let key = key("remixed", voice, &[&self.separator, &self.voice.id], about);
        let [rows] = self.cache.tensors(&key, [CLIP_ROWS], self.device(), || {
            let spoken = decode(voice, AudioFormat::MIX, monitor)?;
            if is_silent(&spoken) {
                return Ok([None]);
            }
            let music = decode(music, AudioFormat::MIX, monitor)?;
            let (heard, _) = self.stems(&sound::mixed(&spoken, &music, mix), monitor)?;
            Ok([self.rows(&heard, &self.voice)?])
        })?;
        Ok(rows)
    }

    /// Rows of a sound as it is, `gain_db` louder.
    pub(super) fn plain(
        &self,
        window: Window<'_>,
        gain_db: f32,
        ear: &Ear<'_>,
        monitor: &Monitor,
    ) -> Result<Option<Tensor>> {
        let key = key("plain", window, &[&ear.id], gain_db);
        let [rows] = self.cache.tensors(&key, [CLIP_ROWS], self.device(), || {
            let mut samples = decode(window, AudioFormat::VGGISH, monitor)?;
            sound::amplify(&mut samples, gain_db);
            Ok([self.rows(&samples, ear)?])
        })?;
        Ok(rows)
    }

    /// Rows of the BGM stem of a mix through another VGGish than the pack's, for the distance of Table 1.
    pub(super) fn separated_bgm(
        &self,
        window: Window<'_>,
        ear: &Ear<'_>,
        monitor: &Monitor,
    ) -> Result<Option<Tensor>> {
        let key = key("separated-bgm", window, &[&self.separator, &ear.id], ());
        let [rows] = self.cache.tensors(&key, [CLIP_ROWS], self.device(), || {
            let (_, bgm) = self.stems(&decode(window, AudioFormat::MIX, monitor)?, monitor)?;
            Ok([self.rows(&bgm, ear)?])
        })?;
        Ok(rows)
    }

    fn device(&self) -> &candle_core::Device {
        &self.engine.device().device
    }

    /// Voice and BGM of 44.1 kHz stereo, each 16 kHz mono.
    fn stems(&self, mix: &[f32], monitor: &Monitor) -> Result<(Vec<f32>, Vec<f32>)> {
        if is_silent(mix) {
            return Ok((Vec::new(), Vec::new()));
        }
        let stems = separate_samples(self.engine, mix, &SeparateOptions::default(), monitor)?;
        let heard = |stem: &[f32]| {
            let mono: Vec<f32> = stem
                .chunks_exact(2)
                .map(|pair| f32::midpoint(pair[0], pair[1]))
                .collect();
            resample::resample(
                &mono,
                AudioFormat::MIX.sample_rate,
                AudioFormat::VGGISH.sample_rate,
            )
        };
        Ok((heard(&stems.voice), heard(&stems.bgm)))
    }

    /// VGGish rows [72, 128] of 16 kHz mono sound; `None` for silence.
    fn rows(&self, samples: &[f32], ear: &Ear<'_>) -> Result<Option<Tensor>> {
        if is_silent(samples) {
            return Ok(None);
        }
        let patches = Tensor::from_vec(
            clip_patches(samples),
            (mel::PATCHES, 1, mel::PATCH_FRAMES, mel::BANDS),
            self.device(),
        )?;
        Ok(Some(ear.vggish.forward(&patches)?))
    }
}

/// Decodes a clip's sound; nothing where the file ends before it.
fn decode(window: Window<'_>, format: AudioFormat, monitor: &Monitor) -> Result<Vec<f32>> {
    let length_s = window.length_s();
    if length_s <= 0.0 {
        return Ok(Vec::new());
    }
    media::decode_audio(&window.file.path, format, window.start_s, Some(length_s), monitor)
}

/// All that makes a network what it is: its weights and its config.
fn network_id(pack: &Pack, network: &str) -> String {
    pack.manifest
        .networks
        .get(network)
        .map(|entry| format!("{} {}", entry.sha256, entry.config))
        .unwrap_or_default()
}

/// What a cached feature was made of, as text.
fn key(kind: &str, window: Window<'_>, networks: &[&str], about: impl Serialize) -> String {
    serde_json::json!({
        "kind": kind,
        "file": window.file.sha256,
        "start_s": window.start_s,
        "networks": networks,
        "about": serde_json::to_value(about).unwrap_or_default(),
    })
    .to_string()
}
