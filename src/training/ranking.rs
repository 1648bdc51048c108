//! The losses of the two baselines.
//!
//! CMMR: a triplet loss between the streams and the tags of each (Li and Kumar 2019). CBVMR: a ranking loss in both
//! directions and the soft structure of each side (Hong, Im and Yang 2018, as VM-NET computes them). Both take means,
//! so that their weights and margins do not depend on the batch.

use candle_core::{D, Tensor};
use serde::{Deserialize, Serialize};

use super::losses::Negatives;
use crate::error::Result;

/// Weights of CMMR's losses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CmmrLoss {
    /// By how much a stranger's squared distance must exceed the pair's own.
    pub margin: f64,
    /// Weight of the tags of either stream.
    pub tags: f64,
}

impl Default for CmmrLoss {
    fn default() -> Self {
        Self {
            margin: 0.5,
            tags: 1.0,
        }
    }
}

/// Weights of CBVMR's losses, as VM-NET sets them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CbvmrLoss {
    /// By how much the pair's own cosine must exceed a stranger's.
    pub margin: f64,
    /// Weight of ranking music by its video.
    pub video_to_music: f64,
    /// Weight of ranking videos by their music.
    pub music_to_video: f64,
    /// Weight of the structure among videos.
    pub video_structure: f64,
    /// Weight of the structure among music.
    pub music_structure: f64,
}

impl Default for CbvmrLoss {
    fn default() -> Self {
        Self {
            margin: 0.1,
            video_to_music: 3.0,
            music_to_video: 1.0,
            video_structure: 0.2,
            music_structure: 0.2,
        }
    }
}

/// The mean over queries i and their negatives k of max(margin - a_i . b_i + a_i . b_k, 0).
///
/// # Shapes
/// `a` and `b` [B, d], on the unit sphere -> a scalar; 0 where nobody has a negative.
///
/// # Errors
/// When the device fails.
pub fn inter_modal(a: &Tensor, b: &Tensor, negatives: &Negatives, margin: f64) -> Result<Tensor> {
    let own = (a * b)?.sum_keepdim(D::Minus1)?;
    let hinge = (a.matmul(&b.t()?)?.broadcast_sub(&own)? + margin)?.relu()?;
    let triplets = negatives.triplets()?.max(1) as f64;
    Ok(((hinge * negatives.mask())?.sum_all()? / triplets)?)
}

/// The soft structure of one side: wherever clip i is nearer to j than to j + 1 before the network, it should be so
/// after it too. The mean over i and j of
/// (sign(d_ij - d_ij+1) - sign(e_ij - e_ij+1)) (e_ij+1 - e_ij), d and e being negative cosines before and after.
/// Batches come in a random order, so that neighbours in it are random pairs.
///
/// # Shapes
/// `features` [B, n], `embeddings` [B, d] on the unit sphere -> a scalar; 0 for a batch of one.
///
/// # Errors
/// When the device fails.
pub fn intra_modal(features: &Tensor, embeddings: &Tensor) -> Result<Tensor> {
    let batch = embeddings.dim(0)?;
    if batch < 2 {
        return Ok(embeddings.sum_all()?.zeros_like()?);
    }
    let norm = features.sqr()?.sum_keepdim(D::Minus1)?.maximum(1e-24)?.sqrt()?;
    let features = features.broadcast_div(&norm)?.detach();
    // d_ij - d_ij+1
    let steps = |rows: &Tensor| -> Result<Tensor> {
        let distances = rows.matmul(&rows.t()?)?.neg()?;
        Ok((distances.narrow(1, 0, batch - 1)? - distances.narrow(1, 1, batch - 1)?)?)
    };
    let (before, after) = (steps(&features)?, steps(embeddings)?);
    let disagreement = (before.sign()? - after.detach().sign()?)?;
    Ok((disagreement * after.neg()?)?.mean_all()?)
}

/// Cross entropy of the tags: the mean over clips and tags.
///
/// # Shapes
/// `logits` and `targets` (0 to 1) [B, tags] -> a scalar.
///
/// # Errors
/// When the device fails.
pub fn tag_loss(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    // max(x, 0) - x z + log(1 + exp(-|x|)) never overflows.
    let log = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    Ok(((logits.relu()? - (logits * targets)?)? + log)?.mean_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn rows(values: &[[f32; 2]]) -> Tensor {
        Tensor::from_vec(values.concat(), (values.len(), 2), &Device::Cpu).expect("tensor")
    }

    fn scalar(tensor: Result<Tensor>) -> f32 {
        tensor.and_then(|tensor| Ok(tensor.to_scalar()?)).expect("scalar")
    }

    #[test]
    fn a_kept_margin_costs_nothing() {
        let a = rows(&[[1.0, 0.0], [0.0, 1.0]]);
        let negatives = Negatives::new(&[0, 1], &[0, 1], &Device::Cpu).expect("mask");
        assert_eq!(scalar(inter_modal(&a, &a, &negatives, 0.9)), 0.0);
        assert!((scalar(inter_modal(&a, &a, &negatives, 1.25)) - 0.25).abs() < 1e-6);
        let alone = Negatives::new(&[0, 0], &[0, 1], &Device::Cpu).expect("mask");
        assert_eq!(scalar(inter_modal(&a, &a, &alone, 1.5)), 0.0);
    }

    #[test]
    fn a_structure_that_was_kept_costs_nothing() {
        let before = rows(&[[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]);
        assert_eq!(scalar(intra_modal(&before, &before)), 0.0);
        // The neighbour of the first is now the third.
        let after = rows(&[[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]]);
        assert!(scalar(intra_modal(&before, &after)) > 0.1);
        assert_eq!(
            scalar(intra_modal(&rows(&[[1.0, 0.0]]), &rows(&[[0.0, 1.0]]))),
            0.0
        );
    }

    #[test]
    fn sure_and_right_costs_nothing() {
        let targets = rows(&[[1.0, 0.0]]);
        assert!(scalar(tag_loss(&rows(&[[90.0, -90.0]]), &targets)) < 1e-6);
        assert!((scalar(tag_loss(&rows(&[[-90.0, -90.0]]), &targets)) - 45.0).abs() < 1e-4);
        assert!((scalar(tag_loss(&rows(&[[0.0, 0.0]]), &targets)) - 2f32.ln()).abs() < 1e-6);
    }
}
