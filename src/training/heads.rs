//! MRCMV's own modules on cached features: the scope in which SlowFast and VGGish stay as they are.
//!
//! The paper cuts each video anew in every epoch. Features of an arbitrary cut need both networks again, so here an
//! item brings a handful of random cuts, drawn once, and each epoch draws one of them.

use candle_core::Tensor;

use super::sampler::{Absent, CutShape, Draw, ItemShape};
use super::trainer::Learner;
use super::variables::Variables;
use crate::error::{Error, Result};
use crate::networks::mrcmv::{Config, Mrcmv, Norm, QueryInput};
use crate::retrieval::Metric;

/// Cached features of one 32 s cut.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Start in the video, seconds.
    pub start_s: f64,
    /// SlowFast rows, slow [8, slow_dim] and fast [64, fast_dim].
    pub picture: Option<(Tensor, Tensor)>,
    /// VGGish rows [72, 128] of each rendering of the voice; none without voice.
    pub voices: Vec<Tensor>,
    /// VGGish rows [72, 128] of each rendering of the BGM; at least one.
    pub bgms: Vec<Tensor>,
}

/// Cached features of one item.
#[derive(Debug, Clone)]
pub struct Example {
    /// Identity of the video.
    pub video: usize,
    /// Identity of the BGM track.
    pub bgm: usize,
    /// Length of the video, seconds.
    pub duration_s: f64,
    /// Its cuts; at least one.
    pub cuts: Vec<Cut>,
}

impl Example {
    /// What the sampler must know.
    pub fn shape(&self) -> ItemShape {
        ItemShape {
            video: self.video,
            bgm: self.bgm,
            duration_s: self.duration_s,
            cuts: self
                .cuts
                .iter()
                .map(|cut| CutShape {
                    start_s: cut.start_s,
                    picture: cut.picture.is_some(),
                    voices: cut.voices.len(),
                    bgms: cut.bgms.len(),
                })
                .collect(),
        }
    }
}

/// MRCMV over cached features.
#[derive(Debug)]
pub struct Heads {
    network: Mrcmv,
    config: Config,
    examples: Vec<Example>,
    validation: Vec<Cut>,
}

impl Heads {
    /// The network on `variables`, the examples that [`Draw::item`] counts, and the first cut of each validation item.
    ///
    /// # Errors
    /// When a variable is missing or misshapen.
    pub fn new(
        config: &Config,
        variables: &Variables,
        examples: Vec<Example>,
        validation: Vec<Cut>,
    ) -> Result<Self> {
        Ok(Self {
            network: Mrcmv::new(config, variables.builder())?,
            config: config.clone(),
            examples,
            validation,
        })
    }

    /// E_J of queries that may lack a modality, in their order.
    fn query(&self, cuts: &[(&Cut, usize, Absent)]) -> Result<Tensor> {
        let mut order = Vec::with_capacity(cuts.len());
        let mut parts = Vec::new();
        for absent in [Absent::Nothing, Absent::Voice, Absent::Picture] {
            let group: Vec<usize> = (0..cuts.len()).filter(|&index| cuts[index].2 == absent).collect();
            if !group.is_empty() {
                let members: Vec<(&Cut, usize)> = group
                    .iter()
                    .map(|&index| (cuts[index].0, cuts[index].1))
                    .collect();
                let input = QueryInput {
                    picture: (absent != Absent::Picture)
                        .then(|| pictures(&members))
                        .transpose()?,
                    voice: (absent != Absent::Voice).then(|| voices(&members)).transpose()?,
                };
                parts.push(self.network.query(&input, 0.0)?.embedding);
                order.extend(group);
            }
        }
        let embeddings = Tensor::cat(&parts, 0)?;
        let mut place = vec![0u32; order.len()];
        for (at, &index) in order.iter().enumerate() {
            place[index] = at as u32;
        }
        Ok(embeddings.index_select(&Tensor::new(place, embeddings.device())?, 0)?)
    }
}

fn pictures(cuts: &[(&Cut, usize)]) -> Result<(Tensor, Tensor)> {
    let rows: Vec<&(Tensor, Tensor)> = cuts.iter().filter_map(|(cut, _)| cut.picture.as_ref()).collect();
    let slow: Vec<&Tensor> = rows.iter().map(|(slow, _)| slow).collect();
    let fast: Vec<&Tensor> = rows.iter().map(|(_, fast)| fast).collect();
    Ok((Tensor::stack(&slow, 0)?, Tensor::stack(&fast, 0)?))
}

fn voices(cuts: &[(&Cut, usize)]) -> Result<Tensor> {
    let rows: Vec<&Tensor> = cuts
        .iter()
        .filter_map(|(cut, voice)| cut.voices.get(*voice))
        .collect();
    Ok(Tensor::stack(&rows, 0)?)
}

impl Learner for Heads {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        let cuts: Vec<(&Cut, usize, Absent)> = batch
            .iter()
            .map(|draw| (&self.examples[draw.item].cuts[draw.cut], draw.voice, draw.absent))
            .collect();
        let bgms: Vec<&Tensor> = batch
            .iter()
            .map(|draw| &self.examples[draw.item].cuts[draw.cut].bgms[draw.bgm])
            .collect();
        Ok((self.query(&cuts)?, self.network.bgm(&Tensor::stack(&bgms, 0)?)?))
    }

    fn embed_validation(&self) -> Result<Option<(Tensor, Tensor)>> {
        if self.validation.is_empty() {
            return Ok(None);
        }
        let cuts: Vec<(&Cut, usize, Absent)> =
            self.validation.iter().map(|cut| (cut, 0, whole(cut))).collect();
        let bgms: Option<Vec<&Tensor>> = self.validation.iter().map(|cut| cut.bgms.first()).collect();
        let bgms = bgms.ok_or_else(|| Error::internal("a validation item has no music"))?;
        Ok(Some((
            self.query(&cuts)?.detach(),
            self.network.bgm(&Tensor::stack(&bgms, 0)?)?.detach(),
        )))
    }

    fn metric(&self) -> Metric {
        match self.config.norm {
            Norm::Unit | Norm::SqrtDim => Metric::Cosine,
            Norm::None => Metric::L2,
        }
    }

    fn width(&self) -> usize {
        self.config.d_e
    }
}

/// What a cut lacks by itself.
fn whole(cut: &Cut) -> Absent {
    if cut.voices.is_empty() {
        Absent::Voice
    } else if cut.picture.is_none() {
        Absent::Picture
    } else {
        Absent::Nothing
    }
}
