//! Features of the clips of a corpus, for training and evaluation: computed once, then read from the cache.
//!
//! Everything in the cache stands under a hash of the bytes it came from, the networks that made it and what was done to the sound
//! on the way, so that an edited file or another pack never meets old features.

mod cache;
mod sound;

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::Engine;
use super::corpus::{MediaFile, Usable};
use super::embed::{Audible, CLIP_S, is_silent, picture_bytes, picture_rows, repeat_to_clip};
use super::separate::{SeparateOptions, separate_samples};
use crate::error::{Error, Result};
use crate::jobs::{self, Monitor};
use crate::media::{self, AudioFormat};
use crate::networks::slowfast;
use crate::networks::vggish::{self, Vggish};
use crate::networks::weights::Pack;
use crate::signal::landmarks::Landmarks;
use crate::signal::{resample, statistics};
use crate::training::{Stored, Together};
use cache::Cache;
pub(super) use cache::Keep;
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

/// What lies under a voice that it was not made for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bed<'a> {
    /// A clean track.
    Track(Window<'a>),
    /// What separation leaves of a video's mix beside its voice: the track as it was edited, and the sounds of the game.
    Stem(Window<'a>),
}

impl<'a> Bed<'a> {
    /// Either by lot, from any part of `of`, which has a clean track.
    pub(super) fn drawn(of: &'a Usable, rng: &mut ChaCha8Rng) -> Self {
        let clean = of.bgm.as_ref().filter(|_| rng.random());
        let file = clean.unwrap_or(&of.video);
        let start_s = rng.random::<f64>() * (file.duration_s - CLIP_S).max(0.0);
        let window = Window { file, start_s };
        match clean {
            Some(_) => Self::Track(window),
            None => Self::Stem(window),
        }
    }
}

/// What hears a sound, and its identity.
#[derive(Clone)]
pub(super) struct Ear<'a> {
    hears: Hears<'a>,
    id: String,
}

#[derive(Clone)]
enum Hears<'a> {
    /// VGGish's rows [72, 128].
    Rows(&'a Vggish),
    /// The log-mel patches [72, 1, 96, 64] that VGGish is given while it is trained, and beside them its chroma [72, 12]
    /// where it takes that.
    Patches { chroma: bool },
    /// The music statistics of CBVMR [1140].
    Statistics,
}

impl<'a> Ear<'a> {
    /// A VGGish and the entry of `pack` it came from.
    pub(super) fn new(vggish: &'a Vggish, pack: &Pack, network: &str) -> Self {
        Self {
            hears: Hears::Rows(vggish),
            id: network_id(pack, network),
        }
    }

    fn patches(chroma: bool) -> Self {
        let id = if chroma {
            "log-mel patches and chroma"
        } else {
            "log-mel patches"
        };
        Self {
            hears: Hears::Patches { chroma },
            id: id.to_owned(),
        }
    }

    fn statistics() -> Self {
        Self {
            hears: Hears::Statistics,
            id: "music statistics".to_owned(),
        }
    }
}

/// What a system takes of the sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listening {
    /// VGGish rows of both.
    Rows,
    /// What VGGish itself is given, of both.
    Patches,
    /// Music statistics; of the voice nothing is asked.
    Statistics,
}

/// Features of clips by the networks of one engine.
#[derive(Clone)]
pub(super) struct Clips<'a> {
    engine: &'a Engine,
    cache: Cache,
    /// Where features of clips go instead that no other run will ask for.
    draws: Option<Cache>,
    /// Identity of the separator.
    separator: String,
    pub(super) voice: Ear<'a>,
    pub(super) bgm: Ear<'a>,
}

/// Features of the two stems of a mix; `None` where a stem is silent.
pub(super) struct StemFeatures<S> {
    pub(super) voice: Option<S>,
    pub(super) bgm: Option<S>,
}

/// What is taken of a picture: SlowFast's rows, or the frames themselves.
pub(super) trait Picture: Send + Sized {
    fn of(clips: &Clips<'_>, window: Window<'_>, monitor: &Monitor) -> Result<Self>;
}

/// The picture of `window`, taken on a thread of its own while `sounds` are heard on this one: each waits for a decoder most
/// of its time.
pub(super) fn seen_beside<P: Picture, T>(
    clips: &Clips<'_>,
    window: Option<Window<'_>>,
    monitor: &Monitor,
    sounds: impl FnOnce() -> Result<T>,
) -> Result<(Option<P>, T)> {
    let Some(window) = window else {
        return Ok((None, sounds()?));
    };
    let (picture, sounds) = jobs::join("picture", || P::of(clips, window, monitor), sounds)?;
    Ok((Some(picture?), sounds?))
}

/// SlowFast rows, slow [8, slow_dim] and fast [64, fast_dim].
impl Picture for (Tensor, Tensor) {
    fn of(clips: &Clips<'_>, window: Window<'_>, monitor: &Monitor) -> Result<Self> {
        let key = key(
            "picture",
            window,
            &[&network_id(clips.engine.pack(), "slowfast")],
            (),
        );
        let [slow, fast] = clips
            .place()
            .tensors(&key, ["slow", "fast"], clips.device(), || {
                let length_s = window.length_s();
                let (slow, fast) =
                    picture_rows(clips.engine, &window.file.path, window.start_s, length_s, monitor)?;
                window.file.require_unchanged()?;
                Ok([Some(slow.squeeze(0)?), Some(fast.squeeze(0)?)])
            })?;
        slow.zip(fast)
            .ok_or_else(|| Error::internal("a picture without rows was cached"))
    }
}

/// The frames as bytes [3, 64, crop, crop].
impl Picture for Stored {
    fn of(clips: &Clips<'_>, window: Window<'_>, monitor: &Monitor) -> Result<Self> {
        let config: slowfast::Config = clips.engine.pack().config("slowfast")?;
        let key = key("frames", window, &[], config.crop);
        let [frames] = clips.place().tensors(&key, ["frames"], &Device::Cpu, || {
            let frames = picture_bytes(
                &config,
                &window.file.path,
                window.start_s,
                window.length_s(),
                monitor,
            )?;
            window.file.require_unchanged()?;
            Ok([Some(frames)])
        })?;
        frames.ok_or_else(|| Error::internal("a picture without frames was cached"))
    }
}

const CLIP_ROWS: &str = "rows";
/// The rows of a clip, and beside patches their chroma, as [`Stored`] finds it.
const CLIP_NAMES: [&str; 2] = [CLIP_ROWS, "rows chroma"];

impl<'a> Clips<'a> {
    /// # Errors
    /// When the pack lacks a network or the cache folder cannot be made.
    pub(super) fn new(engine: &'a Engine, listening: Listening) -> Result<Self> {
        let ear = |vggish, network| Ear::new(vggish, engine.pack(), network);
        let takes_chroma = |network| {
            let config = engine.pack().config::<vggish::Config>(network);
            config.is_ok_and(|config| config.chroma)
        };
        let (voice, bgm) = match listening {
            Listening::Rows => (
                ear(engine.vggish_voice()?, "vggish_voice"),
                ear(engine.vggish_bgm()?, "vggish_bgm"),
            ),
            Listening::Patches => (
                Ear::patches(takes_chroma(Together::VGGISH_VOICE)),
                Ear::patches(takes_chroma(Together::VGGISH_BGM)),
            ),
            Listening::Statistics => (Ear::statistics(), Ear::statistics()),
        };
        Ok(Self {
            cache: Cache::open(engine.options().folders.cache.join("features"))?,
            draws: None,
            voice,
            bgm,
            separator: network_id(engine.pack(), "spleeter"),
            engine,
        })
    }

    /// The same, keeping the features of clips in `folder`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn drawing_into(&self, folder: PathBuf) -> Result<Self> {
        Ok(Self {
            draws: Some(Cache::open(folder)?),
            ..self.clone()
        })
    }

    /// The place of the features of a clip.
    fn place(&self) -> &Cache {
        self.draws.as_ref().unwrap_or(&self.cache)
    }

    /// Features of the two stems that separation cuts from the mix. `envelope` seeds random gains over time, other ones for
    /// each stem.
    pub(super) fn separated<S: Keep>(
        &self,
        window: Window<'_>,
        envelope: Option<u64>,
        monitor: &Monitor,
    ) -> Result<StemFeatures<S>> {
        let networks = [&self.separator, &self.voice.id, &self.bgm.id];
        let key = key("separated", window, &networks.map(String::as_str), envelope);
        let names = ["voice", "bgm", "voice chroma", "bgm chroma"];
        let [voice, bgm, ..] = self.place().tensors(&key, names, self.device(), || {
            let mix = decode(window, AudioFormat::MIX, monitor)?;
            let (mut voice, mut bgm) = self.stems(&mix, monitor)?;
            if let Some(seed) = envelope {
                sound::fade_randomly(&mut voice, seed);
                sound::fade_randomly(&mut bgm, seed.wrapping_add(1));
            }
            let (voice, bgm) = (self.heard(&voice, &self.voice)?, self.heard(&bgm, &self.bgm)?);
            Ok([voice.rows, bgm.rows, voice.chroma, bgm.chroma])
        })?;
        Ok(StemFeatures { voice, bgm })
    }

    /// Features of the voice that separation cuts from a clean voice mixed with another video's music.
    pub(super) fn remixed_voice<S: Keep>(
        &self,
        voice: Window<'_>,
        bed: &Bed<'_>,
        mix: &Mix,
        monitor: &Monitor,
    ) -> Result<Option<S>> {
        let (Bed::Track(music) | Bed::Stem(music)) = *bed;
        let edited = matches!(bed, Bed::Stem(_));
        let about = (&music.file.sha256, music.start_s, edited, mix);
        let key = key("remixed", voice, &[&self.separator, &self.voice.id], about);
        let [rows, _] = self.place().tensors(&key, CLIP_NAMES, self.device(), || {
            let spoken = decode(voice, AudioFormat::MIX, monitor)?;
            if is_silent(&spoken) {
                return Ok([None, None]);
            }
            let mut music = decode(music, AudioFormat::MIX, monitor)?;
            if edited && !is_silent(&music) {
                music = separate_samples(self.engine, &music, &SeparateOptions::default(), monitor)?.bgm;
            }
            let mixed = mix.coded(sound::mixed(&spoken, &music, mix), monitor)?;
            let (heard, _) = self.stems(&mixed, monitor)?;
            let heard = self.heard(&heard, &self.voice)?;
            Ok([heard.rows, heard.chroma])
        })?;
        Ok(rows)
    }

    /// Features of a sound as it is, `gain_db` louder.
    pub(super) fn plain<S: Keep>(
        &self,
        window: Window<'_>,
        gain_db: f32,
        ear: &Ear<'_>,
        monitor: &Monitor,
    ) -> Result<Option<S>> {
        let key = key("plain", window, &[&ear.id], gain_db);
        let [rows, _] = self.place().tensors(&key, CLIP_NAMES, self.device(), || {
            let mut samples = decode(window, AudioFormat::VGGISH, monitor)?;
            sound::amplify(&mut samples, gain_db);
            let heard = self.heard(&samples, ear)?;
            Ok([heard.rows, heard.chroma])
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
            Ok([self.heard(&bgm, ear)?.rows])
        })?;
        Ok(rows)
    }

    /// What tells the music under a clip from other music: landmarks of its BGM stem, and the rows that the pack's own
    /// VGGish gives of it; `None` where it is silent.
    pub(super) fn music(&self, window: Window<'_>, monitor: &Monitor) -> Result<Option<(Landmarks, Tensor)>> {
        let ear = Ear::new(self.engine.vggish_bgm()?, self.engine.pack(), "vggish_bgm");
        let key = key("music", window, &[&self.separator, &ear.id], ());
        let [pairs, rows] = self
            .place()
            .tensors(&key, ["landmarks", CLIP_ROWS], &Device::Cpu, || {
                let (_, bgm) = self.stems(&decode(window, AudioFormat::MIX, monitor)?, monitor)?;
                Ok([kept(&Landmarks::of(&bgm))?, self.heard(&bgm, &ear)?.rows])
            })?;
        let Some((pairs, rows)): Option<(Tensor, Tensor)> = pairs.zip(rows) else {
            return Ok(None);
        };
        let landmarks = Landmarks {
            pairs: pairs.to_vec1()?,
        };
        Ok(Some((landmarks, rows.to_device(self.device())?)))
    }

    /// Landmarks of a whole recording.
    pub(super) fn landmarks(&self, file: &MediaFile, monitor: &Monitor) -> Result<Landmarks> {
        let window = Window { file, start_s: 0.0 };
        let [pairs] = self.cache.tensors(
            &key("recording", window, &[], ()),
            ["landmarks"],
            &Device::Cpu,
            || {
                let samples = media::decode_audio(&file.path, AudioFormat::VGGISH, 0.0, None, monitor)?;
                file.require_unchanged()?;
                Ok([kept(&Landmarks::of(&samples))?])
            },
        )?;
        let pairs: Option<Tensor> = pairs;
        let pairs = match pairs {
            Some(pairs) => pairs.to_vec1()?,
            None => Vec::new(),
        };
        Ok(Landmarks { pairs })
    }

    pub(super) fn engine(&self) -> &'a Engine {
        self.engine
    }

    fn device(&self) -> &Device {
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

    /// What `ear` makes of 16 kHz mono sound; nothing of silence.
    fn heard(&self, samples: &[f32], ear: &Ear<'_>) -> Result<Heard> {
        if is_silent(samples) {
            return Ok(Heard::default());
        }
        let device = self.device();
        Ok(match ear.hears {
            Hears::Rows(vggish) => Audible::of(samples, vggish.takes_chroma())
                .rows(vggish, device)?
                .into(),
            Hears::Patches { chroma } => {
                let audible = Audible::of(samples, chroma);
                Heard {
                    rows: Some(audible.patches(device)?),
                    chroma: audible.chroma(device)?,
                }
            }
            Hears::Statistics => {
                let clip = repeat_to_clip(samples);
                let found = statistics::statistics(&clip, AudioFormat::VGGISH.sample_rate);
                Tensor::from_vec(found, statistics::COUNT, device)?.into()
            }
        })
    }
}

/// What an ear makes of a sound.
#[derive(Default)]
struct Heard {
    rows: Option<Tensor>,
    /// Beside the patches of a network that is trained on them.
    chroma: Option<Tensor>,
}

impl From<Tensor> for Heard {
    fn from(rows: Tensor) -> Self {
        Self {
            rows: Some(rows),
            chroma: None,
        }
    }
}

/// Landmarks as they are kept; `None` where there are none.
fn kept(landmarks: &Landmarks) -> Result<Option<Tensor>> {
    let pairs = landmarks.pairs.as_slice();
    Ok((!pairs.is_empty())
        .then(|| Tensor::new(pairs, &Device::Cpu))
        .transpose()?)
}

/// Decodes a clip's sound; nothing where the file ends before it.
fn decode(window: Window<'_>, format: AudioFormat, monitor: &Monitor) -> Result<Vec<f32>> {
    let length_s = window.length_s();
    if length_s <= 0.0 {
        return Ok(Vec::new());
    }
    let samples = media::decode_audio(&window.file.path, format, window.start_s, Some(length_s), monitor)?;
    window.file.require_unchanged()?;
    Ok(samples)
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
