//! A smooth time out of pulls that come in bursts.

use std::time::{Duration, Instant};

use super::RATE;

/// Pulls nearer to each other than this belong to one burst: a device fetches a whole buffer at once.
const BURST: Duration = Duration::from_millis(4);
/// A burst that comes this far from where it was due moves the clock at once; nearer ones bend it.
const JUMP_FRAMES: f64 = 0.1 * RATE as f64;
/// How much of a burst's deviation the clock takes over.
const BEND: f64 = 0.1;

/// Where playing is: what was pulled, and the line through the times of the pulls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// The last order that this clock has obeyed.
    pub(super) epoch: u64,
    pub(super) playing: bool,
    rate: f64,
    /// Frames between a pull and its sound.
    latency_frames: f64,
    /// Where the clock was last set, frames.
    since: f64,
    /// Where the next pull goes on, frames.
    pulled: f64,
    /// The line: this frame was due at that time.
    due: f64,
    due_at: Instant,
    last_pull_at: Option<Instant>,
}

impl Clock {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            epoch: 0,
            playing: false,
            rate: 1.0,
            latency_frames: 0.0,
            since: 0.0,
            pulled: 0.0,
            due: 0.0,
            due_at: now,
            last_pull_at: None,
        }
    }

    /// Sets the clock anew: after a seek, a start, a stop, a change of rate.
    pub(super) fn set(&mut self, frame: f64, playing: bool, rate: f64, now: Instant) {
        self.playing = playing;
        self.rate = rate;
        self.since = frame;
        self.pulled = frame;
        self.due = frame;
        self.due_at = now;
        self.last_pull_at = None;
    }

    /// How long sound takes from a pull to the ear; 0 for the silent clock.
    pub(super) fn set_latency_frames(&mut self, frames: f64) {
        self.latency_frames = frames;
    }

    /// A block was pulled, which takes the graph up to frame `to`.
    pub(super) fn pull(&mut self, to: f64, now: Instant) {
        let burst_starts = self
            .last_pull_at
            .is_none_or(|last| now.saturating_duration_since(last) > BURST);
        if burst_starts {
            let expected = self.line(now);
            let deviation = self.pulled - expected;
            self.due = if self.last_pull_at.is_none() || deviation.abs() > JUMP_FRAMES {
                self.pulled
            } else {
                expected + BEND * deviation
            };
            self.due_at = now;
        }
        self.last_pull_at = Some(now);
        self.pulled = to;
    }

    fn line(&self, now: Instant) -> f64 {
        let elapsed_s = now.saturating_duration_since(self.due_at).as_secs_f64();
        self.due + elapsed_s * f64::from(RATE) * self.rate
    }

    /// The frame that is heard at `now`: between where the clock was set and what was pulled.
    pub(super) fn frame(&self, now: Instant) -> f64 {
        if !self.playing {
            return self.pulled;
        }
        let heard = self.line(now) - self.latency_frames * self.rate;
        heard.clamp(self.since.min(self.pulled), self.since.max(self.pulled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const FRAMES_PER_MS: f64 = RATE as f64 / 1000.0;

    /// A clock that was started at 1000 ms of the clip.
    fn started(now: Instant, latency_ms: f64) -> Clock {
        let mut clock = Clock::new(now);
        clock.set_latency_frames(latency_ms * FRAMES_PER_MS);
        clock.set(1000.0 * FRAMES_PER_MS, true, 1.0, now);
        clock
    }

    fn ms(clock: &Clock, now: Instant) -> f64 {
        clock.frame(now) / FRAMES_PER_MS
    }

    #[test]
    fn bursts_become_a_smooth_time_behind_by_the_latency() {
        let start = Instant::now();
        let mut clock = started(start, 20.0);
        let mut last = ms(&clock, start);
        for burst in 0..50u32 {
            // 20 ms a burst in two pulls, late by up to 3 ms.
            let jitter = MS * (burst * 7 % 4);
            let now = start + MS * (20 * burst) + jitter;
            for pull in 1..=2 {
                clock.pull(
                    (1000.0 + f64::from(burst) * 20.0 + f64::from(pull) * 10.0) * FRAMES_PER_MS,
                    now,
                );
            }
            for step in 0..17 {
                let now = now + MS * step;
                let heard = ms(&clock, now);
                assert!(heard >= last, "burst {burst}: {heard} after {last}");
                last = heard;
                let expected = 1000.0 + (now - start).as_secs_f64() * 1000.0 - 20.0;
                assert!(
                    (heard - expected.max(1000.0)).abs() < 4.0,
                    "{heard} for {expected}"
                );
            }
        }
    }

    #[test]
    fn time_never_runs_past_what_was_pulled() {
        let start = Instant::now();
        let mut clock = started(start, 0.0);
        clock.pull(1010.0 * FRAMES_PER_MS, start);
        assert!((ms(&clock, start + MS * 5) - 1005.0).abs() < 0.1);
        assert!((ms(&clock, start + MS * 500) - 1010.0).abs() < 0.1, "starved");
    }

    #[test]
    fn it_runs_backward_and_stands_still() {
        let start = Instant::now();
        let mut clock = started(start, 0.0);
        clock.set(1000.0 * FRAMES_PER_MS, true, -2.0, start);
        clock.pull(980.0 * FRAMES_PER_MS, start);
        assert!((ms(&clock, start + MS * 5) - 990.0).abs() < 0.1);
        clock.set(980.0 * FRAMES_PER_MS, false, 1.0, start);
        assert!((ms(&clock, start + MS * 700) - 980.0).abs() < 0.1);
    }
}
