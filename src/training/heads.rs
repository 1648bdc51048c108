//! MRCMV's own modules on cached features: the scope in which SlowFast and VGGish stay as they are.
//!
//! The paper cuts each video anew in every epoch. Features of an arbitrary cut need both networks again, so here an
//! item brings a handful of random cuts, drawn once, and each epoch draws one of them.

use candle_core::Tensor;

use super::sampler::{Absent, CutShape, Draw, ItemShape};
use super::trainer::Learner;
use super::variables::Variables;
use crate::error::{Error, Result};
use crate::networks::mrcmv::{Config, Mrcmv, Norm, Presence, QueryInput};
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
    fn query(&self, queries: &[Query<'_>]) -> Result<Tensor> {
        let pictures: Vec<Option<&(Tensor, Tensor)>> = queries
            .iter()
            .map(|query| {
                query
                    .cut
                    .picture
                    .as_ref()
                    .filter(|_| query.absent != Absent::Picture)
            })
            .collect();
        let voices: Vec<Option<&Tensor>> = queries
            .iter()
            .map(|query| {
                query
                    .cut
                    .voices
                    .get(query.voice)
                    .filter(|_| query.absent != Absent::Voice)
            })
            .collect();
        let slow: Vec<Option<&Tensor>> = pictures.iter().map(|rows| rows.map(|(slow, _)| slow)).collect();
        let fast: Vec<Option<&Tensor>> = pictures.iter().map(|rows| rows.map(|(_, fast)| fast)).collect();
        let input = QueryInput {
            picture: stacked(&slow)?.zip(stacked(&fast)?),
            voice: stacked(&voices)?,
        };
        let present = Presence {
            picture: mask(&slow)?,
            voice: mask(&voices)?,
        };
        Ok(self.network.query_present(&input, &present, 0.0)?.embedding)
    }

    fn bgm<'a>(&self, rows: impl Iterator<Item = Option<&'a Tensor>>) -> Result<Tensor> {
        let rows: Option<Vec<&Tensor>> = rows.collect();
        let rows = rows.ok_or_else(|| Error::internal("a cut has no music"))?;
        self.network.bgm(&Tensor::stack(&rows, 0)?)
    }
}

/// One query of a batch.
struct Query<'a> {
    cut: &'a Cut,
    voice: usize,
    absent: Absent,
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
            .map(|draw| Query {
                cut: cut(draw),
                voice: draw.voice,
                absent: draw.absent,
            })
            .collect();
        let bgms = batch.iter().map(|draw| cut(draw).bgms.get(draw.bgm));
        Ok((self.query(&queries)?, self.bgm(bgms)?))
    }

    fn embed_validation(&self) -> Result<Option<(Tensor, Tensor)>> {
        if self.validation.is_empty() {
            return Ok(None);
        }
        let queries: Vec<Query<'_>> = self
            .validation
            .iter()
            .map(|cut| Query {
                cut,
                voice: 0,
                absent: Absent::Nothing,
            })
            .collect();
        let bgms = self.validation.iter().map(|cut| cut.bgms.first());
        Ok(Some((self.query(&queries)?.detach(), self.bgm(bgms)?.detach())))
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
