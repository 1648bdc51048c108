//! Plays a mix graph and tells the time.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::RATE;
use super::device;
use super::driver::{Driver, Open, Patience};
use super::transport::{Orders, locked};
use crate::error::Error;
use crate::mix::{MixGraph, MixSettings, SampleSource};

/// What the sound goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputStatus {
    /// This device.
    Device(String),
    /// None; the reason in words.
    Silent(String),
}

/// Each try to open a device may write to the terminal, so they grow rare.
const PATIENCE: Patience = Patience {
    first: Duration::from_secs(2),
    longest: Duration::from_mins(1),
};
/// Volumes below this are silence.
const MUTED_DB: f32 = -60.0;
/// Fastest winding.
const FASTEST_RATE: f64 = 4.0;

/// One player a window. No method waits for a device or for the pulling thread.
pub struct Player {
    driver: Driver,
    /// Length of the clip in frames.
    frames: u64,
    /// The last order that concerns the clock.
    epoch: u64,
    /// What the clock will say once it has obeyed that order.
    wanted_s: f64,
    wanted_playing: bool,
    rate: f64,
    /// The last position given out, and the order it belongs to: time does not run backward while playing.
    shown: Cell<(u64, f64)>,
}

impl Player {
    /// Opens the default output on a thread of its own; until then, and where there is none, the silent clock runs.
    /// Never fails, never blocks.
    pub fn new() -> Self {
        Self::with(
            Some(Box::new(device::open)),
            PATIENCE,
            Box::new(|_| {}),
            "the sound output is being opened",
        )
    }

    /// A player that never opens a device, for tests.
    pub fn silent() -> Self {
        Self::with(None, PATIENCE, Box::new(|_| {}), "sound is switched off")
    }

    /// A player that never opens a device and shows every block of 10 ms, interleaved stereo, to `tap`.
    pub fn tapped(tap: impl FnMut(&[f32]) + Send + 'static) -> Self {
        Self::with(
            None,
            PATIENCE,
            Box::new(tap),
            "sound is listened to by the program itself",
        )
    }

    pub(super) fn with(
        open: Option<Open>,
        patience: Patience,
        tap: Box<dyn FnMut(&[f32]) + Send>,
        reason: &str,
    ) -> Self {
        Self {
            driver: Driver::start(open, patience, tap, reason),
            frames: 0,
            epoch: 0,
            wanted_s: 0.0,
            wanted_playing: false,
            rate: 1.0,
            shown: Cell::new((0, 0.0)),
        }
    }

    /// Puts a clip in (paused, at 0).
    pub fn load(&mut self, graph: MixGraph) {
        self.frames = graph.frames();
        self.replace(Some(Box::new(graph)));
    }

    /// Takes the clip out.
    pub fn unload(&mut self) {
        self.frames = 0;
        self.replace(None);
    }

    fn replace(&mut self, graph: Option<Box<MixGraph>>) {
        self.order_clock(0.0, false, |orders| {
            // What was meant for the clip before is void.
            *orders = Orders {
                graph: Some(graph),
                rate: orders.rate,
                ..Orders::default()
            };
        });
    }

    /// Length of the clip in seconds.
    pub fn duration_s(&self) -> f64 {
        self.frames as f64 / f64::from(RATE)
    }

    /// Position in seconds, from the samples that were played.
    pub fn position_s(&self) -> f64 {
        let clock = *locked(&self.driver.shared.clock);
        if clock.epoch < self.epoch {
            return self.wanted_s;
        }
        let mut now_s = clock.frame(Instant::now()) / f64::from(RATE);
        let (epoch, last_s) = self.shown.get();
        if clock.playing && epoch == self.epoch {
            now_s = if self.rate < 0.0 {
                now_s.min(last_s)
            } else {
                now_s.max(last_s)
            };
        }
        self.shown.set((self.epoch, now_s));
        now_s
    }

    /// Whether the clock runs.
    pub fn is_playing(&self) -> bool {
        let clock = *locked(&self.driver.shared.clock);
        if clock.epoch < self.epoch {
            self.wanted_playing
        } else {
            clock.playing
        }
    }

    /// Runs or stops the clock. At the end of the clip play starts anew.
    pub fn set_playing(&mut self, playing: bool) {
        let playing = playing && self.frames > 0;
        if playing == self.is_playing() {
            return;
        }
        let position_s = self.position_s();
        let over = playing && self.rate > 0.0 && position_s >= self.duration_s() - 0.5 / f64::from(RATE);
        let position_s = if over { 0.0 } else { position_s };
        self.order_clock(position_s, playing, |orders| {
            orders.playing = Some(playing);
            if over {
                orders.seek_frame = Some(0);
            }
        });
    }

    /// Moves the clock; takes effect within one buffer.
    pub fn seek(&mut self, position_s: f64) {
        let position_s = if position_s.is_finite() { position_s } else { 0.0 };
        let frame = (position_s.max(0.0) * f64::from(RATE)).round() as u64;
        let frame = frame.min(self.frames);
        let playing = self.is_playing();
        self.order_clock(frame as f64 / f64::from(RATE), playing, |orders| {
            orders.seek_frame = Some(frame);
        });
    }

    /// -4..=4 times real time forward or backward for J K L; 1 is normal. Other speeds are silent.
    pub fn set_rate(&mut self, rate: f64) {
        let rate = if rate.is_finite() { rate } else { 1.0 };
        let rate = rate.clamp(-FASTEST_RATE, FASTEST_RATE);
        if rate == self.rate {
            return;
        }
        let (position_s, playing) = (self.position_s(), self.is_playing());
        self.rate = rate;
        self.order_clock(position_s, playing, |orders| orders.rate = Some(rate));
    }

    /// Gives an order after which the clock will stand at `wanted_s`.
    fn order_clock(&mut self, wanted_s: f64, playing: bool, write: impl FnOnce(&mut Orders)) {
        self.epoch += 1;
        self.wanted_s = wanted_s;
        self.wanted_playing = playing;
        let epoch = self.epoch;
        self.order(|orders| {
            write(orders);
            orders.epoch = epoch;
        });
    }

    fn order(&self, write: impl FnOnce(&mut Orders)) {
        write(&mut locked(&self.driver.shared.orders));
        self.driver.wake();
    }

    /// The candidate under the voice, or none; the clock does not move.
    pub fn set_candidate(&mut self, candidate: Option<Box<dyn SampleSource>>) {
        self.order(|orders| orders.candidate = Some(candidate));
    }

    /// New mix settings.
    pub fn set_settings(&mut self, settings: MixSettings) {
        self.order(|orders| orders.settings = Some(settings));
    }

    /// Output volume in dB; not part of the mix.
    pub fn set_volume_db(&mut self, volume_db: f32) {
        let gain = if volume_db > MUTED_DB {
            10f32.powf(volume_db / 20.0)
        } else {
            0.0
        };
        self.driver.shared.set_volume(gain);
    }

    /// Peak levels (linear) since the last call: voice, original, candidate, mix.
    pub fn take_levels(&mut self) -> [f32; 4] {
        self.driver.shared.take_levels()
    }

    /// The first failure to read a stem since the last call: what could not be read is heard as silence.
    pub fn take_error(&mut self) -> Option<Error> {
        self.driver.shared.take_error()
    }

    /// Device or silent clock. A lost device is noticed and replaced on a thread of its own; this only tells.
    pub fn output(&mut self) -> OutputStatus {
        self.driver.status()
    }
}

impl Default for Player {
    fn default() -> Self {
        Self::new()
    }
}
