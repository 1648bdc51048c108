//! Arithmetic on samples: spectra, rates, loudness, tempo and mode.
//!
//! Slices in, vectors out; nothing here sees a path, a device or a network.

pub mod features;
pub mod loudness;
pub mod mel;
pub mod resample;
pub mod stft;
