//! Spleeter's U-net (Hennequin et al., JOSS 2020; reference: `spleeter/model/functions/unet.py`).

use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Multiplies the filters 16, 32, 64, 128, 256, 512.
    pub width: f64,
    /// Stems, in the order of the checkpoint's variables.
    pub stems: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            width: 1.0,
            stems: vec!["voice".to_owned(), "bgm".to_owned()],
        }
    }
}

/// One U-net a stem.
#[derive(Debug)]
pub struct Spleeter {}

impl Spleeter {
    /// Builds the network from parameters named as TensorFlow's variables with `.` for `/`,
    /// in TensorFlow's layouts (`conv2d.kernel` [kh, kw, in, out],
    /// `conv2d_transpose.kernel` [kh, kw, out, in]).
    ///
    /// # Errors
    /// When a parameter is missing or misshapen.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let _ = (config, vb);
        crate::error::unbuilt("Spleeter")
    }

    /// # Shapes
    /// `magnitude` [B, 2, 512, 1024] (channel, frame, bin) -> one tensor of that shape per stem
    /// (sigmoid times input, before the ratio mask).
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(&self, magnitude: &Tensor) -> Result<Vec<Tensor>> {
        let _ = magnitude;
        crate::error::unbuilt("Spleeter")
    }
}
