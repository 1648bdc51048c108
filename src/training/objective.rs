//! What a batch is measured by: eq. 5 or what stands in for it, and what every other loss shares with it.

use candle_core::{Device, Tensor};

use super::config::{Config, ObjectiveConfig};
use super::contrastive::contrastive;
use super::losses::{Negatives, pseudo_label, triplet};
use super::sampler::{Draw, ItemShape};
use super::variables::Variables;
use crate::error::Result;

/// Names of the classifiers W^J and W^M, which serve training and are no part of a pack.
pub(super) const CLASSIFIER_JOINT: &str = "classifier.joint";
pub(super) const CLASSIFIER_BGM: &str = "classifier.bgm";

/// What is in force in one epoch.
#[derive(Debug, Clone, Copy)]
pub struct Objective<'a> {
    config: &'a Config,
    items: &'a [ItemShape],
    variables: &'a Variables,
    /// Margin of eq. 6.
    margin: f64,
}

impl<'a> Objective<'a> {
    /// What is in force in `epoch`, counted from 1, for the items that [`Draw::item`] counts. `variables` hold the
    /// classifiers of eq. 7, unless lambda is 0.
    pub fn new(config: &'a Config, items: &'a [ItemShape], variables: &'a Variables, epoch: usize) -> Self {
        Self {
            config,
            items,
            variables,
            margin: config.margin.margin(epoch),
        }
    }

    /// Eq. 5 of a batch. Of the contrastive loss, which is a mean over pairs, eq. 7 is taken as the mean over its triplets,
    /// so that lambda weighs alike in batches of any size.
    ///
    /// # Shapes
    /// `joint` and `bgm` [B, d_E], in the order of `batch` -> a scalar.
    ///
    /// # Errors
    /// When the device fails.
    pub fn loss(&self, joint: &Tensor, bgm: &Tensor, batch: &[Draw]) -> Result<Tensor> {
        let negatives = self.negatives(batch, joint.device())?;
        let (loss, lambda) = match self.config.objective {
            ObjectiveConfig::Triplet => (triplet(joint, bgm, &negatives, self.margin)?, self.config.lambda),
            ObjectiveConfig::Contrastive { temperature } => (
                contrastive(joint, bgm, &negatives, temperature)?,
                self.config.lambda / negatives.triplets()?.max(1) as f64,
            ),
        };
        if self.config.lambda == 0.0 {
            return Ok(loss);
        }
        let labels: Vec<u32> = batch.iter().map(|draw| draw.label).collect();
        let labels = Tensor::new(labels, joint.device())?;
        let semantic = pseudo_label(
            joint,
            bgm,
            self.variables.get(CLASSIFIER_JOINT)?,
            self.variables.get(CLASSIFIER_BGM)?,
            &labels,
            &negatives,
        )?;
        Ok((loss + (semantic * lambda)?)?)
    }

    /// Who is whose negative in a batch.
    ///
    /// # Errors
    /// When the device fails.
    pub fn negatives(&self, batch: &[Draw], device: &Device) -> Result<Negatives> {
        let videos: Vec<usize> = batch.iter().map(|draw| self.items[draw.item].video).collect();
        let bgms: Vec<usize> = batch.iter().map(|draw| self.items[draw.item].bgm).collect();
        Negatives::new(&videos, &bgms, device)
    }
}
