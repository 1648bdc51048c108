//! VGGish's log-mel front end (`mel_features.py` and `vggish_input.py` of the original
//! release): 16 kHz mono, 25 ms periodic Hann window, 10 ms hop, 512-point FFT magnitude,
//! 64 HTK mel bands from 125 to 7500 Hz, log(mel + 0.01).

/// Mel bands of a frame.
pub const BANDS: usize = 64;
/// Frames of a patch (0.96 s).
pub const PATCH_FRAMES: usize = 96;
/// Patches of a clip (`2-mrcmv.md`, point 3).
pub const PATCHES: usize = 72;

/// Log-mel frames of 16 kHz mono `samples`: `frames x 64` values, row by row;
/// frames = 1 + floor((n - 400) / 160), 3198 for 32 s.
pub fn log_mel(samples: &[f32]) -> Vec<f32> {
    let _ = samples;
    Vec::new()
}

/// The 72 patches of a 32 s clip's log-mel frames: `72 x 96 x 64` values; patch i starts at
/// frame round(i x (frames - 96) / 71). Shorter input is an error of the caller; repeat first.
pub fn patches(log_mel: &[f32]) -> Vec<f32> {
    let _ = log_mel;
    Vec::new()
}
