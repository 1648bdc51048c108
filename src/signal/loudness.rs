//! Loudness after EBU R128.

/// Measures interleaved sound, block by block.
pub struct Meter {}

impl Meter {
    /// A meter for `channels` at `sample_rate`.
    ///
    /// # Errors
    /// When the meter refuses the format.
    pub fn new(sample_rate: u32, channels: u32) -> crate::error::Result<Self> {
        let _ = (sample_rate, channels);
        crate::error::unbuilt("the loudness meter")
    }

    /// Takes interleaved samples.
    ///
    /// # Errors
    /// When the meter refuses them.
    pub fn add(&mut self, samples: &[f32]) -> crate::error::Result<()> {
        let _ = samples;
        crate::error::unbuilt("the loudness meter")
    }

    /// Integrated loudness in LUFS; `None` for silence.
    pub fn integrated_lufs(&self) -> Option<f64> {
        None
    }

    /// Highest true peak so far in dBTP.
    pub fn true_peak_db(&self) -> f64 {
        f64::NEG_INFINITY
    }
}
