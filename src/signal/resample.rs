//! Change of sample rate for sound that is already in memory.

/// Resamples mono `samples` from `from_hz` to `to_hz`, band-limited, without delay; the length
/// is round(n x to / from).
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    let _ = (from_hz, to_hz);
    samples.to_vec()
}
