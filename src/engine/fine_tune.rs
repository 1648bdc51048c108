//! Training a pack on a corpus.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::error::Result;
use crate::jobs::Monitor;

/// Which parameters learn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// MRCMV's own modules, on cached features.
    #[default]
    Heads,
    /// Those and the last stages of SlowFast and VGGish.
    Last,
    /// Everything.
    All,
}

/// What to train.
#[derive(Debug, Clone)]
pub struct FineTuneRequest {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// The pack to write.
    pub out: PathBuf,
    /// Modules left out: `sa`, `cma`, `gate`, `pseudo-label`.
    pub without: Vec<String>,
    /// Which parameters learn.
    pub scope: Scope,
    /// Both sides swapped in training.
    pub leak_free: bool,
    /// Passes over the corpus.
    pub epochs: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Go on from the last checkpoint in `out`.
    pub resume: bool,
}

/// One point of the curves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Mean loss of eq. 5 over the epoch's batches.
    pub loss: f64,
    /// Recall@10 on the validation items, percent; `None` where there are too few.
    pub validation_r10: Option<f64>,
    /// Margin in force.
    pub margin: f64,
}

/// What training left.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FineTuneReport {
    /// The pack's folder.
    pub pack: PathBuf,
    /// The curves.
    pub epochs: Vec<EpochReport>,
    /// Items used.
    pub used: usize,
    /// Items passed over, and why.
    pub rejected: Vec<(String, String)>,
}

/// Trains and writes a pack. `on_epoch` sees each finished epoch, for live curves.
///
/// # Errors
/// When the corpus cannot be used, the loss is not finite, the disk is full; cancelled (a checkpoint is kept for `resume`).
pub fn fine_tune(
    engine: &Engine,
    request: &FineTuneRequest,
    on_epoch: &(dyn Fn(EpochReport) + Sync),
    monitor: &Monitor,
) -> Result<FineTuneReport> {
    let _ = (engine, request, on_epoch, monitor);
    crate::error::unbuilt("training")
}
