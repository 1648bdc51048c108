//! The margin over the epochs, and when they end (4.2 of the paper): "constantly equal to 30 at the first 80 epochs and
//! increases by 10 every 10 epochs until the loss converges".
//!
//! The paper does not say when a loss has converged. Every raise of the margin raises the loss, so only epochs under one
//! margin are compared; and they are compared once that margin is done, so that a run ends where the next raise would be.

use serde::{Deserialize, Serialize};

/// Epochs 1 to 80 have the margin `start`, 81 to 90 `start + step`, 91 to 100 `start + 2 step`, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MarginSchedule {
    /// Margin of the first epochs.
    pub start: f64,
    /// How many epochs keep it.
    pub hold_epochs: usize,
    /// What each later raise adds.
    pub step: f64,
    /// Epochs between raises.
    pub every_epochs: usize,
}

impl Default for MarginSchedule {
    fn default() -> Self {
        Self {
            start: 30.0,
            hold_epochs: 80,
            step: 10.0,
            every_epochs: 10,
        }
    }
}

impl MarginSchedule {
    /// The margin in force in `epoch`, counted from 1.
    pub fn margin(&self, epoch: usize) -> f64 {
        let past = epoch.saturating_sub(self.hold_epochs);
        self.start + self.step * past.div_ceil(self.every_epochs.max(1)) as f64
    }

    /// Whether the loss has converged after the epochs with these `losses`, the first epoch's first: the epochs of a raised
    /// margin are all there, and the mean loss of their second half lies less than 1 % below that of their first. Two
    /// epochs a raise are needed to tell; with fewer, and in the first 80 epochs, it never has.
    pub fn has_converged(&self, losses: &[f64]) -> bool {
        const SHARE: f64 = 0.01;
        let past = losses.len().saturating_sub(self.hold_epochs);
        if self.every_epochs < 2 || past == 0 || !past.is_multiple_of(self.every_epochs) {
            return false;
        }
        let raised = &losses[losses.len() - self.every_epochs..];
        let (first, second) = raised.split_at(self.every_epochs / 2);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        mean(second) >= (1.0 - SHARE) * mean(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_holds_for_80_epochs_and_then_rises_every_10() {
        let schedule = MarginSchedule::default();
        let check =
            |epoch: usize, expected: f64| assert_eq!(schedule.margin(epoch), expected, "epoch {epoch}");
        check(1, 30.0);
        check(80, 30.0);
        check(81, 40.0);
        check(90, 40.0);
        check(91, 50.0);
        check(100, 50.0);
        check(101, 60.0);
    }

    #[test]
    fn a_loss_converges_where_it_no_longer_falls_under_one_margin() {
        let schedule = MarginSchedule::default();
        let check = |epochs: usize, loss: fn(usize) -> f64, expected: bool| {
            let losses: Vec<f64> = (1..=epochs).map(loss).collect();
            assert_eq!(schedule.has_converged(&losses), expected, "{epochs} epochs");
        };
        let resting = |_| 5.0;
        check(80, resting, false);
        check(89, resting, false);
        check(90, resting, true);
        check(90, |_| 0.0, true);
        let falling = |epoch: usize| 1000.0 * 0.99f64.powi(epoch as i32);
        check(90, falling, false);
        check(100, falling, false);
        // A raise lifts the loss, which then falls to where it was.
        let saw = |epoch: usize| 100.0 + 10.0 * (10 - (epoch - 1) % 10) as f64;
        check(100, saw, false);
    }
}
