//! MRCMV's own modules on cached features: the scope in which SlowFast and VGGish stay as they are.
//!
//! The paper cuts each video anew in every epoch. Features of an arbitrary cut need both networks again, so here an
//! item brings a handful of random cuts, drawn once, and each epoch draws one of them.

use std::ops::Range;

use candle_core::Tensor;

use super::learner::Learner;
use super::sampler::{Absent, CutShape, Draw, ItemShape};
use super::variables::Variables;
use crate::error::{Error, Result};
use crate::networks::mrcmv::{Config, Mrcmv, Norm, Presence, QueryInput};
use crate::retrieval::Metric;

/// Features of one 32 s cut: of its picture `P` the SlowFast rows, slow [8, slow_dim] and fast [64, fast_dim], and of a
/// sound `S` the VGGish rows [72, 128], unless the system takes others.
#[derive(Debug, Clone)]
pub struct Cut<P = (Tensor, Tensor), S = Tensor> {
    /// Start in the video, seconds.
    pub start_s: f64,
    /// The picture.
    pub picture: Option<P>,
    /// Each rendering of the voice; none without voice.
    pub voices: Vec<S>,
    /// Each rendering of the BGM; at least one.
    pub bgms: Vec<S>,
}

/// Features of one item.
#[derive(Debug, Clone)]
pub struct Example<P = (Tensor, Tensor), S = Tensor> {
    /// Identity of the video.
    pub video: usize,
    /// Identity of the BGM track.
    pub bgm: usize,
    /// Length of the video, seconds.
    pub duration_s: f64,
    /// Its cuts; at least one.
    pub cuts: Vec<Cut<P, S>>,
}

impl<P, S> Example<P, S> {
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
}

/// One query of a batch: a picture's rows, a voice's rows, either of which may be absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    pub(super) picture: Option<&'a (Tensor, Tensor)>,
    pub(super) voice: Option<&'a Tensor>,
}

impl<'a> Query<'a> {
    fn of(cut: &'a Cut, voice: usize, absent: Absent) -> Self {
        Self {
            picture: cut.picture.as_ref().filter(|_| absent != Absent::Picture),
            voice: cut.voices.get(voice).filter(|_| absent != Absent::Voice),
        }
    }
}

/// E_J of queries that may lack a modality, in their order.
pub(super) fn embed_queries(network: &Mrcmv, queries: &[Query<'_>]) -> Result<Tensor> {
    let voices: Vec<Option<&Tensor>> = queries.iter().map(|query| query.voice).collect();
    let slow: Vec<Option<&Tensor>> = queries
        .iter()
        .map(|query| query.picture.map(|(slow, _)| slow))
        .collect();
    let fast: Vec<Option<&Tensor>> = queries
        .iter()
        .map(|query| query.picture.map(|(_, fast)| fast))
        .collect();
    let input = QueryInput {
        picture: stacked(&slow)?.zip(stacked(&fast)?),
        voice: stacked(&voices)?,
    };
    let present = Presence {
        picture: mask(&slow)?,
        voice: mask(&voices)?,
    };
    Ok(network.query_present(&input, &present, 0.0)?.embedding)
}

/// The music of each cut of a batch, stacked.
pub(super) fn stack_music<'a>(rows: impl Iterator<Item = Option<&'a Tensor>>) -> Result<Tensor> {
    let rows: Option<Vec<&Tensor>> = rows.collect();
    let rows = rows.ok_or_else(|| Error::internal("a cut has no music"))?;
    Ok(Tensor::stack(&rows, 0)?)
}

/// How embeddings of one norm are compared.
pub(super) fn metric_of(norm: Norm) -> Metric {
    match norm {
        Norm::Unit | Norm::SqrtDim => Metric::Cosine,
        Norm::None => Metric::L2,
    }
}

/// Rows of a batch, zeros where they are absent; `None` where all are.
fn stacked(rows: &[Option<&Tensor>]) -> Result<Option<Tensor>> {
    let Some(any) = rows.iter().flatten().next() else {
        return Ok(None);
    };
    let nothing = any.zeros_like()?;
    let rows: Vec<&Tensor> = rows.iter().map(|rows| rows.unwrap_or(&nothing)).collect();
    Ok(Some(Tensor::stack(&rows, 0)?))
}

/// 1 where rows are present; `None` where all are, or none.
fn mask(rows: &[Option<&Tensor>]) -> Result<Option<Tensor>> {
    let Some(any) = rows.iter().flatten().next() else {
        return Ok(None);
    };
    if rows.iter().all(Option::is_some) {
        return Ok(None);
    }
    let present: Vec<f32> = rows
        .iter()
        .map(|rows| f32::from(u8::from(rows.is_some())))
        .collect();
    Ok(Some(Tensor::new(present, any.device())?))
}

impl Learner for Heads {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        let cut = |draw: &Draw| &self.examples[draw.item].cuts[draw.cut];
        let queries: Vec<Query<'_>> = batch
            .iter()
            .map(|draw| Query::of(cut(draw), draw.voice, draw.absent))
            .collect();
        let music = stack_music(batch.iter().map(|draw| cut(draw).bgms.get(draw.bgm)))?;
        Ok((embed_queries(&self.network, &queries)?, self.network.bgm(&music)?))
    }

    fn held_out(&self) -> usize {
        self.validation.len()
    }

    fn embed_held_out(&self, items: Range<usize>) -> Result<(Tensor, Tensor)> {
        let cuts = &self.validation[items];
        let queries: Vec<Query<'_>> = cuts
            .iter()
            .map(|cut| Query::of(cut, 0, Absent::Nothing))
            .collect();
        let music = stack_music(cuts.iter().map(|cut| cut.bgms.first()))?;
        let joint = embed_queries(&self.network, &queries)?.detach();
        Ok((joint, self.network.bgm(&music)?.detach()))
    }

    fn metric(&self) -> Metric {
        metric_of(self.config.norm)
    }

    fn width(&self) -> usize {
        self.config.d_e
    }
}
