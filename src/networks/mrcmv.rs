//! MRCMV's own modules: self- and cross-modal attention, fusion gate and embeddings.
//!
//! Paper: Li et al., *Deep Music Retrieval for Fine-Grained Videos by Exploiting Cross-Modal-Encoded Voice-Overs*,
//! SIGIR 2021, eq. 1-4. Reference: `tests/golden/mrcmv.py`, a twin written from the equations. Where the paper is
//! silent: d = 128, no bias, norm or feed-forward in the attention, `W_O` d x d; sigma of the gate is ReLU; audio rows
//! are averaged to T only where equal lengths are needed.
//!
//! Parameters, as PyTorch's `Linear` names them: `video_fc`, `sa_video`, `sa_voice`, `sa_bgm`, `cma_video`,
//! `cma_voice` (each `wq`, `wk`, `wv`, `wo`, the heads stacked), `gate`, `query_fc`, `bgm_fc`; and the rows that stand
//! for an absent modality, `absent_voice` and `absent_video` `[d]`, which a checkpoint may leave out.

use candle_core::{D, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

use super::layers::{Linear, scaled_softmax};
use super::weights::optional_parameter;
use crate::error::{Error, Result};

/// How an embedding is normalised (reading, point 6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// To the unit sphere; ranked by cosine.
    Unit,
    /// To norm sqrt(`d_E`); ranked by cosine.
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

/// Shape and switches of the network. A switch that this version does not know is refused, because the network would
/// silently be another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the paper's ablations"
)]
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
    /// Whether voice and BGM share one VGGish (reading, point 3).
    pub share: bool,
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
            share: false,
            norm: Norm::default(),
        }
    }
}

/// A batch of queries; one modality may be absent from all of them.
#[derive(Debug, Clone)]
pub struct QueryInput {
    /// SlowFast rows: slow [B, 8, slow_dim] and fast [B, 64, fast_dim].
    pub picture: Option<(Tensor, Tensor)>,
    /// VGGish rows of the voice-over [B, 72, 128].
    pub voice: Option<Tensor>,
}

/// Which queries of a batch have which modality: 1 or 0 for each `[B]`, `None` for all of them. Training drops
/// modalities with it (reading, point 8).
#[derive(Debug, Clone, Default)]
pub struct Presence {
    /// Queries with a picture.
    pub picture: Option<Tensor>,
    /// Queries with a voice-over.
    pub voice: Option<Tensor>,
}

/// What the query branch gives.
#[derive(Debug, Clone)]
pub struct QueryOutput {
    /// E_J [B, d_E].
    pub embedding: Tensor,
    /// |g_S o S| / (|g_F o F| + |g_S o S|) `[B]`, after the balance; an absent modality has no share, and NaN stands
    /// where both terms are zero (reading, point 14). No gradient flows through it.
    pub voice_share: Tensor,
}

/// What is shown the stages of a network by name.
pub type See<'a> = &'a mut dyn FnMut(&str, &Tensor);

/// The network.
#[derive(Debug)]
pub struct Mrcmv {
    config: Config,
    video_fc: Linear,
    sa_video: Option<Attention>,
    sa_voice: Option<Attention>,
    sa_bgm: Option<Attention>,
    cma_video: Option<Attention>,
    cma_voice: Option<Attention>,
    gate: Option<Linear>,
    query_fc: Linear,
    bgm_fc: Linear,
    absent_video: Option<Tensor>,
    absent_voice: Option<Tensor>,
}

impl Mrcmv {
    /// Builds the network; a module that the config leaves out has no parameters.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen, or the heads do not divide d.
    pub fn new(config: &Config, vb: VarBuilder<'_>) -> Result<Self> {
        let Config {
            d, heads, steps, d_e, ..
        } = *config;
        if heads == 0 || d % heads != 0 || steps == 0 {
            return Err(Error::pack(format!(
                "a config of mrcmv with d {d}, {heads} heads and {steps} steps fits no network; d must be a multiple of \
                 the heads"
            )));
        }
        let attention =
            |wanted: bool, name: &str| wanted.then(|| Attention::new(d, heads, &vb.pp(name))).transpose();
        let token = |name: &str| optional_parameter(&vb, d, name, Init::Const(0.0));
        Ok(Self {
            video_fc: Linear::new(config.fast_dim + config.slow_dim, d, &vb.pp("video_fc"))?,
            sa_video: attention(config.sa, "sa_video")?,
            sa_voice: attention(config.sa, "sa_voice")?,
            sa_bgm: attention(config.sa, "sa_bgm")?,
            cma_video: attention(config.cma, "cma_video")?,
            cma_voice: attention(config.cma, "cma_voice")?,
            gate: config
                .gate
                .then(|| Linear::new(2 * d, 2 * d, &vb.pp("gate")))
                .transpose()?,
            query_fc: Linear::new(steps * d, d_e, &vb.pp("query_fc"))?,
            bgm_fc: Linear::new(steps * d, d_e, &vb.pp("bgm_fc"))?,
            absent_video: token("absent_video")?,
            absent_voice: token("absent_voice")?,
            config: config.clone(),
        })
    }

    /// The joint embedding (3.1) of queries that all have the modalities of `input`.
    ///
    /// # Errors
    /// As [`Mrcmv::query_present`].
    pub fn query(&self, input: &QueryInput, balance: f64) -> Result<QueryOutput> {
        self.query_present(input, &Presence::default(), balance)
    }

    /// The joint embedding (3.1). `balance` scales the two gated terms before they are summed: the picture's by
    /// min(1, 1 - balance), the voice's by min(1, 1 + balance); so -1 is picture only, 0 as trained, +1 voice only.
    ///
    /// # Errors
    /// When both modalities are absent, a shape is not the config's, or the device fails.
    pub fn query_present(&self, input: &QueryInput, present: &Presence, balance: f64) -> Result<QueryOutput> {
        self.query_seeing(input, present, balance, &mut |_, _| ())
    }

    /// As [`Mrcmv::query_present`], showing `see` each stage as it ends, by its parameters' path: `video_fc` [B, T, d];
    /// of each attention module its heads, before they are joined, as `sa_video.heads` [B, N_h, rows, d_k] and what it
    /// gives as `sa_video` [B, rows, d]; the weights of `gate` [B, T, 2 d].
    ///
    /// # Errors
    /// As [`Mrcmv::query_present`].
    pub fn query_seeing(
        &self,
        input: &QueryInput,
        present: &Presence,
        balance: f64,
        see: See<'_>,
    ) -> Result<QueryOutput> {
        let Config { steps, pool, d, .. } = self.config;
        let picture_rows = input.picture.as_ref().map(|(slow, _)| slow);
        let Some(any) = input.voice.as_ref().or(picture_rows) else {
            return Err(Error::internal(
                "a query has neither picture nor voice-over; give it one of them",
            ));
        };
        let batch = any.dim(0)?;
        let nothing = Tensor::zeros((batch, steps, d), any.dtype(), any.device())?;
        let nobody = Tensor::zeros(batch, any.dtype(), any.device())?;
        let (video, video_mask) = match &input.picture {
            Some((slow, fast)) => {
                let rows = Tensor::cat(&[&average(fast, steps)?, slow], D::Minus1)?;
                let rows = self.video_fc.forward(&rows)?;
                see("video_fc", &rows);
                (rows, present.picture.as_ref())
            }
            None => (nothing.clone(), Some(&nobody)),
        };
        let (voice, voice_mask) = match &input.voice {
            Some(rows) => (rows.clone(), present.voice.as_ref()),
            None => (nothing, Some(&nobody)),
        };
        let video = with_token(&video, video_mask, self.absent_video.as_ref())?;
        let voice = with_token(&voice, voice_mask, self.absent_voice.as_ref())?;
        let voice = match pool {
            Pool::BeforeGate => voice,
            Pool::BeforeSa => average(&voice, steps)?,
        };

        let video = attend("sa_video", self.sa_video.as_ref(), &video, &video, see)?;
        let voice = attend("sa_voice", self.sa_voice.as_ref(), &voice, &voice, see)?;
        let (video, voice) = (
            attend("cma_video", self.cma_video.as_ref(), &video, &voice, see)?,
            attend("cma_voice", self.cma_voice.as_ref(), &voice, &video, see)?,
        );
        let (video, voice) = self.gated(&video, &average(&voice, steps)?, see)?;

        let balance = balance.clamp(-1.0, 1.0);
        let video = (video * (1.0 - balance).min(1.0))?;
        let voice = (voice * (1.0 + balance).min(1.0))?;
        let embedding = self.query_fc.forward(&(&video + &voice)?.flatten_from(1)?)?;
        let (of_video, of_voice) = (magnitude(&video, video_mask)?, magnitude(&voice, voice_mask)?);
        Ok(QueryOutput {
            embedding: normalise(&embedding, self.config.norm)?,
            voice_share: (&of_voice / (of_video + &of_voice)?)?,
        })
    }

    /// The BGM embedding (3.2).
    ///
    /// # Shapes
    /// `vggish` [B, 72, 128] -> [B, d_E].
    ///
    /// # Errors
    /// When the shape is not the config's or the device fails.
    pub fn bgm(&self, vggish: &Tensor) -> Result<Tensor> {
        self.bgm_seeing(vggish, &mut |_, _| ())
    }

    /// As [`Mrcmv::bgm`], showing `see` the stages of `sa_bgm` as [`Mrcmv::query_seeing`] does.
    ///
    /// # Errors
    /// As [`Mrcmv::bgm`].
    pub fn bgm_seeing(&self, vggish: &Tensor, see: See<'_>) -> Result<Tensor> {
        let rows = match self.config.pool {
            Pool::BeforeGate => vggish.clone(),
            Pool::BeforeSa => average(vggish, self.config.steps)?,
        };
        let rows = attend("sa_bgm", self.sa_bgm.as_ref(), &rows, &rows, see)?;
        let embedding = self
            .bgm_fc
            .forward(&average(&rows, self.config.steps)?.flatten_from(1)?)?;
        normalise(&embedding, self.config.norm)
    }

    /// The config it was built with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The two terms of eq. 4; without a gate the features themselves.
    fn gated(&self, video: &Tensor, voice: &Tensor, see: See<'_>) -> Result<(Tensor, Tensor)> {
        let Some(gate) = &self.gate else {
            return Ok((video.clone(), voice.clone()));
        };
        let weights = gate.forward(&Tensor::cat(&[video, voice], D::Minus1)?)?.relu()?;
        see("gate", &weights);
        let d = self.config.d;
        Ok((
            (weights.narrow(D::Minus1, 0, d)? * video)?,
            (weights.narrow(D::Minus1, d, d)? * voice)?,
        ))
    }
}

/// The module chi of eq. 1 and 2, for all heads at once.
#[derive(Debug)]
struct Attention {
    heads: usize,
    wq: Linear,
    wk: Linear,
    wv: Linear,
    wo: Linear,
}

impl Attention {
    fn new(d: usize, heads: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let matrix = |name: &str| Linear::without_bias(d, d, &vb.pp(name));
        Ok(Self {
            heads,
            wq: matrix("wq")?,
            wk: matrix("wk")?,
            wv: matrix("wv")?,
            wo: matrix("wo")?,
        })
    }

    /// [B, N1, d], [B, N2, d] -> [B, N1, d]; `see` is shown the heads.
    fn forward(&self, i1: &Tensor, i2: &Tensor, see: impl FnOnce(&Tensor)) -> Result<Tensor> {
        let (batch, rows, d) = i1.dims3()?;
        let d_k = d / self.heads;
        let by_head = |x: Tensor| -> Result<Tensor> {
            let rows = x.dim(1)?;
            Ok(x.reshape((batch, rows, self.heads, d_k))?
                .transpose(1, 2)?
                .contiguous()?)
        };
        let q = by_head(self.wq.forward(i1)?)?;
        let k = by_head(self.wk.forward(i2)?)?;
        let v = by_head(self.wv.forward(i2)?)?;
        let scores = q.matmul(&k.t()?.contiguous()?)?;
        let attended = scaled_softmax(&scores, 1.0 / (d_k as f64).sqrt())?.matmul(&v)?;
        see(&attended);
        let joined = attended
            .transpose(1, 2)?
            .contiguous()?
            .reshape((batch, rows, d))?;
        Ok((i1 + self.wo.forward(&joined)?)?)
    }
}

/// An attention module that was left out is the identity.
fn attend(name: &str, module: Option<&Attention>, i1: &Tensor, i2: &Tensor, see: See<'_>) -> Result<Tensor> {
    let Some(module) = module else {
        return Ok(i1.clone());
    };
    let given = module.forward(i1, i2, |heads| see(&format!("{name}.heads"), heads))?;
    see(name, &given);
    Ok(given)
}

/// Rows of one modality in which the queries that lack it hold its token: `mask` [B] is 1 where a query has it.
fn with_token(rows: &Tensor, mask: Option<&Tensor>, token: Option<&Tensor>) -> Result<Tensor> {
    let Some(mask) = mask else {
        return Ok(rows.clone());
    };
    let mask = mask.reshape(((), 1, 1))?;
    let kept = rows.broadcast_mul(&mask)?;
    match token {
        Some(token) => {
            let absent = mask.affine(-1.0, 1.0)?;
            Ok(kept.broadcast_add(&absent.broadcast_mul(token)?)?)
        }
        None => Ok(kept),
    }
}

/// Means of neighbouring rows: [B, N, d] -> [B, `rows`, d].
fn average(x: &Tensor, rows: usize) -> Result<Tensor> {
    let (batch, length, d) = x.dims3()?;
    if length == rows {
        return Ok(x.clone());
    }
    if length % rows != 0 {
        return Err(Error::internal(format!(
            "{length} feature rows cannot be averaged to {rows}; give a multiple of {rows}"
        )));
    }
    Ok(x.contiguous()?
        .reshape((batch, rows, length / rows, d))?
        .mean(2)?)
}

pub(super) fn normalise(embedding: &Tensor, norm: Norm) -> Result<Tensor> {
    let length = match norm {
        Norm::None => return Ok(embedding.clone()),
        Norm::Unit => 1.0,
        Norm::SqrtDim => (embedding.dim(D::Minus1)? as f64).sqrt(),
    };
    // The floor keeps an embedding of zeros, and its gradient, finite.
    let norm = embedding.sqr()?.sum_keepdim(D::Minus1)?.maximum(1e-24)?.sqrt()?;
    Ok((embedding.broadcast_div(&norm)? * length)?)
}

/// Norm of each query's term [B, T, d] -> [B], nothing where the modality is absent.
fn magnitude(term: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let norm = term.detach().sqr()?.flatten_from(1)?.sum(1)?.sqrt()?;
    Ok(match mask {
        Some(mask) => (norm * mask.flatten_all()?)?,
        None => norm,
    })
}
