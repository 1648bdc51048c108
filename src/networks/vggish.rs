//! VGGish.
//!
//! Paper: Hershey et al., *CNN Architectures for Large-Scale Audio Classification*, ICASSP 2017. Reference:
//! torchvggish 0.2, whose parameter names are `features.{0,3,6,8,11,13}` and `embeddings.{0,2,4}`. The features are
//! flattened height, width, channel, as TensorFlow's original does. No PCA and no quantisation.
//!
//! Ours is one layer that the original has not and that a config has to ask for: `chroma` [128, 12] adds to each row what
//! it makes of the degrees of the scale that sound in the patch, since 64 mel bands cannot tell major from minor.

use candle_core::{Device, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

use super::layers::{Activation, Conv, Geometry, Linear, max_pool};
use super::weights::parameter;
use crate::error::{Error, Result};

/// Mel frames and bands of a patch.
const PATCH: (usize, usize) = (96, 64);

/// Index, output channels and whether a pool follows, of each convolution.
const CONVOLUTIONS: [(usize, usize, bool); 6] = [
    (0, 64, true),
    (3, 128, true),
    (6, 256, false),
    (8, 256, true),
    (11, 512, false),
    (13, 512, true),
];

/// Width of the two hidden layers.
const HIDDEN: usize = 4096;

/// Width of the embedding, whatever the network's.
const EMBEDDING: usize = 128;

/// Degrees of the scale.
const DEGREES: usize = 12;

/// Patches that go through the convolutions at once on the CPU: what they leave behind stays in its cache.
const PATCHES_AT_ONCE: usize = 8;

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Multiplies all widths but the final 128.
    pub width: f64,
    /// ReLU after the last layer, as the torchvggish family has and the original has not.
    pub relu_last: bool,
    /// Whether rows take the degrees of the scale in as well.
    pub chroma: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            width: 1.0,
            relu_last: false,
            chroma: false,
        }
    }
}

/// The network.
#[derive(Debug)]
pub struct Vggish {
    /// Each with whether a pool follows.
    features: Vec<(Conv, bool)>,
    /// The fully connected layers, as convolutions of one sample over patches.
    embeddings: [Conv; 3],
    chroma: Option<Linear>,
}

impl Vggish {
    /// Builds the network from torchvggish's parameter names.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen, or the width leaves a layer without channels.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let scaled = |channels: usize| -> Result<usize> {
            let width = channels as f64 * config.width;
            if width >= 1.0 && width <= 16.0 * channels as f64 && width.fract() == 0.0 {
                Ok(width as usize)
            } else {
                Err(Error::pack(format!(
                    "a config of vggish with width {} gives no whole number of channels; use a multiple of 1/64",
                    config.width
                )))
            }
        };
        let mut features = Vec::with_capacity(CONVOLUTIONS.len());
        let mut inputs = 1;
        for (index, channels, pooled) in CONVOLUTIONS {
            let outputs = scaled(channels)?;
            let vb = vb.pp("features").pp(index);
            let conv = Conv::new(
                &parameter(
                    &vb,
                    (outputs, inputs, 3, 3),
                    "weight",
                    candle_nn::init::DEFAULT_KAIMING_NORMAL,
                )?,
                Some(parameter(&vb, outputs, "bias", Init::Const(0.0))?),
                None,
                Geometry::plane(3, 3).centred(),
                Activation::Relu,
            )?;
            features.push((conv, pooled));
            inputs = outputs;
        }
        let chroma = config
            .chroma
            .then(|| Linear::without_bias(DEGREES, EMBEDDING, &vb.pp("chroma")))
            .transpose()?;
        let vb = vb.pp("embeddings");
        let hidden = scaled(HIDDEN)?;
        let flat = inputs * (PATCH.0 >> 4) * (PATCH.1 >> 4);
        let last = if config.relu_last {
            Activation::Relu
        } else {
            Activation::None
        };
        Ok(Self {
            features,
            embeddings: [
                connected(flat, hidden, Activation::Relu, &vb.pp(0))?,
                connected(hidden, hidden, Activation::Relu, &vb.pp(2))?,
                connected(hidden, EMBEDDING, last, &vb.pp(4))?,
            ],
            chroma,
        })
    }

    /// Whether its config asks for the degrees of the scale.
    pub fn takes_chroma(&self) -> bool {
        self.chroma.is_some()
    }

    /// The rows of patches whose degrees of the scale are known. A network without that layer passes over them, one with it
    /// takes none for silence.
    ///
    /// # Shapes
    /// `patches` [N, 1, 96, 64], `chroma` [N, 12] -> [N, 128].
    ///
    /// # Errors
    /// As [`Vggish::forward`].
    pub fn rows(&self, patches: &Tensor, chroma: Option<&Tensor>) -> Result<Tensor> {
        let rows = self.forward(patches)?;
        match self.chroma.as_ref().zip(chroma) {
            Some((layer, chroma)) => Ok((rows + layer.forward(chroma)?)?),
            None => Ok(rows),
        }
    }

    /// The rows of patches alone.
    ///
    /// # Shapes
    /// `patches` [N, 1, 96, 64] -> [N, 128].
    ///
    /// # Errors
    /// When the shape is another or the device fails.
    pub fn forward(&self, patches: &Tensor) -> Result<Tensor> {
        self.forward_seeing(patches, |_, _| ())
    }

    /// As [`Vggish::forward`], showing `see` what each pool gives [n, C, H, W] with the pool's place among torchvggish's
    /// `features`, a few patches at a time, in order.
    ///
    /// # Errors
    /// As [`Vggish::forward`].
    pub fn forward_seeing(&self, patches: &Tensor, mut see: impl FnMut(usize, &Tensor)) -> Result<Tensor> {
        let (count, channels, frames, bands) = patches.dims4()?;
        if (channels, (frames, bands)) != (1, PATCH) {
            return Err(Error::internal(format!(
                "VGGish takes patches of 96 x 64 and was given {:?}",
                patches.dims()
            )));
        }
        let at_once = match patches.device() {
            Device::Cpu => PATCHES_AT_ONCE,
            _ => count.max(1),
        };
        let features = (0..count)
            .step_by(at_once)
            .map(|first| self.features(&patches.narrow(0, first, at_once.min(count - first))?, &mut see))
            .collect::<Result<Vec<_>>>()?;
        // [N, C, H, W] -> [1, H W C, 1, N].
        let flat = Tensor::cat(&features, 0)?
            .permute((2, 3, 1, 0))?
            .contiguous()?
            .reshape((1, (), 1, count))?;
        let [first, second, last] = &self.embeddings;
        let embedding = last.forward(&second.forward(&first.forward(&flat)?)?)?;
        Ok(embedding.reshape((EMBEDDING, count))?.t()?.contiguous()?)
    }

    fn features(&self, patches: &Tensor, mut see: impl FnMut(usize, &Tensor)) -> Result<Tensor> {
        let mut x = patches.clone();
        for ((conv, pooled), (index, ..)) in self.features.iter().zip(CONVOLUTIONS) {
            x = conv.forward(&x)?;
            if *pooled {
                x = max_pool(&x, 2, 2, 0)?;
                // Behind the convolution and its ReLU.
                see(index + 2, &x);
            }
        }
        Ok(x)
    }
}

/// A fully connected layer by its names.
fn connected(inputs: usize, outputs: usize, activation: Activation, vb: &VarBuilder<'_>) -> Result<Conv> {
    let bound = 1.0 / (inputs as f64).sqrt();
    let uniform = Init::Uniform {
        lo: -bound,
        up: bound,
    };
    let weight = parameter(vb, (outputs, inputs), "weight", uniform)?;
    let bias = parameter(vb, outputs, "bias", uniform)?;
    Conv::new(
        &weight.reshape((outputs, inputs, 1, 1))?,
        Some(bias),
        None,
        Geometry::plane(1, 1),
        activation,
    )
}
