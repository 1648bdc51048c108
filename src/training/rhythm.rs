//! When a run keeps a checkpoint: often enough that a kill costs little, seldom enough that keeping costs little.

use std::time::{Duration, Instant};

/// What a kill may cost at most.
const SAVE_EVERY: Duration = Duration::from_mins(1);
/// Below that, a checkpoint is written once training has gone on for so many times as long as the last one took to write.
const SAVE_AFTER: u32 = 20;

/// The times of the checkpoints of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// When the last one was there.
    at: Instant,
    /// How long it took.
    cost: Duration,
}

impl Rhythm {
    /// That of a run that begins now.
    pub(super) fn begin() -> Self {
        Self {
            at: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// A checkpoint that was begun at `begun` is there.
    pub(super) fn kept(&mut self, begun: Instant) {
        *self = Self {
            at: Instant::now(),
            cost: begun.elapsed(),
        };
    }

    /// Whether another is worth its time by now.
    pub(super) fn is_due(&self) -> bool {
        self.at.elapsed() >= SAVE_EVERY.min(self.cost * SAVE_AFTER)
    }
}
