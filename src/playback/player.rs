//! Plays a mix graph and tells the time.

use crate::mix::{MixGraph, MixSettings, SampleSource};

/// What the sound goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputStatus {
    /// This device.
    Device(String),
    /// None; the reason in words.
    Silent(String),
}

/// One player a window.
pub struct Player {}

impl Player {
    /// Opens the default output, or the silent clock. Never fails, never blocks for long.
    pub fn new() -> Self {
        Self {}
    }

    /// A player that never opens a device, for tests.
    pub fn silent() -> Self {
        Self {}
    }

    /// Puts a clip in (paused, at 0).
    pub fn load(&mut self, graph: MixGraph) {
        let _ = graph;
    }

    /// Takes the clip out.
    pub fn unload(&mut self) {}

    /// Length of the clip in seconds.
    pub fn duration_s(&self) -> f64 {
        0.0
    }

    /// Position in seconds, from the samples that were played.
    pub fn position_s(&self) -> f64 {
        0.0
    }

    /// Whether the clock runs.
    pub fn is_playing(&self) -> bool {
        false
    }

    /// Runs or stops the clock. At the end of the clip play starts anew.
    pub fn set_playing(&mut self, playing: bool) {
        let _ = playing;
    }

    /// Moves the clock; takes effect within one buffer.
    pub fn seek(&mut self, position_s: f64) {
        let _ = position_s;
    }

    /// -4..=4 times real time forward or backward for J K L; 1 is normal. Other speeds are silent.
    pub fn set_rate(&mut self, rate: f64) {
        let _ = rate;
    }

    /// The candidate under the voice, or none; the clock does not move.
    pub fn set_candidate(&mut self, candidate: Option<Box<dyn SampleSource>>) {
        let _ = candidate;
    }

    /// New mix settings.
    pub fn set_settings(&mut self, settings: MixSettings) {
        let _ = settings;
    }

    /// Output volume in dB; not part of the mix.
    pub fn set_volume_db(&mut self, volume_db: f32) {
        let _ = volume_db;
    }

    /// Peak levels (linear) since the last call: voice, original, candidate, mix.
    pub fn take_levels(&mut self) -> [f32; 4] {
        [0.0; 4]
    }

    /// Device or silent clock. Also the place where a lost device is noticed and replaced: call it every frame.
    pub fn output(&mut self) -> OutputStatus {
        OutputStatus::Silent(String::new())
    }
}

impl Default for Player {
    fn default() -> Self {
        Self::new()
    }
}

/// Names of the sound outputs there are, for `doctor`.
pub fn outputs() -> Vec<String> {
    Vec::new()
}
