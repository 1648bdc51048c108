//! CMMR: two streams into one space, each held by emotion tags. The picture alone asks; the voice is not heard.
//!
//! Paper: Li and Kumar, *Query by Video: Cross-modal Music Retrieval*, ISMIR 2019. No code was published, and the MRCMV
//! paper, whose baseline this is, says only "two-stream". Reference: `tests/golden/baselines.py`, a twin written from
//! the description: each stream averages its network's rows over time, two fully connected layers lead into the common
//! space, and a third says the tags. All of it is trained together, tags too (`training::ranking`).
//!
//! `models run` gives it `slow` [B, 8, slow_dim], `fast` [B, 64, fast_dim] and `vggish_bgm` [B, 72, 128] and takes
//! `query_embedding`, `bgm_embedding` [B, d_E] and the logits `query_tags`, `bgm_tags` [B, tags].
//!
//! Parameters, as PyTorch's `Linear` names them: `video_hidden`, `video_out`, `video_tags`, `music_hidden`,
//! `music_out`, `music_tags`.

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use super::layers::Linear;
use super::mrcmv::{Norm, normalise};
use crate::error::{Error, Result};

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Channels of the slow pathway after res5.
    pub slow_dim: usize,
    /// Channels of the fast pathway after res5.
    pub fast_dim: usize,
    /// Width of the music's rows.
    pub music_dim: usize,
    /// Width of the hidden layers.
    pub hidden: usize,
    /// Embedding width d_E.
    pub d_e: usize,
    /// What the tag heads say, in their order.
    pub tags: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slow_dim: 2048,
            fast_dim: 256,
            music_dim: 128,
            hidden: 512,
            d_e: 512,
            tags: Vec::new(),
        }
    }
}

/// The network.
#[derive(Debug)]
pub struct Cmmr {
    config: Config,
    video: Stream,
    music: Stream,
}

/// What one stream says of its clips.
#[derive(Debug, Clone)]
pub struct Said {
    /// On the unit sphere, [B, d_E].
    pub embedding: Tensor,
    /// Logits of the tags [B, tags].
    pub tags: Tensor,
}

impl Cmmr {
    /// Builds the network.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen, or there are no tags.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        if config.tags.is_empty() {
            return Err(Error::pack(
                "a config of cmmr has no tags; its streams are held by them, so name at least one",
            ));
        }
        let stream = |inputs: usize, name: &str| Stream::new(config, inputs, name, &vb);
        Ok(Self {
            video: stream(config.slow_dim + config.fast_dim, "video")?,
            music: stream(config.music_dim, "music")?,
            config: config.clone(),
        })
    }

    /// # Shapes
    /// `slow` [B, 8, slow_dim], `fast` [B, 64, fast_dim].
    ///
    /// # Errors
    /// When a shape is not the config's or the device fails.
    pub fn video(&self, slow: &Tensor, fast: &Tensor) -> Result<Said> {
        self.video
            .forward(&Tensor::cat(&[slow.mean(1)?, fast.mean(1)?], D::Minus1)?)
    }

    /// # Shapes
    /// `rows` [B, 72, music_dim].
    ///
    /// # Errors
    /// When the shape is not the config's or the device fails.
    pub fn music(&self, rows: &Tensor) -> Result<Said> {
        self.music.forward(&rows.mean(1)?)
    }

    /// The config it was built with.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

#[derive(Debug)]
struct Stream {
    hidden: Linear,
    out: Linear,
    tags: Linear,
}

impl Stream {
    fn new(config: &Config, inputs: usize, name: &str, vb: &VarBuilder<'_>) -> Result<Self> {
        let layer = |inputs: usize, outputs: usize, part: &str| {
            Linear::new(inputs, outputs, &vb.pp(format!("{name}_{part}")))
        };
        Ok(Self {
            hidden: layer(inputs, config.hidden, "hidden")?,
            out: layer(config.hidden, config.d_e, "out")?,
            tags: layer(config.d_e, config.tags.len(), "tags")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Said> {
        let y = self.out.forward(&self.hidden.forward(x)?.relu()?)?;
        Ok(Said {
            tags: self.tags.forward(&y)?,
            embedding: normalise(&y, Norm::Unit)?,
        })
    }
}
