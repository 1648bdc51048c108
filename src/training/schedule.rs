//! The margin over the epochs (4.2 of the paper).

use serde::{Deserialize, Serialize};

/// "Constantly equal to 30 at the first 80 epochs and increases by 10 every 10 epochs": epochs 1 to 80 have
/// the margin `start`, 81 to 90 `start + step`, 91 to 100 `start + 2 step`, and so on.
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
}
