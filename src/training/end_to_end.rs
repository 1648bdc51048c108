//! Heads and feature networks together: all parameters "including the feature extraction parts" (3.3 of the paper), or
//! only the last stages of the feature networks.
//!
//! The losses need a whole batch at once, the feature networks need a gigabyte of activations a clip. So a step runs the
//! feature networks clip by clip without keeping anything, takes the loss and its gradients down to the rows that they
//! gave, and then runs them clip by clip again, each time sending the gradient of that clip's rows on. The sum over the
//! clips is the gradient of the batch, exactly: nothing in the feature networks looks across clips, since their batch
//! norms keep the statistics they came with.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};

use super::heads::{Cut, Example, Query, embed_queries, metric_of, stack_music};
use super::learner::Learner;
use super::objective::Objective;
use super::sampler::{Absent, Draw};
use super::variables::Variables;
use crate::error::{Error, Result};
use crate::networks::mrcmv::{self, Mrcmv};
use crate::networks::slowfast::{self, SlowFast, normalised, slow_frames};
use crate::networks::vggish::{self, Vggish};
use crate::retrieval::Metric;

/// A tensor on disk, read when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The safetensors file.
    pub file: PathBuf,
    /// The tensor's name in it.
    pub name: &'static str,
}

impl Stored {
    /// Reads it.
    ///
    /// # Errors
    /// When the file is gone or damaged.
    pub fn load(&self, device: &Device) -> Result<Tensor> {
        self.load_with_chroma(device).map(|(tensor, _)| tensor)
    }

    /// Reads it and, where the file has a tensor called "NAME chroma", the chroma of these patches.
    ///
    /// # Errors
    /// As [`Stored::load`].
    pub fn load_with_chroma(&self, device: &Device) -> Result<(Tensor, Option<Tensor>)> {
        let found = candle_core::safetensors::load(&self.file, device);
        found
            .ok()
            .and_then(|mut tensors| {
                let chroma = tensors.remove(&format!("{} chroma", self.name));
                Some((tensors.remove(self.name)?, chroma))
            })
            .ok_or_else(|| {
                Error::input(
                    &self.file,
                    "has vanished from the cache or is damaged; resume the run, which makes it again",
                )
            })
    }
}

/// Configs of the networks that are trained together.
#[derive(Debug, Clone)]
pub struct Together {
    /// The heads.
    pub mrcmv: mrcmv::Config,
    /// Of the picture.
    pub slowfast: slowfast::Config,
    /// Of the voice.
    pub vggish_voice: vggish::Config,
    /// Of the BGM; unused where the heads' config shares one VGGish.
    pub vggish_bgm: vggish::Config,
}

impl Together {
    /// Where the parameters of SlowFast stand among the variables.
    pub const SLOWFAST: &str = "slowfast";
    /// Where those of the voice's VGGish stand.
    pub const VGGISH_VOICE: &str = "vggish_voice";
    /// Where those of the BGM's VGGish stand, unless it is the voice's.
    pub const VGGISH_BGM: &str = "vggish_bgm";
}

/// A picture is its frames as bytes [3, 64, H, W], a sound its log-mel patches [72, 1, 96, 64].
type RawCut = Cut<Stored, Stored>;

/// The whole network over raw clips.
#[derive(Debug)]
pub struct EndToEnd {
    heads: Mrcmv,
    slowfast: SlowFast,
    vggish_voice: Vggish,
    /// `None` where it is the voice's.
    vggish_bgm: Option<Vggish>,
    variables: Variables,
    examples: Vec<Example<Stored, Stored>>,
    validation: Vec<RawCut>,
}

/// Rows of one pair, and whether a gradient can flow through them.
struct Rows {
    picture: Option<(Tensor, Tensor)>,
    voice: Option<Tensor>,
    bgm: Tensor,
}

/// One pair of raw clips.
struct Pair<'a> {
    picture: Option<&'a Stored>,
    voice: Option<&'a Stored>,
    bgm: &'a Stored,
}

impl<'a> Pair<'a> {
    fn of(cut: &'a RawCut, voice: usize, bgm: usize, absent: Absent) -> Result<Self> {
        Ok(Self {
            picture: cut.picture.as_ref().filter(|_| absent != Absent::Picture),
            voice: cut.voices.get(voice).filter(|_| absent != Absent::Voice),
            bgm: cut
                .bgms
                .get(bgm)
                .ok_or_else(|| Error::internal("a cut has no music"))?,
        })
    }
}

impl EndToEnd {
    /// The networks on `variables` and, where there is none of a name, on `constants`: heads by their own names,
    /// feature networks below [`Together`]'s.
    ///
    /// # Errors
    /// When a parameter is missing or misshapen.
    pub fn new(
        configs: &Together,
        variables: &Variables,
        constants: HashMap<String, Tensor>,
        examples: Vec<Example<Stored, Stored>>,
        validation: Vec<RawCut>,
    ) -> Result<Self> {
        let vb = variables.builder_with(constants);
        let vggish = |config: &vggish::Config, name: &str| Vggish::new(config, vb.pp(name));
        Ok(Self {
            heads: Mrcmv::new(&configs.mrcmv, vb.clone())?,
            slowfast: SlowFast::new(&configs.slowfast, vb.pp(Together::SLOWFAST))?,
            vggish_voice: vggish(&configs.vggish_voice, Together::VGGISH_VOICE)?,
            vggish_bgm: (!configs.mrcmv.share)
                .then(|| vggish(&configs.vggish_bgm, Together::VGGISH_BGM))
                .transpose()?,
            variables: variables.clone(),
            examples,
            validation,
        })
    }

    fn pair(&self, draw: &Draw) -> Result<Pair<'_>> {
        Pair::of(
            &self.examples[draw.item].cuts[draw.cut],
            draw.voice,
            draw.bgm,
            draw.absent,
        )
    }

    /// The feature networks on one pair.
    fn rows(&self, pair: &Pair<'_>) -> Result<Rows> {
        let device = self.variables.device();
        let picture = pair
            .picture
            .map(|frames| -> Result<(Tensor, Tensor)> {
                let fast = normalised(&frames.load(device)?)?;
                let (slow, fast) = self.slowfast.forward(&slow_frames(&fast)?, &fast)?;
                Ok((slow.squeeze(0)?, fast.squeeze(0)?))
            })
            .transpose()?;
        let voice = pair
            .voice
            .map(|patches| heard(&self.vggish_voice, patches, device))
            .transpose()?;
        let vggish_bgm = self.vggish_bgm.as_ref().unwrap_or(&self.vggish_voice);
        let bgm = heard(vggish_bgm, pair.bgm, device)?;
        Ok(Rows { picture, voice, bgm })
    }

    /// Rows of each pair, cut off from the networks that gave them.
    fn detached(&self, pairs: &[Pair<'_>]) -> Result<Vec<Rows>> {
        pairs
            .iter()
            .map(|pair| self.rows(pair)?.map(|tensor| Ok(tensor.detach())))
            .collect()
    }

    fn heads(&self, rows: &[Rows]) -> Result<(Tensor, Tensor)> {
        let queries: Vec<Query<'_>> = rows
            .iter()
            .map(|rows| Query {
                picture: rows.picture.as_ref(),
                voice: rows.voice.as_ref(),
            })
            .collect();
        let music = stack_music(rows.iter().map(|rows| Some(&rows.bgm)))?;
        Ok((embed_queries(&self.heads, &queries)?, self.heads.bgm(&music)?))
    }
}

/// The rows that `vggish` gives of stored patches.
fn heard(vggish: &Vggish, patches: &Stored, device: &Device) -> Result<Tensor> {
    let (patches, chroma) = patches.load_with_chroma(device)?;
    vggish.rows(&patches, chroma.as_ref())
}

impl Rows {
    fn map(self, change: impl Fn(Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(Self {
            picture: self
                .picture
                .map(|(slow, fast)| Ok::<_, Error>((change(slow)?, change(fast)?)))
                .transpose()?,
            voice: self.voice.map(&change).transpose()?,
            bgm: change(self.bgm)?,
        })
    }

    fn iter(&self) -> impl Iterator<Item = &Tensor> {
        let picture = self.picture.iter().flat_map(|(slow, fast)| [slow, fast]);
        picture.chain(&self.voice).chain([&self.bgm])
    }
}

impl Learner for EndToEnd {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        let pairs: Vec<Pair<'_>> = batch.iter().map(|draw| self.pair(draw)).collect::<Result<_>>()?;
        self.heads(&self.detached(&pairs)?)
    }

    fn gradients(&self, batch: &[Draw], objective: &Objective<'_>) -> Result<(Tensor, GradStore)> {
        let pairs: Vec<Pair<'_>> = batch.iter().map(|draw| self.pair(draw)).collect::<Result<_>>()?;
        let leaf = |tensor: Tensor| Ok(Var::from_tensor(&tensor)?.into_inner());
        let leaves = self
            .detached(&pairs)?
            .into_iter()
            .map(|rows| rows.map(leaf))
            .collect::<Result<Vec<_>>>()?;
        let (joint, bgm) = self.heads(&leaves)?;
        let loss = objective.loss(&joint, &bgm, batch)?;
        let mut gradients = loss.backward()?;
        for (pair, leaves) in pairs.iter().zip(&leaves) {
            let rows = self.rows(pair)?;
            let mut sent: Option<Tensor> = None;
            for (row, leaf) in rows.iter().zip(leaves.iter()) {
                if let Some(gradient) = gradients.remove(leaf) {
                    let term = (row * gradient.detach())?.sum_all()?;
                    sent = Some(match sent {
                        Some(sum) => (sum + term)?,
                        None => term,
                    });
                }
            }
            let Some(sent) = sent.filter(Tensor::track_op) else {
                continue;
            };
            let mut below = sent.backward()?;
            for (_, variable) in self.variables.iter() {
                if let Some(gradient) = below.remove(variable) {
                    let sum = match gradients.remove(variable) {
                        Some(sum) => (sum + gradient)?,
                        None => gradient,
                    };
                    gradients.insert(variable, sum);
                }
            }
        }
        Ok((loss, gradients))
    }

    fn held_out(&self) -> usize {
        self.validation.len()
    }

    fn embed_held_out(&self, items: Range<usize>) -> Result<(Tensor, Tensor)> {
        let pairs: Vec<Pair<'_>> = self.validation[items]
            .iter()
            .map(|cut| Pair::of(cut, 0, 0, Absent::Nothing))
            .collect::<Result<_>>()?;
        let (joint, bgm) = self.heads(&self.detached(&pairs)?)?;
        Ok((joint.detach(), bgm.detach()))
    }

    fn metric(&self) -> Metric {
        metric_of(self.heads.config().norm)
    }

    fn width(&self) -> usize {
        self.heads.config().d_e
    }
}
