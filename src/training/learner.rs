//! What is trained, and how well it tells the validation items apart.

use std::ops::Range;

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};

use super::objective::Objective;
use super::sampler::Draw;
use crate::error::{ErrorKind, Result};
use crate::retrieval::{Metric, Recall, ranks, recall};

/// What is trained: turns pairs into embeddings, on whose variables the gradients end.
pub trait Learner {
    /// E_J and E_M of the pairs of a batch, [B, d_E] each.
    ///
    /// # Errors
    /// When the device fails.
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)>;

    /// What is minimised, of one batch: eq. 5 unless the system has a loss of its own.
    ///
    /// # Errors
    /// When the device fails.
    fn loss(&self, batch: &[Draw], objective: &Objective<'_>) -> Result<Tensor> {
        let (joint, bgm) = self.embed(batch)?;
        objective.loss(&joint, &bgm, batch)
    }

    /// The loss of one batch and its gradients, before a step is taken along them.
    ///
    /// # Errors
    /// When the device fails.
    fn gradients(&self, batch: &[Draw], objective: &Objective<'_>) -> Result<(Tensor, GradStore)> {
        let loss = self.loss(batch, objective)?;
        let gradients = loss.backward()?;
        Ok((loss, gradients))
    }

    /// How many validation items there are.
    fn held_out(&self) -> usize;

    /// E_J and E_M of some of the validation items, [V, d_E] each.
    ///
    /// # Errors
    /// When the device fails.
    fn embed_held_out(&self, items: Range<usize>) -> Result<(Tensor, Tensor)>;

    /// How embeddings are compared in ranking.
    fn metric(&self) -> Metric;

    /// d_E.
    fn width(&self) -> usize;
}

/// Recall on the validation items, each item's own BGM being the truth; `None` where there are fewer than two. They are
/// embedded `batch_size` at a time, which is halved where the device runs out of memory.
pub(super) fn validate(learner: &dyn Learner, batch_size: usize) -> Result<Option<Recall>> {
    let count = learner.held_out();
    if count < 2 {
        return Ok(None);
    }
    let mut size = batch_size.max(1);
    let (mut joint, mut bgm) = (Vec::new(), Vec::new());
    let mut done = 0;
    while done < count {
        let items = done..count.min(done + size);
        match learner.embed_held_out(items.clone()) {
            Ok((queries, candidates)) => {
                joint.extend(values(&queries)?);
                bgm.extend(values(&candidates)?);
                done = items.end;
            }
            Err(error) if error.kind() == ErrorKind::Memory && items.len() > 1 => size = items.len() / 2,
            Err(error) => return Err(error),
        }
    }
    let width = joint.len() / count;
    Ok(Some(recall(&ranks(&joint, &bgm, width, learner.metric()))))
}

fn values(rows: &Tensor) -> Result<Vec<f32>> {
    Ok(rows.detach().to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}
