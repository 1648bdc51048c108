//! The triplet pseudo-label loss, eq. 5-7 of the paper (reading, point 9).
//!
//! Sums over the anchors i and their negatives k, as printed. A negative of i is another pair of the batch
//! with another video and another BGM. The third term of eq. 7 is read with the negative's own label z_k:
//! with the printed z_c, which is bound by the sum under it, it would have no meaning.

use candle_core::{D, Device, Tensor};
use candle_nn::ops::log_softmax;

use crate::error::Result;

/// Who is whose negative in a batch.
#[derive(Debug, Clone)]
pub struct Negatives {
    /// [B, B] f32: 1 where pair k (column) is a negative of pair i (row).
    mask: Tensor,
    /// [B] f32: negatives of each anchor.
    count: Tensor,
}

impl Negatives {
    /// From the identities of the batch's videos and BGM tracks.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(videos: &[usize], bgms: &[usize], device: &Device) -> Result<Self> {
        let batch = videos.len();
        let mask: Vec<f32> = (0..batch * batch)
            .map(|at| (at / batch, at % batch))
            .map(|(i, k)| f32::from(u8::from(videos[i] != videos[k] && bgms[i] != bgms[k])))
            .collect();
        let mask = Tensor::from_vec(mask, (batch, batch), device)?;
        let count = mask.sum(1)?;
        Ok(Self { mask, count })
    }

    /// [B, B] f32: 1 where pair k (column) is a negative of pair i (row).
    pub fn mask(&self) -> &Tensor {
        &self.mask
    }

    /// Number of triplets in the batch.
    ///
    /// # Errors
    /// When the device fails.
    pub fn triplets(&self) -> Result<usize> {
        Ok(self.count.sum_all()?.to_scalar::<f32>()? as usize)
    }
}

/// Eq. 6: the sum over i and k of max(|E_J^i - E_M^i|^2 - |E_J^i - E_M^k|^2 + margin, 0).
///
/// # Shapes
/// `joint` and `bgm` [B, d_E] -> a scalar.
///
/// # Errors
/// When the device fails.
pub fn triplet(joint: &Tensor, bgm: &Tensor, negatives: &Negatives, margin: f64) -> Result<Tensor> {
    let own = (joint - bgm)?.sqr()?.sum_keepdim(D::Minus1)?;
    let other = squared_distances(joint, bgm)?;
    let hinge = (own.broadcast_sub(&other)? + margin)?.relu()?;
    Ok((hinge * &negatives.mask)?.sum_all()?)
}

/// |a_i - b_k|^2 [B, B], by |a|^2 + |b|^2 - 2ab: at norms around sqrt(d_E) the rounding is some 1e-4.
fn squared_distances(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let products = a.matmul(&b.t()?)?;
    let a = a.sqr()?.sum_keepdim(D::Minus1)?;
    let b = b.sqr()?.sum_keepdim(D::Minus1)?.t()?;
    Ok((products * -2.0)?.broadcast_add(&a)?.broadcast_add(&b)?)
}

/// Eq. 7: cross entropy of the pseudo labels, of both embeddings of i and of the BGM embedding of k, summed over i
/// and k.
///
/// # Shapes
/// `joint`, `bgm` [B, d_E]; `w_joint`, `w_bgm` [d_E, N]; `labels` `[B]` u32 below N -> a scalar.
///
/// # Errors
/// When a label is N or more, or the device fails.
pub fn pseudo_label(
    joint: &Tensor,
    bgm: &Tensor,
    w_joint: &Tensor,
    w_bgm: &Tensor,
    labels: &Tensor,
    negatives: &Negatives,
) -> Result<Tensor> {
    let joint = cross_entropy(joint, w_joint, labels)?;
    let bgm = cross_entropy(bgm, w_bgm, labels)?;
    // The first two terms do not depend on k: they count once for every negative of i.
    let anchors = ((joint + &bgm)? * &negatives.count)?.sum_all()?;
    let others = negatives.mask.broadcast_mul(&bgm)?.sum_all()?;
    Ok((anchors + others)?)
}

/// -log softmax(E W)(z) for each row: [B].
fn cross_entropy(embedding: &Tensor, w: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let log_probability = log_softmax(&embedding.matmul(w)?, D::Minus1)?;
    Ok(log_probability
        .gather(&labels.unsqueeze(1)?, 1)?
        .squeeze(1)?
        .neg()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embeddings(rows: &[[f32; 2]]) -> Tensor {
        Tensor::from_vec(rows.concat(), (rows.len(), 2), &Device::Cpu).expect("tensor")
    }

    #[test]
    fn neither_the_same_video_nor_the_same_bgm_is_a_negative() {
        let negatives = Negatives::new(&[0, 0, 1, 2], &[0, 1, 1, 2], &Device::Cpu).expect("mask");
        let mask: Vec<Vec<f32>> = negatives.mask.to_vec2().expect("mask");
        assert_eq!(
            mask,
            [
                [0., 0., 1., 1.],
                [0., 0., 0., 1.],
                [1., 0., 0., 1.],
                [1., 1., 1., 0.]
            ]
        );
    }

    #[test]
    fn the_hinge_rests_where_the_margin_is_kept() {
        let joint = embeddings(&[[0.0, 0.0], [3.0, 4.0]]);
        let negatives = Negatives::new(&[0, 1], &[0, 1], &Device::Cpu).expect("mask");
        let loss = |margin: f64| {
            triplet(&joint, &joint, &negatives, margin)
                .expect("loss")
                .to_scalar::<f32>()
                .expect("scalar")
        };
        assert_eq!(loss(20.0), 0.0);
        // Both anchors miss a margin of 30 by 5.
        assert_eq!(loss(30.0), 10.0);
    }

    #[test]
    fn without_negatives_there_is_nothing_to_learn() {
        let joint = embeddings(&[[1.0, 0.0], [0.0, 1.0]]);
        let negatives = Negatives::new(&[0, 0], &[0, 0], &Device::Cpu).expect("mask");
        let labels = Tensor::new(&[0u32, 0], &Device::Cpu).expect("labels");
        let w = embeddings(&[[1.0, 0.0], [0.0, 1.0]]);
        assert_eq!(negatives.triplets().expect("count"), 0);
        for loss in [
            triplet(&joint, &joint, &negatives, 30.0),
            pseudo_label(&joint, &joint, &w, &w, &labels, &negatives),
        ] {
            assert_eq!(loss.expect("loss").to_scalar::<f32>().expect("scalar"), 0.0);
        }
    }
}
