//! VGGish (Hershey et al., ICASSP 2017; reference: torchvggish).

use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Multiplies all widths but the final 128.
    pub width: f64,
    /// ReLU after the last layer, as the torchvggish family has and the original has not.
    pub relu_last: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            width: 1.0,
            relu_last: false,
        }
    }
}

/// The network.
#[derive(Debug)]
pub struct Vggish {}

impl Vggish {
    /// Builds the network from torchvggish's parameter names.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let _ = (config, vb);
        crate::error::unbuilt("VGGish")
    }

    /// # Shapes
    /// `patches` [N, 1, 96, 64] -> [N, 128].
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(&self, patches: &Tensor) -> Result<Tensor> {
        let _ = patches;
        crate::error::unbuilt("VGGish")
    }
}
