//! SlowFast up to res5, without pool and head.
//!
//! Paper: Feichtenhofer et al., *SlowFast Networks for Video Recognition*, ICCV 2019. Reference: PyTorchVideo 0.1.5
//! `create_slowfast`, whose parameter names these are: `blocks.0` holds the stems, `blocks.1` to `blocks.4` the residual
//! stages, each with `multipathway_blocks.{0,1}` (slow, fast) and, but for the last, `multipathway_fusion`.
//!
//! Layout: [B, C, T, H, W]. Batch norm is eval-mode with eps 1e-5.

use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::layers::{Activation, BatchNorm, Conv, Geometry, max_pool};
use super::weights::parameter;
use crate::error::{Error, Result};

/// How pixels in 0..=1 are normalised: minus the mean, over the deviation.
pub const PIXEL_MEAN: f32 = 0.45;
/// As [`PIXEL_MEAN`].
pub const PIXEL_STD: f32 = 0.225;

/// Channels of the slow stem.
const STEM: usize = 64;

/// Lateral channels per fast channel.
const FUSION_RATIO: usize = 2;

const BATCH_NORM_EPS: f64 = 1e-5;

/// res5 sees a thirty-second of the crop.
const CROPS: std::ops::RangeInclusive<usize> = 32..=1024;

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// 50 or 101.
    pub depth: usize,
    /// Multiplies all channel widths; 64 x width must be a multiple of `beta_inv`.
    pub width: f64,
    /// Fast frames per slow frame.
    pub alpha: usize,
    /// Slow channels per fast channel.
    pub beta_inv: usize,
    /// Temporal kernel of the lateral connections: 5 (R50 4x16, R101 8x8) or 7 (R50 8x8).
    pub fusion_kernel: usize,
    /// Temporal stride of the lateral connections, equal to alpha of the clip.
    pub fusion_stride: usize,
    /// Side of the square that frames are cropped to, pixels. The network takes any; it knows the sizes of things in the
    /// one it was trained with.
    pub crop: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            depth: 50,
            width: 1.0,
            alpha: 8,
            beta_inv: 8,
            fusion_kernel: 5,
            fusion_stride: 8,
            crop: 224,
        }
    }
}

impl Config {
    /// Channels of the slow and the fast rows that [`SlowFast::forward`] gives.
    pub fn dims(&self) -> (usize, usize) {
        let slow = (STEM as f64 * self.width) as usize * 32;
        (slow, slow / self.beta_inv.max(1))
    }

    /// Short side that a frame is scaled to before it is cropped, pixels: 256 for 224, and in that proportion.
    pub fn short_side(&self) -> usize {
        self.crop * 8 / 7
    }

    /// Residual blocks of res2 to res5.
    fn blocks(&self) -> Result<[usize; 4]> {
        let channels = STEM as f64 * self.width;
        let whole = (1.0..=16.0 * STEM as f64).contains(&channels) && channels.fract() == 0.0;
        if !whole || self.beta_inv == 0 || !(channels as usize).is_multiple_of(self.beta_inv) {
            return Err(Error::pack(format!(
                "a config of slowfast with width {} and beta_inv {} gives no whole number of channels; 64 x width must be \
                 a multiple of beta_inv",
                self.width, self.beta_inv
            )));
        }
        if self.fusion_kernel.is_multiple_of(2) || self.fusion_stride == 0 || self.fusion_stride != self.alpha
        {
            return Err(Error::pack(format!(
                "a config of slowfast with fusion_kernel {}, fusion_stride {} and alpha {} fits no clip; the kernel must \
                 be odd and the stride equal to alpha",
                self.fusion_kernel, self.fusion_stride, self.alpha
            )));
        }
        if !CROPS.contains(&self.crop) {
            return Err(Error::pack(format!(
                "a config of slowfast with crop {} fits no picture; use {} to {}",
                self.crop,
                CROPS.start(),
                CROPS.end()
            )));
        }
        match self.depth {
            50 => Ok([3, 4, 6, 3]),
            101 => Ok([3, 4, 23, 3]),
            depth => Err(Error::pack(format!(
                "a config of slowfast has the depth {depth}; use 50 or 101"
            ))),
        }
    }
}

/// The two pathways up to res5, without the head.
#[derive(Debug)]
pub struct SlowFast {
    config: Config,
    stems: [Conv; 2],
    /// res2 to res5, slow and fast.
    stages: Vec<[Vec<Block>; 2]>,
    /// From fast to slow, after the stems and after res2 to res4.
    laterals: Vec<Conv>,
}

impl SlowFast {
    /// Builds the network from PyTorchVideo's parameter names.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen, or the config fits no network.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let depths = config.blocks()?;
        let stem = (STEM as f64 * config.width) as usize;
        let fast_of = |slow: usize| slow / config.beta_inv;
        let vb = vb.pp("blocks");
        let pathway = |stage: usize, pathway: usize| vb.pp(stage).pp("multipathway_blocks").pp(pathway);

        let stem_geometry = |frames: usize| Geometry::volume([frames, 7, 7]).with_stride(2).centred();
        let stem_of = |index: usize, frames: usize, outputs: usize| {
            let vb = pathway(0, index);
            let names = (vb.pp("conv"), vb.pp("norm"));
            convolution(names, [3, outputs], stem_geometry(frames), Activation::Relu)
        };
        let stems = [stem_of(0, 1, stem)?, stem_of(1, 5, fast_of(stem))?];

        let mut laterals = Vec::with_capacity(depths.len());
        let mut stages = Vec::with_capacity(depths.len());
        let mut inputs = stem;
        for (stage, depth) in depths.into_iter().enumerate() {
            let lateral = fast_of(inputs) * FUSION_RATIO;
            let fusion = vb.pp(stage).pp("multipathway_fusion");
            laterals.push(convolution(
                (fusion.pp("conv_fast_to_slow"), fusion.pp("norm")),
                [fast_of(inputs), lateral],
                Geometry::volume([config.fusion_kernel, 1, 1])
                    .with_time_stride(config.fusion_stride)
                    .centred(),
                Activation::Relu,
            )?);
            let outputs = stem << (stage + 2);
            let stride = if stage == 0 { 1 } else { 2 };
            // res4 and res5 of the slow pathway look along time, and all of the fast one.
            let slow_frames = if stage < 2 { 1 } else { 3 };
            let blocks = |index: usize, inputs: usize, outputs: usize, frames: usize| -> Result<Vec<Block>> {
                let vb = pathway(stage + 1, index).pp("res_blocks");
                (0..depth)
                    .map(|block| {
                        let (inputs, stride) = if block == 0 {
                            (inputs, stride)
                        } else {
                            (outputs, 1)
                        };
                        Block::new(inputs, outputs, frames, stride, &vb.pp(block))
                    })
                    .collect()
            };
            stages.push([
                blocks(0, inputs + lateral, outputs, slow_frames)?,
                blocks(1, fast_of(inputs), fast_of(outputs), 3)?,
            ]);
            inputs = outputs;
        }
        Ok(Self {
            config: config.clone(),
            stems,
            stages,
            laterals,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// # Shapes
    /// `slow` [B, 3, T, H, W], `fast` [B, 3, alpha T, H, W] (normalised: mean 0.45, std 0.225) ->
    /// slow [B, T, 2048 width], fast [B, alpha T, 256 width], averaged over space.
    ///
    /// # Errors
    /// When the shapes do not fit each other or the device fails.
    pub fn forward(&self, slow: &Tensor, fast: &Tensor) -> Result<(Tensor, Tensor)> {
        self.forward_seeing(slow, fast, |_, _, _| ())
    }

    /// As [`SlowFast::forward`], showing `see` each stage as it ends: its number (0 for the stems, 1 to 4 for res2 to
    /// res5) and both pathways [B, C, T, H, W], the slow one with the channels of its lateral connection last.
    ///
    /// # Errors
    /// As [`SlowFast::forward`].
    pub fn forward_seeing(
        &self,
        slow: &Tensor,
        fast: &Tensor,
        mut see: impl FnMut(usize, &Tensor, &Tensor),
    ) -> Result<(Tensor, Tensor)> {
        let (slow_frames, fast_frames) = (slow.dim(2)?, fast.dim(2)?);
        if fast_frames != slow_frames * self.config.alpha {
            return Err(Error::internal(format!(
                "SlowFast was given {slow_frames} slow and {fast_frames} fast frames; it takes {} fast ones a slow one",
                self.config.alpha
            )));
        }
        let [slow_stem, fast_stem] = &self.stems;
        let mut fast = max_pool(&fast_stem.forward(fast)?, 3, 2, 1)?;
        let mut slow = max_pool(&slow_stem.forward(slow)?, 3, 2, 1)?;
        for (number, ([slow_stage, fast_stage], lateral)) in
            self.stages.iter().zip(&self.laterals).enumerate()
        {
            slow = Tensor::cat(&[&slow, &lateral.forward(&fast)?], 1)?;
            see(number, &slow, &fast);
            for block in slow_stage {
                slow = block.forward(&slow)?;
            }
            for block in fast_stage {
                fast = block.forward(&fast)?;
            }
        }
        see(self.stages.len(), &slow, &fast);
        Ok((rows(&slow)?, rows(&fast)?))
    }
}

/// Averaged over space: [B, C, T, H, W] -> [B, T, C].
fn rows(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(3)?.mean(3)?.transpose(1, 2)?.contiguous()?)
}

/// A bottleneck with its shortcut.
#[derive(Debug)]
struct Block {
    /// Where input and output differ in shape.
    shortcut: Option<Conv>,
    a: Conv,
    b: Conv,
    c: Conv,
}

impl Block {
    fn new(inputs: usize, outputs: usize, frames: usize, stride: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let inner = outputs / 4;
        let branch = vb.pp("branch2");
        let step = |letter: &str, channels: [usize; 2], geometry: Geometry| {
            let names = (
                branch.pp(format!("conv_{letter}")),
                branch.pp(format!("norm_{letter}")),
            );
            convolution(names, channels, geometry, Activation::Relu)
        };
        let shortcut = || {
            convolution(
                (vb.pp("branch1_conv"), vb.pp("branch1_norm")),
                [inputs, outputs],
                Geometry::volume([1, 1, 1]).with_stride(stride),
                Activation::None,
            )
        };
        Ok(Self {
            shortcut: (inputs != outputs || stride != 1).then(shortcut).transpose()?,
            a: step("a", [inputs, inner], Geometry::volume([frames, 1, 1]).centred())?,
            b: step(
                "b",
                [inner, inner],
                Geometry::volume([1, 3, 3]).with_stride(stride).centred(),
            )?,
            c: step("c", [inner, outputs], Geometry::volume([1, 1, 1]))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.b.forward(&self.a.forward(x)?)?;
        match &self.shortcut {
            Some(shortcut) => self.c.forward_add(&y, &shortcut.forward(x)?),
            None => self.c.forward_add(&y, x),
        }
    }
}

/// A convolution without bias and the batch norm behind it, by their names.
fn convolution(
    (conv, norm): (VarBuilder<'_>, VarBuilder<'_>),
    [inputs, outputs]: [usize; 2],
    geometry: Geometry,
    activation: Activation,
) -> Result<Conv> {
    let [time, height, width] = geometry.kernel();
    let weight = parameter(
        &conv,
        (outputs, inputs, time, height, width),
        "weight",
        candle_nn::init::DEFAULT_KAIMING_NORMAL,
    )?;
    let norm = BatchNorm::new(outputs, BATCH_NORM_EPS, &norm)?;
    Conv::new(&weight, None, Some(norm), geometry, activation)
}

/// The times in seconds of the fast frames of a clip: (i + 0.5) / 2 for 64 frames of 32 s,
/// relative to the clip's start.
pub fn fast_times_s() -> [f64; 64] {
    std::array::from_fn(|i| f64::midpoint(i as f64, 0.5))
}

/// Which fast frames are the slow ones: trunc(linspace(0, 63, 8)), as PySlowFast picks.
pub fn slow_indices() -> [usize; 8] {
    std::array::from_fn(|i| (i as f64 * 63.0 / 7.0) as usize)
}

/// The slow frames among the 64 fast ones.
///
/// # Shapes
/// [B, 3, 64, H, W] -> [B, 3, 8, H, W].
///
/// # Errors
/// When there are fewer than 64 or the device fails.
pub fn slow_frames(fast: &Tensor) -> Result<Tensor> {
    let indices = slow_indices().map(|index| index as u32);
    Ok(fast.index_select(&Tensor::new(indices.as_slice(), fast.device())?, 2)?)
}

/// Frames of bytes as [`SlowFast::forward`] takes them.
///
/// # Shapes
/// [3, T, H, W] u8 -> [1, 3, T, H, W] f32.
///
/// # Errors
/// When the device fails.
pub fn normalised(frames: &Tensor) -> Result<Tensor> {
    let scale = 1.0 / (255.0 * f64::from(PIXEL_STD));
    let shift = -f64::from(PIXEL_MEAN) / f64::from(PIXEL_STD);
    Ok(frames.to_dtype(DType::F32)?.affine(scale, shift)?.unsqueeze(0)?)
}
