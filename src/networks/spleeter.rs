//! Spleeter's U-net.
//!
//! Paper: Hennequin et al., *Spleeter: a fast and efficient music source separation tool with pre-trained models*,
//! JOSS 2020. Reference: `spleeter/model/functions/unet.py` of spleeter 2.4.2. One U-net a stem, whose variables
//! follow each other in TensorFlow's numbering: `conv2d` .. `conv2d_6`, `batch_normalization` .. `_11` and
//! `conv2d_transpose` .. `_5` for the first stem, `conv2d_7` .. for the second. `batch_normalization_5` is made by
//! the reference and leads nowhere.

use candle_core::{IndexOp, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

use super::layers::{self, BatchNorm, Conv, Geometry, interlock, interlocked};
use super::weights::{optional_parameter, parameter};
use crate::error::{Error, ErrorKind, Result};

/// Filters of the six convolutions on the way down.
const FILTERS: [usize; 6] = [16, 32, 64, 128, 256, 512];
/// Left and right.
const CHANNELS: usize = 2;
/// Six halvings of frames and bins.
const GRID: usize = 64;
const NORM_EPSILON: f64 = 1e-3;
const LEAK: f64 = 0.2;

/// What follows convolutions and deconvolutions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activations {
    /// `LeakyReLU` of slope 0.2 and `ReLU`: the 2-stem model.
    #[default]
    Relu,
    /// `ELU` both times: the 4- and 5-stem models.
    Elu,
}

/// How the last layer becomes a mask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Masks {
    /// Each stem for itself: `unet.unet`, the 2- and 4-stem models.
    #[default]
    Sigmoid,
    /// All stems sharing out each bin: `unet.softmax_unet`, the 5-stem model.
    Softmax,
}

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Multiplies the filters 16, 32, 64, 128, 256, 512.
    pub width: f64,
    /// Stems, in the order of the checkpoint's variables.
    pub stems: Vec<String>,
    /// What follows convolutions and deconvolutions.
    pub activations: Activations,
    /// How the last layer becomes a mask.
    pub masks: Masks,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            width: 1.0,
            stems: vec!["voice".to_owned(), "bgm".to_owned()],
            activations: Activations::default(),
            masks: Masks::default(),
        }
    }
}

/// One U-net a stem.
#[derive(Debug)]
pub struct Spleeter {
    config: Config,
    unets: Vec<Unet>,
}

impl Spleeter {
    /// Builds the network from parameters named as TensorFlow's variables with `.` for `/`,
    /// in TensorFlow's layouts (`conv2d.kernel` [kh, kw, in, out],
    /// `conv2d_transpose.kernel` [kh, kw, out, in]).
    ///
    /// # Errors
    /// When a parameter is missing or misshapen, the width leaves a layer without whole filters, or there are no
    /// stems.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        if config.stems.is_empty() {
            return Err(Error::pack(
                "a config of spleeter names no stems; give each U-net's stem a name",
            ));
        }
        let filters = FILTERS.map(|filters| filters as f64 * config.width);
        if filters
            .iter()
            .any(|&n| !(1.0..=8192.0).contains(&n) || n.fract() != 0.0)
        {
            return Err(Error::pack(format!(
                "a config of spleeter with width {} gives no whole number of filters; use a multiple of 1/16",
                config.width
            )));
        }
        let filters = filters.map(|filters| filters as usize);
        let unets = (0..config.stems.len())
            .map(|stem| Unet::new(stem, &filters, config.activations, &vb))
            .collect::<Result<_>>()?;
        Ok(Self {
            config: config.clone(),
            unets,
        })
    }

    /// The config it was built from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Masks the magnitudes; the network is made for segments of 512 frames and 1024 bins, and takes any multiples
    /// of 64.
    ///
    /// # Shapes
    /// `magnitude` [B, 2, 512, 1024] (channel, frame, bin) -> one tensor of that shape per stem
    /// (sigmoid times input, before the ratio mask).
    ///
    /// # Errors
    /// When the shape is another or the device fails.
    pub fn forward(&self, magnitude: &Tensor) -> Result<Vec<Tensor>> {
        self.forward_seeing(magnitude, |_, _| ())
    }

    /// As [`Spleeter::forward`], showing `see` each layer as it ends, by TensorFlow's name of its last variables:
    /// `conv2d` .. the convolutions on the way down before norm and activation, `batch_normalization_6` .. the
    /// deconvolutions on the way up after both, `conv2d_6` the mask's logits; all [B, C, T, F].
    ///
    /// # Errors
    /// As [`Spleeter::forward`].
    pub fn forward_seeing(
        &self,
        magnitude: &Tensor,
        mut see: impl FnMut(&str, &Tensor),
    ) -> Result<Vec<Tensor>> {
        match magnitude.dims() {
            [_, CHANNELS, frames, bins] if frames * bins > 0 && frames % GRID == 0 && bins % GRID == 0 => {}
            dims => {
                return Err(Error::new(
                    ErrorKind::Input,
                    format!(
                        "spleeter takes magnitudes [B, 2, 512, 1024] and was given {dims:?}; cut them to segments"
                    ),
                ));
            }
        }
        let masked = |mask: Tensor| Ok((mask * magnitude)?);
        match self.config.masks {
            Masks::Sigmoid => self
                .unets
                .iter()
                .map(|unet| masked(candle_nn::ops::sigmoid(&unet.forward(magnitude, &mut see)?)?))
                .collect(),
            Masks::Softmax => {
                let logits = self
                    .unets
                    .iter()
                    .map(|unet| unet.forward(magnitude, &mut see))
                    .collect::<Result<Vec<_>>>()?;
                let masks = candle_nn::ops::softmax(&Tensor::stack(&logits, 0)?, 0)?;
                (0..logits.len()).map(|stem| masked(masks.i(stem)?)).collect()
            }
        }
    }
}

/// The U-net of one stem.
#[derive(Debug)]
struct Unet {
    /// Its place among the stems, which numbers its variables.
    stem: usize,
    /// Each with the norm that leads to the next; the last leads straight up.
    down: Vec<(Conv, Option<BatchNorm>)>,
    up: Vec<(Deconv, BatchNorm)>,
    mask: Conv,
    activations: Activations,
}

impl Unet {
    fn new(stem: usize, filters: &[usize; 6], activations: Activations, vb: &VarBuilder<'_>) -> Result<Self> {
        let levels = filters.len();
        let ([convs, norms], deconvs) = (firsts(stem), stem * levels);

        let mut down = Vec::with_capacity(levels);
        let mut inputs = CHANNELS;
        for (level, &outputs) in filters.iter().enumerate() {
            let geometry = Geometry::plane(5, 5).with_stride(2).same(GRID, GRID);
            let conv = conv(convs + level, inputs, outputs, geometry, vb)?;
            let norm = if level + 1 < levels {
                Some(norm(norms + level, outputs, vb)?)
            } else {
                pass_over_norm(norms + level, outputs, vb)?;
                None
            };
            down.push((conv, norm));
            inputs = outputs;
        }

        let mut up = Vec::with_capacity(levels);
        for level in 0..levels {
            let outputs = if level + 1 < levels {
                filters[levels - 2 - level]
            } else {
                1
            };
            let deconv = Deconv::new(deconvs + level, inputs, outputs, activations, vb)?;
            up.push((deconv, norm(norms + levels + level, outputs, vb)?));
            // The skip of the same size is laid beside it.
            inputs = 2 * outputs;
        }

        let geometry = Geometry::plane(4, 4).with_dilation(2).same(GRID, GRID);
        Ok(Self {
            stem,
            down,
            up,
            mask: conv(convs + levels, 1, CHANNELS, geometry, vb)?,
            activations,
        })
    }

    /// # Shapes
    /// [B, 2, T, F] -> the mask's logits, of that shape.
    fn forward(&self, magnitude: &Tensor, see: &mut impl FnMut(&str, &Tensor)) -> Result<Tensor> {
        let levels = self.down.len();
        let [convs, norms] = firsts(self.stem);
        let mut skips = Vec::with_capacity(levels);
        let mut x = magnitude.clone();
        for (level, (conv, norm)) in self.down.iter().enumerate() {
            let raw = conv.forward(&x)?;
            see(&scope("conv2d", convs + level), &raw);
            if let Some(norm) = norm {
                x = match self.activations {
                    Activations::Relu => norm.forward_leaky(&raw, LEAK)?,
                    Activations::Elu => norm.forward(&raw)?.elu(1.0)?,
                };
                skips.push(raw);
            } else {
                x = raw;
            }
        }
        for (level, (deconv, norm)) in self.up.iter().enumerate() {
            let mut phases = deconv.phases(&x)?;
            if self.activations == Activations::Elu {
                phases = phases.elu(1.0)?;
            }
            let risen;
            (x, risen) = if let Some(skip) = skips.pop() {
                let (x, below) = (interlock(&phases, norm, &skip)?, skip.dim(1)?);
                let risen = x.narrow(1, below, x.dim(1)? - below)?;
                (x, risen)
            } else {
                let x = norm.forward(&interlocked(&phases)?)?;
                (x.clone(), x)
            };
            see(&scope("batch_normalization", norms + levels + level), &risen);
        }
        let logits = self.mask.forward(&x)?;
        see(&scope("conv2d", convs + levels), &logits);
        Ok(logits)
    }
}

/// The numbers of the first convolution and the first norm of a stem.
fn firsts(stem: usize) -> [usize; 2] {
    [stem * (FILTERS.len() + 1), stem * 2 * FILTERS.len()]
}

/// TensorFlow's name of the `number`th variable scope of its kind.
fn scope(kind: &str, number: usize) -> String {
    if number == 0 {
        kind.to_owned()
    } else {
        format!("{kind}_{number}")
    }
}

fn conv(
    number: usize,
    inputs: usize,
    outputs: usize,
    geometry: Geometry,
    vb: &VarBuilder<'_>,
) -> Result<Conv> {
    let vb = vb.pp(scope("conv2d", number));
    let [_, height, width] = geometry.kernel();
    let kernel = parameter(
        &vb,
        (height, width, inputs, outputs),
        "kernel",
        candle_nn::init::DEFAULT_KAIMING_UNIFORM,
    )?;
    let weight = kernel.permute((3, 2, 0, 1))?.contiguous()?;
    let bias = parameter(&vb, outputs, "bias", Init::Const(0.0))?;
    Conv::new(&weight, Some(bias), None, geometry, layers::Activation::None)
}

fn norm(number: usize, channels: usize, vb: &VarBuilder<'_>) -> Result<BatchNorm> {
    let vb = vb.pp(scope("batch_normalization", number));
    Ok(BatchNorm::from_tensors(
        parameter(&vb, channels, "gamma", Init::Const(1.0))?,
        parameter(&vb, channels, "beta", Init::Const(0.0))?,
        parameter(&vb, channels, "moving_mean", Init::Const(0.0))?,
        parameter(&vb, channels, "moving_variance", Init::Const(1.0))?,
        NORM_EPSILON,
    ))
}

/// Asks for the norm that the reference makes and does not use, so that it is not taken for a parameter of some
/// other network.
fn pass_over_norm(number: usize, channels: usize, vb: &VarBuilder<'_>) -> Result<()> {
    let vb = vb.pp(scope("batch_normalization", number));
    for name in ["gamma", "beta", "moving_mean", "moving_variance"] {
        optional_parameter(&vb, channels, name, Init::Const(0.0))?;
    }
    Ok(())
}

/// TensorFlow's transposed 5 x 5 convolution of stride 2 with padding `same`: input i reaches outputs 2i - 1 to
/// 2i + 3. So an output 2i sees inputs i - 1 and i, and an output 2i + 1 sees i - 1, i and i + 1: the layer is one
/// ordinary 3 x 3 convolution to four times the channels, one set for each phase of the outputs, which interlock. Eleven
/// of 36 taps are zeros, which costs less than the fast algorithms for 3 x 3 gain.
#[derive(Debug)]
struct Deconv(Conv);

/// The kernel's taps that even and odd outputs see in the inputs before, at and behind their own; 5 is none.
const PHASES: [[u32; 3]; 2] = [[3, 1, 5], [4, 2, 0]];

impl Deconv {
    fn new(
        number: usize,
        inputs: usize,
        outputs: usize,
        activations: Activations,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let vb = vb.pp(scope("conv2d_transpose", number));
        let kernel = parameter(
            &vb,
            (5, 5, outputs, inputs),
            "kernel",
            candle_nn::init::DEFAULT_KAIMING_UNIFORM,
        )?;
        let bias = parameter(&vb, outputs, "bias", Init::Const(0.0))?;
        let device = kernel.device();
        let padded = kernel.pad_with_zeros(0, 0, 1)?.pad_with_zeros(1, 0, 1)?;
        let taps = Tensor::new(PHASES.as_flattened(), device)?;
        // [row's phase, row, column's phase, column, O, C] -> [phases, O, C, row, column].
        let weight = padded
            .index_select(&taps, 0)?
            .index_select(&taps, 1)?
            .reshape(&[2, 3, 2, 3, outputs, inputs])?
            .permute([0, 2, 4, 5, 1, 3])?
            .contiguous()?
            .reshape((4 * outputs, inputs, 3, 3))?;
        let bias = Tensor::cat(&[&bias, &bias, &bias, &bias], 0)?;
        let activation = match activations {
            Activations::Relu => layers::Activation::Relu,
            Activations::Elu => layers::Activation::None,
        };
        let geometry = Geometry::plane(3, 3).centred();
        Ok(Self(Conv::new(&weight, Some(bias), None, geometry, activation)?))
    }

    /// Convolution and ReLU.
    ///
    /// # Shapes
    /// [B, C, H, W] -> [B, 4 O, H, W], as [`interlock`] takes them.
    fn phases(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};
    use proptest::prelude::*;

    use super::*;

    fn noise(shape: &[usize]) -> Tensor {
        Tensor::rand(-1_f32, 1.0, shape, &Device::Cpu).expect("a tensor")
    }

    /// TensorFlow's definition: input i adds its products to outputs 2 i - 1 to 2 i + 3 that exist.
    fn scattered(x: &Tensor, kernel: &Tensor, bias: &[f32]) -> Vec<f32> {
        let (inputs, height, width) = x.dims3().expect("three axes");
        let outputs = bias.len();
        let x = x.to_vec3::<f32>().expect("values");
        let kernel: Vec<f32> = kernel
            .flatten_all()
            .and_then(|flat| flat.to_vec1())
            .expect("values");
        let mut y: Vec<f32> = bias
            .iter()
            .flat_map(|&bias| vec![bias; 4 * height * width])
            .collect();
        let each = |n: usize| 0..n;
        for (row, column, tap_row, tap_column) in each(height).flat_map(|row| {
            each(width).flat_map(move |column| {
                each(5).flat_map(move |down| each(5).map(move |right| (row, column, down, right)))
            })
        }) {
            let place = |at: usize, tap: usize, size: usize| {
                (2 * at + tap).checked_sub(1).filter(|&place| place < 2 * size)
            };
            let (Some(down), Some(right)) = (place(row, tap_row, height), place(column, tap_column, width))
            else {
                continue;
            };
            for output in 0..outputs {
                for input in 0..inputs {
                    let weight = kernel[((tap_row * 5 + tap_column) * outputs + output) * inputs + input];
                    y[(output * 2 * height + down) * 2 * width + right] += x[input][row][column] * weight;
                }
            }
        }
        y
    }

    proptest! {
        #[test]
        fn a_step_up_is_a_transposed_convolution(
            (inputs, outputs) in (1_usize..5, 1_usize..5),
            (height, width) in (1_usize..9, 1_usize..9),
        ) {
            let (kernel, bias) = (noise(&[5, 5, outputs, inputs]), noise(&[outputs]));
            let x = noise(&[1, inputs, height, width]);
            let named = HashMap::from([
                ("conv2d_transpose.kernel".to_owned(), kernel.clone()),
                ("conv2d_transpose.bias".to_owned(), bias.clone()),
            ]);
            let vb = VarBuilder::from_tensors(named, DType::F32, &Device::Cpu);
            let deconv = Deconv::new(0, inputs, outputs, Activations::Elu, &vb).expect("a layer");
            let y = interlocked(&deconv.phases(&x).expect("phases")).expect("an image");
            let y: Vec<f32> = y.flatten_all().and_then(|flat| flat.to_vec1()).expect("values");
            let bias = bias.to_vec1::<f32>().expect("values");
            let expected = scattered(&x.squeeze(0).expect("one image"), &kernel, &bias);
            for (ours, expected) in y.iter().zip(&expected) {
                prop_assert!((ours - expected).abs() < 1e-4);
            }
        }
    }
}
