//! MRCMV's own modules: self- and cross-modal attention, fusion gate, embeddings (eq. 1-4 of the
//! paper; reading in the project's notes, points 4-6 and 8).

use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// How an embedding is normalised (reading, point 6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// To the unit sphere; ranked by cosine.
    Unit,
    /// To norm sqrt(d_E); ranked by cosine.
    #[default]
    SqrtDim,
    /// Not at all; ranked by L2.
    None,
}

/// Where audio rows are averaged to T (reading, point 4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// SA and CMA see all 72 rows.
    #[default]
    BeforeGate,
    /// SA and CMA see T rows.
    BeforeSa,
}

/// Shape and switches of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Channels of the slow pathway after res5.
    pub slow_dim: usize,
    /// Channels of the fast pathway after res5.
    pub fast_dim: usize,
    /// Model width d.
    pub d: usize,
    /// Attention heads N_h.
    pub heads: usize,
    /// Time steps T at the gate.
    pub steps: usize,
    /// Embedding width d_E.
    pub d_e: usize,
    /// Self-attention; off = identity, in the BGM branch too.
    pub sa: bool,
    /// Cross-modal attention; off = identity.
    pub cma: bool,
    /// Fusion gate; off = plain sum.
    pub gate: bool,
    /// Where audio rows are averaged.
    pub pool: Pool,
    /// How embeddings are normalised.
    pub norm: Norm,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slow_dim: 2048,
            fast_dim: 256,
            d: 128,
            heads: 8,
            steps: 8,
            d_e: 512,
            sa: true,
            cma: true,
            gate: true,
            pool: Pool::default(),
            norm: Norm::default(),
        }
    }
}

/// One modality of a batch of queries may be absent.
#[derive(Debug, Clone)]
pub struct QueryInput {
    /// SlowFast rows: slow [B, 8, slow_dim] and fast [B, 64, fast_dim].
    pub picture: Option<(Tensor, Tensor)>,
    /// VGGish rows of the voice-over [B, 72, 128].
    pub voice: Option<Tensor>,
}

/// What the query branch gives.
#[derive(Debug, Clone)]
pub struct QueryOutput {
    /// E_J [B, d_E].
    pub embedding: Tensor,
    /// |g_S o S| / (|g_F o F| + |g_S o S|) [B]; 0.5-free: NaN where both are zero (reading, point 14).
    pub voice_share: Tensor,
}

/// The network.
#[derive(Debug)]
pub struct Mrcmv {}

impl Mrcmv {
    /// Builds the network; parameter names are `video_fc`, `sa_video`, `sa_voice`, `sa_bgm`,
    /// `cma_video`, `cma_voice` (each `wq`, `wk`, `wv`, `wo`), `gate`, `query_fc`, `bgm_fc`,
    /// `absent_voice`, `absent_video`.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let _ = (config, vb);
        crate::error::unbuilt("MRCMV")
    }

    /// The joint embedding (3.1). `balance` scales the two gated terms before they are summed: -1
    /// picture only, 0 as trained, +1 voice only.
    ///
    /// # Errors
    /// When both modalities are absent or the device fails.
    pub fn query(&self, input: &QueryInput, balance: f64) -> Result<QueryOutput> {
        let _ = (input, balance);
        crate::error::unbuilt("MRCMV")
    }

    /// The BGM embedding (3.2).
    ///
    /// # Shapes
    /// `vggish` [B, 72, 128] -> [B, d_E].
    ///
    /// # Errors
    /// When the device fails.
    pub fn bgm(&self, vggish: &Tensor) -> Result<Tensor> {
        let _ = vggish;
        crate::error::unbuilt("MRCMV")
    }

    /// The config it was built with.
    ///
    /// # Errors
    /// None once built.
    pub fn config(&self) -> Result<&Config> {
        crate::error::unbuilt("MRCMV")
    }
}
