//! The graph with its play head, pulled by whoever drives it, and the mailbox of the window's orders.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::Sender;

use super::clock::Clock;
use crate::error::Error;
use crate::mix::{MixGraph, MixSettings, SampleSource};

/// Where a stop, a jump or another clip would click, the last sample fades away over 5 ms.
const SMOOTHED_FRAMES: usize = super::RATE as usize / 200;

/// What the window wants, until the next pull takes it. A later wish replaces an earlier one, so that this never grows.
#[derive(Default)]
pub(super) struct Orders {
    /// Counts the orders that concern the clock.
    pub(super) epoch: u64,
    /// Another clip, or none.
    pub(super) graph: Option<Option<Box<MixGraph>>>,
    pub(super) candidate: Option<Option<Box<dyn SampleSource>>>,
    pub(super) settings: Option<MixSettings>,
    pub(super) seek_frame: Option<u64>,
    pub(super) rate: Option<f64>,
    pub(super) playing: Option<bool>,
}

impl Orders {
    fn is_empty(&self) -> bool {
        self.graph.is_none()
            && self.candidate.is_none()
            && self.settings.is_none()
            && self.seek_frame.is_none()
            && self.rate.is_none()
            && self.playing.is_none()
    }
}

/// What the window and the pulling thread share. Each lock is held for a few instructions; the pulling thread only ever
/// tries them.
pub(super) struct Shared {
    pub(super) orders: Mutex<Orders>,
    pub(super) clock: Mutex<Clock>,
    error: Mutex<Option<Error>>,
    /// Peaks since the last look, as the bits of non-negative numbers, which order as the numbers do.
    levels: [AtomicU32; 4],
    volume: AtomicU32,
    /// Who may pull: 0 is the silent clock, any other number a device.
    driver: AtomicU64,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            orders: Mutex::default(),
            clock: Mutex::new(Clock::new(Instant::now())),
            error: Mutex::default(),
            levels: Default::default(),
            volume: AtomicU32::new(1.0f32.to_bits()),
            driver: AtomicU64::new(0),
        }
    }

    pub(super) fn take_levels(&self) -> [f32; 4] {
        std::array::from_fn(|at| f32::from_bits(self.levels[at].swap(0, Ordering::Relaxed)))
    }

    pub(super) fn take_error(&self) -> Option<Error> {
        locked(&self.error).take()
    }

    pub(super) fn set_volume(&self, gain: f32) {
        self.volume.store(gain.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn driver(&self) -> u64 {
        self.driver.load(Ordering::Acquire)
    }

    pub(super) fn set_driver(&self, driver: u64) {
        self.driver.store(driver, Ordering::Release);
    }
}

/// A lock whose holders cannot panic half-way through a change.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the pulling thread is done with; dropped where time does not matter.
pub(super) enum Discard {
    /// A clip.
    Graph(#[expect(dead_code, reason = "held only to be dropped")] Box<MixGraph>),
    /// A candidate.
    Source(#[expect(dead_code, reason = "held only to be dropped")] Box<dyn SampleSource>),
}

/// The graph and its play head.
pub(super) struct Transport {
    shared: Arc<Shared>,
    discards: Sender<Discard>,
    /// What did not fit into the channel.
    waiting: Vec<Discard>,
    graph: Option<Box<MixGraph>>,
    /// The next frame.
    frame: u64,
    /// Part of a frame, at rates other than 1.
    fraction: f64,
    rate: f64,
    playing: bool,
    clock: Clock,
    volume: f32,
    /// The last frame that was given out.
    last: [f32; 2],
    /// What is added over the next frames to go on from the last one without a click.
    residue: [f32; 2],
    residue_left: usize,
    jumped: bool,
}

impl Transport {
    pub(super) fn new(shared: Arc<Shared>, discards: Sender<Discard>) -> Self {
        Self {
            shared,
            discards,
            waiting: Vec::with_capacity(16),
            graph: None,
            frame: 0,
            fraction: 0.0,
            rate: 1.0,
            playing: false,
            clock: Clock::new(Instant::now()),
            volume: 1.0,
            last: [0.0; 2],
            residue: [0.0; 2],
            residue_left: 0,
            jumped: false,
        }
    }

    /// Whether time passes.
    pub(super) fn is_playing(&self) -> bool {
        self.playing
    }

    /// A new driver pulls from here on, whose sound is heard `frames` after a pull.
    pub(super) fn set_latency_frames(&mut self, frames: f64) {
        self.clock.set_latency_frames(frames);
        self.set_clock();
    }

    /// Gives out the next block of interleaved stereo.
    pub(super) fn pull(&mut self, out: &mut [f32]) {
        self.take_orders();
        let mut rest = &mut out[..];
        while !rest.is_empty() {
            let samples = 2 * self.stretch(rest.len() / 2).max(1);
            let (now, later) = rest.split_at_mut(samples.min(rest.len()));
            self.fill(now);
            rest = later;
        }
        self.publish();
    }

    /// How many of `frames` pass without a change of state.
    fn stretch(&self, frames: usize) -> usize {
        match &self.graph {
            Some(graph) if self.playing && self.rate == 1.0 => {
                graph.frames().saturating_sub(self.frame).min(frames as u64) as usize
            }
            _ => frames,
        }
    }

    fn take_orders(&mut self) {
        let orders = match self.shared.orders.try_lock() {
            Ok(mut orders) if !orders.is_empty() => {
                let epoch = orders.epoch;
                std::mem::replace(
                    &mut *orders,
                    Orders {
                        epoch,
                        ..Orders::default()
                    },
                )
            }
            // Nothing there, or the window is just writing: the next pull is 12 ms away.
            _ => return,
        };
        let clock_changes = orders.graph.is_some()
            || orders.seek_frame.is_some()
            || orders.rate.is_some()
            || orders.playing.is_some();
        if let Some(graph) = orders.graph {
            if let Some(old) = std::mem::replace(&mut self.graph, graph) {
                self.discard(Discard::Graph(old));
            }
            (self.frame, self.fraction, self.playing) = (0, 0.0, false);
        }
        if let Some(graph) = &mut self.graph {
            // The settings first: a new candidate then starts in its own place.
            if let Some(settings) = orders.settings {
                graph.set_settings(settings);
            }
            if let Some(candidate) = orders.candidate {
                graph.set_candidate(candidate);
            }
            if let Some(frame) = orders.seek_frame {
                (self.frame, self.fraction) = (frame.min(graph.frames()), 0.0);
            }
            if let Some(playing) = orders.playing {
                self.playing = playing;
            }
        }
        if let Some(rate) = orders.rate {
            self.rate = rate;
            self.fraction = 0.0;
        }
        self.clock.epoch = orders.epoch;
        if clock_changes {
            self.jumped = true;
            self.set_clock();
        }
    }

    fn set_clock(&mut self) {
        self.clock
            .set(self.frame as f64, self.playing, self.rate, Instant::now());
    }

    /// Gives out a stretch during which nothing changes.
    fn fill(&mut self, out: &mut [f32]) {
        match &mut self.graph {
            Some(graph) if self.playing && self.rate == 1.0 && self.frame < graph.frames() => {
                graph.render(self.frame, out);
                self.frame += (out.len() / 2) as u64;
                let levels = graph.take_levels();
                for (shared, level) in self.shared.levels.iter().zip(levels) {
                    shared.fetch_max(level.to_bits(), Ordering::Relaxed);
                }
            }
            _ => {
                out.fill(0.0);
                self.wind(out.len() / 2);
            }
        }
        self.turn_down(out);
        self.smooth(out);
        self.stop_at_the_end();
    }

    /// Moves the play head without sound.
    fn wind(&mut self, frames: usize) {
        let Some(graph) = &self.graph else { return };
        if !self.playing || self.rate == 1.0 {
            return;
        }
        let to = self.frame as f64 + self.fraction + frames as f64 * self.rate;
        let to = to.clamp(0.0, graph.frames() as f64);
        self.frame = to.floor() as u64;
        self.fraction = to - to.floor();
    }

    fn stop_at_the_end(&mut self) {
        let Some(graph) = &self.graph else { return };
        let over = if self.rate < 0.0 {
            self.frame == 0 && self.fraction == 0.0
        } else {
            self.frame >= graph.frames()
        };
        if self.playing && over {
            self.playing = false;
            self.jumped = true;
            self.set_clock();
        }
    }

    /// Brings the volume to where it should be within the block.
    fn turn_down(&mut self, out: &mut [f32]) {
        let wanted = f32::from_bits(self.shared.volume.load(Ordering::Relaxed));
        if self.volume == wanted && wanted == 1.0 {
            return;
        }
        let step = (wanted - self.volume) / (out.len() / 2).max(1) as f32;
        for frame in out.as_chunks_mut::<2>().0 {
            self.volume += step;
            *frame = frame.map(|sample| sample * self.volume);
        }
        self.volume = wanted;
    }

    /// After a jump, goes on from the last sample and lets the difference fade away.
    fn smooth(&mut self, out: &mut [f32]) {
        let frames = out.as_chunks_mut::<2>().0;
        if let (true, Some(first)) = (self.jumped, frames.first()) {
            self.residue = [self.last[0] - first[0], self.last[1] - first[1]];
            self.residue_left = SMOOTHED_FRAMES;
            self.jumped = false;
        }
        if self.residue_left > 0 && self.residue != [0.0; 2] {
            for frame in frames.iter_mut().take(self.residue_left) {
                let part = self.residue_left as f32 / SMOOTHED_FRAMES as f32;
                *frame = [
                    frame[0] + self.residue[0] * part,
                    frame[1] + self.residue[1] * part,
                ];
                self.residue_left -= 1;
            }
        }
        if let Some(last) = frames.last() {
            self.last = *last;
        }
    }

    /// Tells the window where things are, and hands out what is to be dropped.
    fn publish(&mut self) {
        if self.playing {
            self.clock.pull(self.frame as f64 + self.fraction, Instant::now());
        }
        if let Ok(mut clock) = self.shared.clock.try_lock() {
            *clock = self.clock;
        }
        if let Some(graph) = &mut self.graph {
            if let (Some(error), Ok(mut slot)) = (graph.take_error(), self.shared.error.try_lock()) {
                slot.get_or_insert(error);
            }
            if let Some(source) = graph.take_retired() {
                self.discard(Discard::Source(source));
            }
        }
        if let Some(discard) = self.waiting.pop() {
            self.discard(discard);
        }
    }

    fn discard(&mut self, discard: Discard) {
        if let Err(unsent) = self.discards.try_send(discard) {
            self.waiting.push(unsent.into_inner());
        }
    }
}
