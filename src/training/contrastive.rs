//! The contrastive loss of later video-music systems: cross entropy over the batch, from the query to the music and back
//! (InfoNCE as CLIP symmetrises it; Radford et al. 2021, fig. 3). It stands in for eq. 6 where it is chosen.

use candle_core::{D, Tensor};
use candle_nn::ops::log_softmax;

use super::losses::Negatives;
use crate::error::Result;

/// What the logit of a pair is that is neither the own one nor a negative: it takes no part.
const OUT: f64 = -1e9;

/// The mean over pairs i of -log softmax_k(cos(E_J^i, E_M^k) / temperature) at k = i, and of the same with the sides
/// exchanged, halved. The softmax runs over i and the negatives of i alone, so that another cut of one video, or another
/// video with one track, is not pushed away.
///
/// # Shapes
/// `joint` and `bgm` [B, d_E], of any norm -> a scalar.
///
/// # Errors
/// When the device fails.
pub fn contrastive(joint: &Tensor, bgm: &Tensor, negatives: &Negatives, temperature: f64) -> Result<Tensor> {
    let batch = joint.dim(0)?;
    let cosines = directions(joint)?.matmul(&directions(bgm)?.t()?)?;
    let own = Tensor::eye(batch, cosines.dtype(), cosines.device())?;
    let left_out = (negatives.mask() + &own)?.affine(-OUT, OUT)?;
    let logits = ((cosines / temperature)? + left_out)?;
    let truth = |logits: &Tensor| -> Result<Tensor> {
        Ok((log_softmax(&logits.contiguous()?, D::Minus1)? * &own)?.sum_all()?)
    };
    let sum = (truth(&logits)? + truth(&logits.t()?)?)?;
    Ok((sum * (-0.5 / batch as f64))?)
}

/// Rows on the unit sphere.
fn directions(rows: &Tensor) -> Result<Tensor> {
    let norm = rows.sqr()?.sum_keepdim(D::Minus1)?.maximum(1e-24)?.sqrt()?;
    Ok(rows.broadcast_div(&norm)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn rows(values: &[[f32; 2]]) -> Tensor {
        Tensor::from_vec(values.concat(), (values.len(), 2), &Device::Cpu).expect("tensor")
    }

    fn loss(joint: &Tensor, bgm: &Tensor, videos: &[usize]) -> f32 {
        let negatives = Negatives::new(videos, videos, &Device::Cpu).expect("mask");
        contrastive(joint, bgm, &negatives, 0.5)
            .and_then(|loss| Ok(loss.to_scalar()?))
            .expect("loss")
    }

    #[test]
    fn it_is_the_surprise_at_the_truth() {
        let joint = rows(&[[3.0, 0.0], [0.0, 0.2]]);
        // Cosines 1 and 0 at temperature 0.5: a softmax of 2 and 0.
        let right = (1.0 + (-2f32).exp()).ln();
        assert!((loss(&joint, &joint, &[0, 1]) - right).abs() < 1e-6);
        let turned = rows(&[[0.0, 1.0], [1.0, 0.0]]);
        assert!((loss(&joint, &turned, &[0, 1]) - (right + 2.0)).abs() < 1e-6);
    }

    #[test]
    fn who_is_no_negative_takes_no_part() {
        let joint = rows(&[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
        let bgm = rows(&[[1.0, 0.1], [0.2, 1.0], [1.0, 0.9]]);
        assert_eq!(loss(&joint, &bgm, &[0, 0, 0]), 0.0);
        let two = |rows: &Tensor| rows.narrow(0, 0, 2).expect("rows");
        // The third shares its video with the first: two softmaxes of two, and one of three.
        assert!(loss(&joint, &bgm, &[0, 1, 0]) < loss(&joint, &bgm, &[0, 1, 2]));
        assert!(loss(&two(&joint), &two(&bgm), &[0, 1]) > 0.0);
    }
}
