//! Everything that a run of training can be told, with the paper's values as defaults.
//!
//! Norm, margin and rate go together (reading, point 6). Measured by `cargo run --release --example norm_and_margin`
//! (some minutes): 64 synthetic training pairs, 64 held-out ones (chance: R@1 1.6, R@10 15.6), d_E 512, batches of
//! 32, margin 30, momentum 0.9, 60 epochs; loss at the start and at the end, held-out R@1/R@10 at epoch 15 and at the end:
//!
//! | norm | rate | loss | epoch 15 | epoch 60 |
//! |---|---|---|---|---|
//! | unit | 1e-6 | 30997 to 30633 | 4.7 / 43.8 | 23.4 / 78.1 |
//! | unit | 1e-4 | 30997 to 28916 | 90.6 / 100 | 95.3 / 100 |
//! | sqrt_dim | 1e-6 | 40236 to 965 | 76.6 / 100 | 89.1 / 100 |
//! | sqrt_dim | 1e-5 | 40236 to 649 | 32.8 / 98.4 | 82.8 / 100 |
//! | sqrt_dim | 1e-4 | not finite in epoch 48 | | |
//! | none | 1e-6 | 36859 to 1828 | 34.4 / 93.8 | 64.1 / 100 |
//! | none | 1e-4 | not finite in epoch 3 | | |
//!
//! With `sqrt_dim` the paper's margin of 30 and rate of 1e-6 work as printed: the hinge comes to rest and recall rises
//! within a few epochs. On the unit sphere no triplet can keep a margin of 30, so the hinge never rests and the margin is
//! only a constant in the loss; it learns all the same, at a rate a hundred times higher. Hence the default `sqrt_dim`.
//!
//! The right rate depends on the rows, which those features do not have: the sums of eq. 6 add up what the pictures of all
//! clips have in common. SlowFast's rows are 576 wide here, not 18, have a norm of 13.5 and are nearly alike in all
//! clips, so that of the gradient of the first batch, 2.5e6 long, 2.4e6 are of `video_fc`. Heads from the recipe's first
//! weights on the rows of a compact pack whose SlowFast was seeded, 36 videos of the corpus arena in one batch, 18 others held out (chance: R@1
//! 5.6, R@10 55.6, median rank 9.5), one seed (`models/README.md` has the command):
//!
//! | norm | rate | first step, of `video_fc` | loss in epochs 1, 2 and the last | R@1 / R@10, median rank: before | after 1 step | at the end |
//! |---|---|---|---|---|---|---|
//! | sqrt_dim | 1e-6 | 164 % | 1.9e5, 3.1e5, 3.6e4 (20) | 22 / 78, 7.5 | 6 / 56, 9.5 | 6 / 61, 8.5 |
//! | sqrt_dim | 1e-7 | 16 % | 1.9e5, 3.1e5, 4.0e4 (20) | | 11 / 61, 8.5 | 11 / 61, 7.5 |
//! | sqrt_dim | 1e-8 | 1.6 % | 1.9e5, 2.1e5, 1.5e4 (40) | | 22 / 72, 7.5 | 22 / 83, 5 |
//! | sqrt_dim | 1e-9 | 0.2 % | 1.9e5, 1.8e5, 6.1e4 (40) | | 22 / 78, 7 | 17 / 72, 6 |
//! | unit | 1e-6 | | 39316, 39077, 38848 (20) | | 22 / 78, 7.5 | 11 / 67, 4.5 |
//! | unit | 1e-5 | | 39316, 39118, 37774 (40) | | 22 / 72, 7 | 11 / 61, 9.5 |
//! | unit | 1e-4 | | 39316, 39274, 39189 (40) | | 17 / 61, 9.5 | 6 / 61, 9 |
//! | unit, [`Config::small_corpus`] | 2e-4 | | 6.4, 5.7, 1.8 (40) | | 22 / 72, 7.5 | 17 / 89, 4 |
//!
//! At 1e-6 the first step is longer than the layer it moves, and nothing that the weights knew is left: that, and no fault of
//! the loss, is why the paper's training falls to chance from there. The margin plays no part in it. The defaults stay the
//! paper's; with `sqrt_dim` on rows like these give `--rate 1e-8`. The shipped pack has the norm `unit`, for which 1e-6 is
//! small enough, and the training panel uses [`Config::small_corpus`].

use serde::{Deserialize, Serialize};

use super::schedule::MarginSchedule;

/// How gradients move the weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum OptimizerConfig {
    /// Stochastic gradient descent with momentum, as PyTorch defines it (4.2 of the paper).
    Sgd {
        /// Learning rate.
        rate: f64,
        /// Momentum.
        momentum: f64,
    },
    /// Adam with decoupled weight decay; betas 0.9 and 0.999, epsilon 1e-8.
    AdamW {
        /// Learning rate.
        rate: f64,
        /// Weight decay.
        weight_decay: f64,
    },
}

impl OptimizerConfig {
    /// AdamW at the rate of VM-NET, without decay.
    pub fn adam_w() -> Self {
        Self::AdamW {
            rate: 3e-4,
            weight_decay: 0.0,
        }
    }

    /// The same at another rate.
    #[must_use]
    pub fn at_rate(self, rate: f64) -> Self {
        match self {
            Self::Sgd { momentum, .. } => Self::Sgd { rate, momentum },
            Self::AdamW { weight_decay, .. } => Self::AdamW { rate, weight_decay },
        }
    }

    /// Learning rate.
    pub fn rate(self) -> f64 {
        match self {
            Self::Sgd { rate, .. } | Self::AdamW { rate, .. } => rate,
        }
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Sgd {
            rate: 1e-6,
            momentum: 0.9,
        }
    }
}

/// What tells a pair from its negatives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum ObjectiveConfig {
    /// Eq. 6 of the paper, under the margin of [`MarginSchedule`].
    #[default]
    Triplet,
    /// Cross entropy over the batch in both directions, as later video-music systems use it. It is no part of the paper.
    Contrastive {
        /// What cosines are divided by.
        temperature: f64,
    },
}

impl ObjectiveConfig {
    /// The contrastive loss at the temperature that CLIP starts from.
    pub fn contrastive() -> Self {
        Self::Contrastive { temperature: 0.07 }
    }
}

/// How the learning rate goes over a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateSchedule {
    /// The paper's: the same in every step.
    #[default]
    Constant,
    /// Half a cosine from the rate down to nothing at the last epoch.
    Cosine,
}

/// A run of training. Two runs with equal configs, equal start weights and an equal corpus end in
/// equal weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Passes over the corpus, at most.
    pub epochs: usize,
    /// Ends the run once the loss has converged, see [`MarginSchedule::has_converged`]; without it all epochs are run.
    pub until_converged: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// Pairs of a batch. The losses are sums over a batch, so the step grows with about its square.
    pub batch_size: usize,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// The rate over the epochs.
    pub rate_schedule: RateSchedule,
    /// What tells a pair from its negatives.
    pub objective: ObjectiveConfig,
    /// Weight of the pseudo-label loss in eq. 5; 0 leaves it out.
    pub lambda: f64,
    /// The margin of eq. 6 over the epochs.
    pub margin: MarginSchedule,
    /// Probability with which a query loses its voice, and with which it loses its picture; never both
    /// (reading, point 8).
    pub modality_dropout: f64,
    /// Stops after this many epochs without a better recall on the validation items, and keeps the weights
    /// of the best epoch; `None` runs all epochs and keeps the last.
    pub patience: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            epochs: 200,
            until_converged: true,
            seed: 0,
            batch_size: 32,
            optimizer: OptimizerConfig::default(),
            rate_schedule: RateSchedule::default(),
            objective: ObjectiveConfig::default(),
            lambda: 0.1,
            margin: MarginSchedule::default(),
            modality_dropout: 0.15,
            patience: None,
        }
    }
}

impl Config {
    /// What moves trained heads to a few dozen videos more without breaking what they know: the contrastive objective at the
    /// rate that the shipped heads were trained with (`models/README.md`, "The heads, trained on it").
    pub fn small_corpus() -> Self {
        Self {
            batch_size: 64,
            optimizer: OptimizerConfig::AdamW {
                rate: 2e-4,
                weight_decay: 0.1,
            },
            objective: ObjectiveConfig::contrastive(),
            lambda: 0.0,
            ..Self::default()
        }
    }

    /// The learning rate after so many `passes` over the corpus, parts of one included.
    pub fn rate(&self, passes: f64) -> f64 {
        let share = (passes / self.epochs.max(1) as f64).clamp(0.0, 1.0);
        let rate = self.optimizer.rate();
        match self.rate_schedule {
            RateSchedule::Constant => rate,
            RateSchedule::Cosine => rate * 0.5 * (1.0 + (std::f64::consts::PI * share).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_its_schedule() {
        let constant = Config::default();
        let cosine = Config {
            rate_schedule: RateSchedule::Cosine,
            epochs: 40,
            ..Config::default()
        };
        for (passes, share) in [(0.0, 1.0), (10.0, 0.853_55), (20.0, 0.5), (40.0, 0.0)] {
            assert_eq!(constant.rate(passes), 1e-6);
            assert!((cosine.rate(passes) - 1e-6 * share).abs() < 1e-11, "{passes}");
        }
    }
}
