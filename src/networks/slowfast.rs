//! SlowFast (Feichtenhofer et al., ICCV 2019; reference: PyTorchVideo `create_slowfast`).

use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// 50 or 101.
    pub depth: usize,
    /// Multiplies all channel widths.
    pub width: f64,
    /// Fast frames per slow frame.
    pub alpha: usize,
    /// Slow channels per fast channel.
    pub beta_inv: usize,
    /// Temporal kernel of the lateral connections: 5 (R50 4x16, R101 8x8) or 7 (R50 8x8).
    pub fusion_kernel: usize,
    /// Temporal stride of the lateral connections, equal to alpha of the clip.
    pub fusion_stride: usize,
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
        }
    }
}

/// The two pathways up to res5, without the head.
#[derive(Debug)]
pub struct SlowFast {}

impl SlowFast {
    /// Builds the network from PyTorchVideo's parameter names.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let _ = (config, vb);
        crate::error::unbuilt("SlowFast")
    }

    /// # Shapes
    /// `slow` [B, 3, 8, 224, 224], `fast` [B, 3, 64, 224, 224] (normalised: mean 0.45, std 0.225) ->
    /// slow [B, 8, 2048 width], fast [B, 64, 256 width], averaged over space.
    ///
    /// # Errors
    /// When the device fails.
    pub fn forward(&self, slow: &Tensor, fast: &Tensor) -> Result<(Tensor, Tensor)> {
        let _ = (slow, fast);
        crate::error::unbuilt("SlowFast")
    }
}

/// The times in seconds of the fast frames of a clip: (i + 0.5) / 2 for 64 frames of 32 s,
/// relative to the clip's start.
pub fn fast_times_s() -> [f64; 64] {
    std::array::from_fn(|i| (i as f64 + 0.5) / 2.0)
}

/// Which fast frames are the slow ones: trunc(linspace(0, 63, 8)), as PySlowFast picks.
pub fn slow_indices() -> [usize; 8] {
    std::array::from_fn(|i| (i as f64 * 63.0 / 7.0) as usize)
}
