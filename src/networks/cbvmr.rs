//! CBVMR: statistics of a clip's picture and of its music, each through a few layers into one space. The picture alone
//! asks; the voice is not heard.
//!
//! Paper: Hong, Im and Yang, *CBVMR: Content-Based Video-Music Retrieval Using Soft Intra-Modal Structure Constraint*,
//! ICMR 2018. Reference: the authors' VM-NET, and `tests/golden/baselines.py`, a twin in PyTorch. Inputs are scaled by
//! the mean and variance of the training set and cut at five deviations; batch norm and L2 follow the last layer of
//! either side. VM-NET takes its frames from Inception; here they are SlowFast's, as everywhere in this program.
//!
//! `models run` gives it `slow` [B, 8, slow_dim], `fast` [B, 64, fast_dim] and `music_statistics` [B, music_dim] and
//! takes `query_embedding` and `bgm_embedding` [B, d_E].
//!
//! Parameters, as PyTorch names them: `video.{0,1}` and `music.{0,1,2}` (`Linear`), `video_norm` and `music_norm`
//! (`BatchNorm1d`), and `video_scale` and `music_scale` (`BatchNorm1d` without weight and bias).

use candle_core::{D, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

use super::layers::Linear;
use super::mrcmv::{Norm, normalise};
use super::weights::parameter;
use crate::error::Result;

/// Statistics of each channel over time: mean, deviation and the five largest.
pub(super) const STATISTICS: usize = 7;
const LARGEST: usize = STATISTICS - 2;
/// Deviations at which scaled inputs are cut.
const CUT: f64 = 5.0;
const EPS: f64 = 1e-5;
/// A channel that hardly varies is not blown up by more than this.
const SCALE_EPS: f64 = 1e-12;

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Channels of the slow pathway after res5.
    pub slow_dim: usize,
    /// Channels of the fast pathway after res5.
    pub fast_dim: usize,
    /// Number of statistics of the music.
    pub music_dim: usize,
    /// Widths of the layers before the last, of the video side.
    pub video_layers: Vec<usize>,
    /// The same of the music side.
    pub music_layers: Vec<usize>,
    /// Embedding width d_E.
    pub d_e: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slow_dim: 2048,
            fast_dim: 256,
            music_dim: 1140,
            video_layers: vec![2048],
            music_layers: vec![2048, 1024],
            d_e: 512,
        }
    }
}

/// The network.
#[derive(Debug)]
pub struct Cbvmr {
    config: Config,
    video: Side,
    music: Side,
}

/// Where batch norm takes its mean and variance from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norming {
    /// The batch, while it is trained.
    Batch,
    /// What was seen in training.
    Running,
}

/// What one side makes of a batch.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The scaled inputs [B, inputs].
    pub scaled: Tensor,
    /// On the unit sphere [B, d_E].
    pub embedding: Tensor,
    /// Mean and unbiased variance of what went into batch norm `[d_E]`, without a gradient.
    pub moments: (Tensor, Tensor),
}

impl Cbvmr {
    /// Builds the network.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let inputs = STATISTICS * (config.slow_dim + config.fast_dim);
        Ok(Self {
            video: Side::new("video", inputs, &config.video_layers, config.d_e, &vb)?,
            music: Side::new("music", config.music_dim, &config.music_layers, config.d_e, &vb)?,
            config: config.clone(),
        })
    }

    /// # Shapes
    /// `statistics` [B, 7 (slow_dim + fast_dim)], of [`picture_statistics`].
    ///
    /// # Errors
    /// When the shape is not the config's or the device fails.
    pub fn video(&self, statistics: &Tensor, norming: Norming) -> Result<Embedded> {
        self.video.forward(statistics, norming)
    }

    /// # Shapes
    /// `statistics` [B, music_dim].
    ///
    /// # Errors
    /// When the shape is not the config's or the device fails.
    pub fn music(&self, statistics: &Tensor, norming: Norming) -> Result<Embedded> {
        self.music.forward(statistics, norming)
    }

    /// The config it was built with.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// What a clip's frames come to: of each channel of slow and fast rows, the latter averaged to the steps of the
/// former, mean, deviation and the five largest over time.
///
/// # Shapes
/// `slow` [B, T, slow_dim], `fast` [B, n T, fast_dim] -> [B, 7 (slow_dim + fast_dim)].
///
/// # Errors
/// When the shapes do not fit each other, T is below five, or the device fails.
pub fn picture_statistics(slow: &Tensor, fast: &Tensor) -> Result<Tensor> {
    let (batch, steps, _) = slow.dims3()?;
    let (_, frames, width) = fast.dims3()?;
    let fast = fast
        .contiguous()?
        .reshape((batch, steps, frames / steps, width))?
        .mean(2)?;
    let frames = Tensor::cat(&[slow, &fast], D::Minus1)?;
    let mean = frames.mean(1)?;
    let deviation = frames
        .broadcast_sub(&mean.unsqueeze(1)?)?
        .sqr()?
        .mean(1)?
        .sqrt()?;
    let (sorted, _) = frames.transpose(1, 2)?.contiguous()?.sort_last_dim(false)?;
    // [B, C, 5] -> [B, 5 C], the largest of all channels first.
    let largest = sorted
        .narrow(2, 0, LARGEST)?
        .transpose(1, 2)?
        .contiguous()?
        .flatten_from(1)?;
    Ok(Tensor::cat(&[mean, deviation, largest], 1)?)
}

#[derive(Debug)]
struct Side {
    scale: (Tensor, Tensor),
    layers: Vec<Linear>,
    gamma: Tensor,
    beta: Tensor,
    running: (Tensor, Tensor),
}

impl Side {
    fn new(name: &str, inputs: usize, layers: &[usize], d_e: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let statistics = |part: &str, count: usize| -> Result<(Tensor, Tensor)> {
            let vb = vb.pp(format!("{name}_{part}"));
            Ok((
                parameter(&vb, count, "running_mean", Init::Const(0.0))?.detach(),
                parameter(&vb, count, "running_var", Init::Const(1.0))?.detach(),
            ))
        };
        let widths: Vec<usize> = std::iter::once(inputs)
            .chain(layers.iter().copied())
            .chain([d_e])
            .collect();
        let norm = vb.pp(format!("{name}_norm"));
        Ok(Self {
            scale: statistics("scale", inputs)?,
            layers: widths
                .windows(2)
                .enumerate()
                .map(|(layer, widths)| Linear::new(widths[0], widths[1], &vb.pp(name).pp(layer)))
                .collect::<Result<_>>()?,
            gamma: parameter(&norm, d_e, "weight", Init::Const(1.0))?,
            beta: parameter(&norm, d_e, "bias", Init::Const(0.0))?,
            running: statistics("norm", d_e)?,
        })
    }

    fn forward(&self, x: &Tensor, norming: Norming) -> Result<Embedded> {
        let (mean, var) = &self.scale;
        let scaled = x
            .broadcast_sub(mean)?
            .broadcast_div(&(var + SCALE_EPS)?.sqrt()?)?
            .clamp(-CUT, CUT)?;
        let mut y = scaled.clone();
        for (number, layer) in self.layers.iter().enumerate() {
            y = if number == 0 { y } else { y.relu()? };
            y = layer.forward(&y)?;
        }
        let mean = y.mean_keepdim(0)?;
        let var = y.broadcast_sub(&mean)?.sqr()?.mean_keepdim(0)?;
        let count = y.dim(0)? as f64;
        let moments = (
            mean.detach().squeeze(0)?,
            (var.detach().squeeze(0)? * (count / (count - 1.0).max(1.0)))?,
        );
        let (mean, var) = match norming {
            Norming::Batch => (mean, var),
            Norming::Running => (self.running.0.unsqueeze(0)?, self.running.1.unsqueeze(0)?),
        };
        let y = y
            .broadcast_sub(&mean)?
            .broadcast_div(&(var + EPS)?.sqrt()?)?
            .broadcast_mul(&self.gamma)?
            .broadcast_add(&self.beta)?;
        Ok(Embedded {
            scaled,
            embedding: normalise(&y, Norm::Unit)?,
            moments,
        })
    }
}
