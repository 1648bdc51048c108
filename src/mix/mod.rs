//! The mix itself, without a device: stems, candidate, ducking, fades, loudness.
//!
//! [`MixGraph`] is rendered block by block at 44.1 kHz stereo. Playback pulls it in real time,
//! export pulls it as fast as it can: what is heard is what is written.

mod ducking;
mod graph;
mod source;

pub use ducking::{DuckingCurve, DuckingPreset};
pub use graph::{CandidateSettings, MixGraph, MixSettings, Solo};
pub use source::{MemorySource, SampleSource, StemFile};
