//! The mix itself, without a device: stems, candidate, ducking, fades, loudness.
//!
//! [`MixGraph`] is rendered block by block at 44.1 kHz stereo. Playback pulls it in real time,
//! export pulls it as fast as it can: what is heard is what is written.

mod candidate;
mod ducking;
mod glide;
mod graph;
mod limiter;
mod loudness;
mod source;

pub use candidate::heard_at_s;
pub use ducking::{DuckingCurve, DuckingPreset};
pub use graph::{CandidateSettings, MixGraph, MixSettings, Solo};
pub use loudness::{
    LoudnessMatch, MixLoudness, VoiceLevels, match_loudness, measure_mix, measure_track, measure_voice,
};
pub use source::{MemorySource, SampleSource, Silence, StemFile};

/// Frames a second of everything here.
const RATE: u32 = 44_100;
/// Frames mixed at a time.
const CHUNK: usize = 512;
/// A gain reaches its new value in 10 ms.
const GLIDE_FRAMES: u32 = RATE / 100;
/// One candidate gives way to the next in 15 ms.
const SWAP_FRAMES: u32 = RATE * 15 / 1000;
