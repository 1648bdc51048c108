//! The graph: voice, original music and candidate, each with its gain, into one bus.

use serde::{Deserialize, Serialize};

use super::candidate::Bed;
use super::ducking::{db_to_gain, interpolated, voice_activity};
use super::glide::Glide;
use super::limiter::{self, Limiter};
use super::{CHUNK, DuckingCurve, DuckingPreset, GLIDE_FRAMES, RATE, SampleSource};
use crate::error::Error;

/// What alone is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solo {
    /// The whole mix.
    #[default]
    None,
    /// The voice-over.
    Voice,
    /// The original music.
    Original,
    /// The candidate.
    Candidate,
}

/// How the candidate sits in the mix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CandidateSettings {
    /// Where in the track the clip's start falls, seconds.
    pub in_point_s: f64,
    /// Gain before ducking, dB; level matching comes from here.
    pub gain_db: f32,
    /// Fade in at the clip's start, seconds.
    pub fade_in_s: f64,
    /// Fade out before the clip's end, seconds.
    pub fade_out_s: f64,
}

impl Default for CandidateSettings {
    fn default() -> Self {
        Self {
            in_point_s: 0.0,
            gain_db: 0.0,
            fade_in_s: 0.05,
            fade_out_s: 1.5,
        }
    }
}

/// Everything about the mix that a user can change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MixSettings {
    /// Gain of the voice-over, dB.
    pub voice_gain_db: f32,
    /// Silences the voice-over.
    pub voice_muted: bool,
    /// Gain of the original music, dB.
    pub original_gain_db: f32,
    /// Silences the original music ("replace").
    pub original_muted: bool,
    /// The candidate's place.
    pub candidate: CandidateSettings,
    /// Silences the candidate.
    pub candidate_muted: bool,
    /// Ducking of the candidate under the voice.
    pub ducking: DuckingPreset,
    /// What alone is heard; never part of an export.
    #[serde(skip)]
    pub solo: Solo,
    /// Gain of the whole mix, dB, set so that the loudness target is met; a true-peak limiter at -1 dBTP
    /// follows it.
    pub master_gain_db: f32,
}

impl Default for MixSettings {
    fn default() -> Self {
        Self {
            voice_gain_db: 0.0,
            voice_muted: false,
            original_gain_db: 0.0,
            original_muted: true,
            candidate: CandidateSettings::default(),
            candidate_muted: false,
            ducking: DuckingPreset::default(),
            solo: Solo::None,
            master_gain_db: 0.0,
        }
    }
}

/// A stem with its gain.
struct Strip {
    source: Box<dyn SampleSource>,
    gain: Glide,
}

/// The mix of one clip.
///
/// What a frame sounds like depends on its position and the settings alone, not on where rendering began or on the size
/// of its blocks; only for the few milliseconds after a change of settings do old and new sound together. The frame
/// rendered at a position is the frame that belongs there: the limiter's look-ahead is taken out.
pub struct MixGraph {
    frames: u64,
    voice: Strip,
    original: Strip,
    bed: Bed,
    bed_audible: Glide,
    /// Ducking, 0..=1 per 10 ms.
    activity: Vec<f32>,
    duck_db: Glide,
    master: Glide,
    limiter: Limiter,
    settings: MixSettings,
    /// The frame that the next render continues with; `None` before the first.
    next_frame: Option<u64>,
    /// The frame that goes into the limiter next.
    bus_frame: u64,
    levels: [f32; 4],
    bus: Vec<f32>,
    piece: Vec<f32>,
}

impl MixGraph {
    /// A graph over the stems of a clip (`original` is the separated BGM) and the voice's ducking levels (linear RMS
    /// per 10 ms, see [`super::measure_voice`]). Length is that of the voice stem.
    pub fn new(voice: Box<dyn SampleSource>, original: Box<dyn SampleSource>, voice_rms: Vec<f32>) -> Self {
        let mut graph = Self {
            frames: voice.frames(),
            voice: Strip {
                source: voice,
                gain: Glide::at(1.0),
            },
            original: Strip {
                source: original,
                gain: Glide::at(0.0),
            },
            bed: Bed::new(),
            bed_audible: Glide::at(1.0),
            activity: voice_activity(&voice_rms),
            duck_db: Glide::at(0.0),
            master: Glide::at(1.0),
            limiter: Limiter::new(),
            settings: MixSettings::default(),
            next_frame: None,
            bus_frame: 0,
            levels: [0.0; 4],
            bus: vec![0.0; 2 * CHUNK],
            piece: vec![0.0; 2 * CHUNK],
        };
        graph.set_settings(MixSettings::default());
        graph
    }

    /// The same graph over a clip of `frames`: where a video is longer than its sound, the music goes on.
    #[must_use]
    pub fn with_frames(mut self, frames: u64) -> Self {
        self.frames = frames;
        self.set_settings(self.settings);
        self
    }

    /// Length in frames at 44.1 kHz.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The settings in use.
    pub fn settings(&self) -> MixSettings {
        self.settings
    }

    /// Puts another candidate in (or none); the clock does not move. Old and new are cross-faded over 15 ms.
    ///
    /// A track is heard at most once through: from the in point to its end, on from its start with a cross-fade where
    /// the clip is longer, and faded out for good when all of it was heard.
    pub fn set_candidate(&mut self, candidate: Option<Box<dyn SampleSource>>) {
        let settings = self.settings.candidate;
        self.bed
            .swap(candidate, &settings, db_to_gain(settings.gain_db), self.frames);
    }

    /// Changes settings; gains glide over 10 ms, a new in point or fade is cross-faded.
    pub fn set_settings(&mut self, settings: MixSettings) {
        let heard = |solo: Solo, muted: bool| {
            if settings.solo == Solo::None {
                !muted
            } else {
                settings.solo == solo
            }
        };
        let gain = |heard: bool, db: f32| if heard { db_to_gain(db) } else { 0.0 };
        let voice_heard = heard(Solo::Voice, settings.voice_muted);
        let original_heard = heard(Solo::Original, settings.original_muted);
        let bed_heard = heard(Solo::Candidate, settings.candidate_muted);
        // Nothing makes room for a voice that is not heard.
        let depth_db = if voice_heard {
            settings.ducking.depth_db()
        } else {
            0.0
        };
        let candidate = settings.candidate;

        self.voice
            .gain
            .send(gain(voice_heard, settings.voice_gain_db), GLIDE_FRAMES);
        self.original
            .gain
            .send(gain(original_heard, settings.original_gain_db), GLIDE_FRAMES);
        self.bed
            .place(&candidate, db_to_gain(candidate.gain_db), self.frames);
        self.bed_audible.send(gain(bed_heard, 0.0), GLIDE_FRAMES);
        self.duck_db.send(depth_db, GLIDE_FRAMES);
        self.master
            .send(db_to_gain(settings.master_gain_db), GLIDE_FRAMES);
        self.settings = settings;
    }

    /// The curve in use, for the timeline.
    pub fn ducking(&self) -> DuckingCurve {
        DuckingCurve::of_activity(&self.activity, self.settings.ducking)
    }

    /// Renders interleaved stereo from frame `at` on, silence past the end; a position that does not continue the last
    /// one is a seek.
    pub fn render(&mut self, at: u64, out: &mut [f32]) {
        if self.next_frame != Some(at) {
            self.seek(at);
        }
        for block in out.chunks_mut(2 * CHUNK) {
            let samples = block.len() / 2 * 2;
            self.advance(samples / 2);
            block[..samples].copy_from_slice(&self.bus[..samples]);
            block[samples..].fill(0.0);
            self.levels[3] = peak(self.levels[3], block);
        }
        self.next_frame = Some(at + (out.len() / 2) as u64);
    }

    /// Fills the limiter with what comes before frame `at`, so that it behaves as if it had been there all the time.
    fn seek(&mut self, at: u64) {
        for gain in [
            &mut self.voice.gain,
            &mut self.original.gain,
            &mut self.bed_audible,
            &mut self.duck_db,
            &mut self.master,
        ] {
            gain.snap();
        }
        self.bed.snap();
        self.limiter.reset();
        let levels = self.levels;
        self.bus_frame = at.saturating_sub(limiter::MEMORY as u64);
        let mut left = (at - self.bus_frame) as usize + limiter::DELAY;
        while left > 0 {
            let frames = left.min(CHUNK);
            self.advance(frames);
            left -= frames;
        }
        self.levels = levels;
    }

    /// Mixes the next `frames` (at most [`CHUNK`]) into the limiter and leaves what comes out in the bus.
    fn advance(&mut self, frames: usize) {
        let at = self.bus_frame;
        let inside = (self.frames.saturating_sub(at)).min(frames as u64) as usize;
        let (bus, silence) = self.bus[..2 * frames].split_at_mut(2 * inside);
        let piece = &mut self.piece[..2 * inside];
        bus.fill(0.0);
        silence.fill(0.0);
        for (index, strip) in [&mut self.voice, &mut self.original].into_iter().enumerate() {
            if strip.gain.rests_at(0.0) {
                continue;
            }
            strip.source.read_at(at, piece);
            for sample in piece.as_chunks_mut::<2>().0 {
                let gain = strip.gain.next();
                *sample = sample.map(|sample| sample * gain);
            }
            self.levels[index] = peak(self.levels[index], piece);
            add(bus, piece);
        }

        self.bed.render(at, piece);
        for (sample, at) in piece.as_chunks_mut::<2>().0.iter_mut().zip(at..) {
            let activity = interpolated(&self.activity, at as f64 * STEPS_PER_FRAME);
            let gain = self.bed_audible.next() * db_to_gain(self.duck_db.next() * activity);
            *sample = sample.map(|sample| sample * gain);
        }
        self.levels[2] = peak(self.levels[2], piece);
        add(bus, piece);

        for sample in bus.as_chunks_mut::<2>().0 {
            let gain = self.master.next();
            *sample = sample.map(|sample| sample * gain);
        }
        self.limiter.process(&mut self.bus[..2 * frames]);
        self.bus_frame += frames as u64;
    }

    /// Peak levels (linear) since the last call: voice, original, candidate, mix.
    pub fn take_levels(&mut self) -> [f32; 4] {
        std::mem::take(&mut self.levels)
    }

    /// A candidate that was replaced and has faded away, for whoever can afford to drop it: the audio thread cannot.
    pub fn take_retired(&mut self) -> Option<Box<dyn SampleSource>> {
        self.bed.take_retired()
    }

    /// The first failure of a source since the last call; the place it left in the mix is silent.
    pub fn take_error(&mut self) -> Option<Error> {
        self.voice
            .source
            .take_error()
            .or_else(|| self.original.source.take_error())
            .or_else(|| self.bed.take_error())
    }
}

/// Steps of [`DuckingCurve::STEP_S`] in a frame.
const STEPS_PER_FRAME: f64 = 1.0 / (RATE as f64 * DuckingCurve::STEP_S);

fn peak(so_far: f32, samples: &[f32]) -> f32 {
    samples.iter().fold(so_far, |peak, sample| peak.max(sample.abs()))
}

fn add(bus: &mut [f32], piece: &[f32]) {
    for (bus, piece) in bus.iter_mut().zip(piece) {
        *bus += piece;
    }
}
