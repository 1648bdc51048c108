//! The graph: voice, original music and candidate, each with its gain, into one bus.

use serde::{Deserialize, Serialize};

use super::{DuckingCurve, DuckingPreset, SampleSource};

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

/// The mix of one clip.
pub struct MixGraph {}

impl MixGraph {
    /// A graph over the stems of a clip (`original` is the separated BGM) and the voice's ducking levels (linear RMS
    /// per 10 ms). Length is that of the voice stem.
    pub fn new(voice: Box<dyn SampleSource>, original: Box<dyn SampleSource>, voice_rms: Vec<f32>) -> Self {
        let _ = (voice, original, voice_rms);
        Self {}
    }

    /// Length in frames at 44.1 kHz.
    pub fn frames(&self) -> u64 {
        0
    }

    /// Puts another candidate in (or none); the clock does not move. The change is faded over a few milliseconds.
    pub fn set_candidate(&mut self, candidate: Option<Box<dyn SampleSource>>) {
        let _ = candidate;
    }

    /// Changes settings; gains glide over a few milliseconds.
    pub fn set_settings(&mut self, settings: MixSettings) {
        let _ = settings;
    }

    /// The curve in use, for the timeline.
    pub fn ducking(&self) -> DuckingCurve {
        DuckingCurve::default()
    }

    /// Renders interleaved stereo from frame `at` on; a position that does not continue the last one is a seek.
    pub fn render(&mut self, at: u64, out: &mut [f32]) {
        let _ = at;
        out.fill(0.0);
    }

    /// Peak levels (linear) since the last call: voice, original, candidate, mix.
    pub fn take_levels(&mut self) -> [f32; 4] {
        [0.0; 4]
    }
}
