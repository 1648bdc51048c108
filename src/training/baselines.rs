//! CMMR and CBVMR on cached features: what they are asked with, and what they learn by.

use std::collections::BTreeSet;
use std::ops::Range;

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};

use super::heads::{Cut, Example, stack_music};
use super::learner::Learner;
use super::objective::Objective;
use super::ranking::{CbvmrLoss, CmmrLoss, inter_modal, intra_modal, tag_loss};
use super::sampler::Draw;
use super::variables::Variables;
use crate::error::{Error, ErrorKind, Result};
use crate::networks::cbvmr::{self, Cbvmr, Embedded, Norming, picture_statistics};
use crate::networks::cmmr::{self, Cmmr, Said};
use crate::retrieval::Metric;

/// How fast batch norm's running statistics follow the batches, as in PyTorch.
const MOMENTUM: f64 = 0.1;

/// Every tag of `items`, in order.
pub fn tag_names<'a>(items: impl Iterator<Item = &'a [String]>) -> Vec<String> {
    let names: BTreeSet<&String> = items.flatten().collect();
    names.into_iter().cloned().collect()
}

/// 1 for each of `names` that is among `tags`, else 0.
pub fn tag_targets(names: &[String], tags: &[String]) -> Vec<f32> {
    names
        .iter()
        .map(|name| f32::from(u8::from(tags.contains(name))))
        .collect()
}

/// The pictures of a batch, slow and fast rows stacked.
fn stack_pictures<'a>(cuts: impl Iterator<Item = &'a Cut>) -> Result<(Tensor, Tensor)> {
    let rows: Option<Vec<&(Tensor, Tensor)>> = cuts.map(|cut| cut.picture.as_ref()).collect();
    let rows = rows.ok_or_else(|| Error::internal("a cut has no picture"))?;
    let slow: Vec<&Tensor> = rows.iter().map(|(slow, _)| slow).collect();
    let fast: Vec<&Tensor> = rows.iter().map(|(_, fast)| fast).collect();
    Ok((Tensor::stack(&slow, 0)?, Tensor::stack(&fast, 0)?))
}

/// CMMR over cached features.
#[derive(Debug)]
pub struct CmmrStreams {
    network: Cmmr,
    loss: CmmrLoss,
    examples: Vec<Example>,
    /// Tags of each example [tags].
    targets: Vec<Tensor>,
    validation: Vec<Cut>,
}

impl CmmrStreams {
    /// The network on `variables`, the examples that [`Draw::item`] counts with the tags of each in the order of the
    /// config's, and the first cut of each validation item. Where the corpus has no tags (`tags` is `None`), the
    /// network's own judgement of each example's music, before training, stands for them.
    ///
    /// # Errors
    /// When a variable is missing or misshapen, or a cut has no picture.
    pub fn new(
        config: &cmmr::Config,
        variables: &Variables,
        examples: Vec<Example>,
        tags: Option<&[Vec<f32>]>,
        validation: Vec<Cut>,
    ) -> Result<Self> {
        let network = Cmmr::new(config, variables.builder())?;
        let targets = match tags {
            Some(tags) => tags
                .iter()
                .map(|tags| Ok(Tensor::new(tags.as_slice(), variables.device())?))
                .collect::<Result<_>>()?,
            None => examples
                .iter()
                .map(|example| {
                    let music = stack_music(example.cuts.iter().map(|cut| cut.bgms.first()))?;
                    let said = network.music(&music)?.tags.detach();
                    Ok(candle_nn::ops::sigmoid(&said)?.mean(0)?)
                })
                .collect::<Result<_>>()?,
        };
        Ok(Self {
            network,
            loss: CmmrLoss::default(),
            examples,
            targets,
            validation,
        })
    }

    fn cut(&self, draw: &Draw) -> &Cut {
        &self.examples[draw.item].cuts[draw.cut]
    }

    fn say(&self, batch: &[Draw]) -> Result<(Said, Said)> {
        let (slow, fast) = stack_pictures(batch.iter().map(|draw| self.cut(draw)))?;
        let music = stack_music(batch.iter().map(|draw| self.cut(draw).bgms.get(draw.bgm)))?;
        Ok((self.network.video(&slow, &fast)?, self.network.music(&music)?))
    }
}

impl Learner for CmmrStreams {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        let (video, music) = self.say(batch)?;
        Ok((video.embedding, music.embedding))
    }

    fn loss(&self, batch: &[Draw], objective: &Objective<'_>) -> Result<Tensor> {
        let (video, music) = self.say(batch)?;
        let targets: Vec<&Tensor> = batch.iter().map(|draw| &self.targets[draw.item]).collect();
        let targets = Tensor::stack(&targets, 0)?;
        let negatives = objective.negatives(batch, targets.device())?;
        // On the unit sphere a squared distance is 2 - 2 cos, so half the margin stands between the cosines.
        let ranking = inter_modal(
            &video.embedding,
            &music.embedding,
            &negatives,
            self.loss.margin / 2.0,
        )?;
        let tags = (tag_loss(&video.tags, &targets)? + tag_loss(&music.tags, &targets)?)?;
        Ok(((ranking * 2.0)? + (tags * self.loss.tags)?)?)
    }

    fn held_out(&self) -> usize {
        self.validation.len()
    }

    fn embed_held_out(&self, items: Range<usize>) -> Result<(Tensor, Tensor)> {
        let cuts = &self.validation[items];
        let (slow, fast) = stack_pictures(cuts.iter())?;
        let music = stack_music(cuts.iter().map(|cut| cut.bgms.first()))?;
        Ok((
            self.network.video(&slow, &fast)?.embedding.detach(),
            self.network.music(&music)?.embedding.detach(),
        ))
    }

    fn metric(&self) -> Metric {
        Metric::Cosine
    }

    fn width(&self) -> usize {
        self.network.config().d_e
    }
}

/// CBVMR over cached features; a sound is its music statistics, `[music_dim]`.
#[derive(Debug)]
pub struct CbvmrSides {
    network: Cbvmr,
    loss: CbvmrLoss,
    variables: Variables,
    examples: Vec<Statistics>,
    /// Statistics of picture and music of each validation item, [V, ..].
    validation: Option<(Tensor, Tensor)>,
}

/// Statistics of one item's cuts: its picture, and each rendering of its music.
type Statistics = Vec<(Tensor, Vec<Tensor>)>;

impl CbvmrSides {
    /// The network on `variables`, whose input scales are set from the examples, the examples that [`Draw::item`]
    /// counts, and the first cut of each validation item.
    ///
    /// # Errors
    /// When a variable is missing or misshapen, or a cut has no picture.
    pub fn new(
        config: &cbvmr::Config,
        variables: &Variables,
        examples: &[Example],
        validation: &[Cut],
    ) -> Result<Self> {
        let examples: Vec<Statistics> = examples
            .iter()
            .map(|example| {
                let (slow, fast) = stack_pictures(example.cuts.iter())?;
                let pictures = picture_statistics(&slow, &fast)?;
                let cuts = example.cuts.iter().enumerate();
                cuts.map(|(number, cut)| Ok((pictures.get(number)?, cut.bgms.clone())))
                    .collect()
            })
            .collect::<Result<_>>()?;
        let pictures: Vec<&Tensor> = examples.iter().flatten().map(|(picture, _)| picture).collect();
        let music: Vec<&Tensor> = examples.iter().flatten().flat_map(|(_, music)| music).collect();
        set_scale(variables, "video_scale", &pictures)?;
        set_scale(variables, "music_scale", &music)?;
        let validation = if validation.is_empty() {
            None
        } else {
            let (slow, fast) = stack_pictures(validation.iter())?;
            let music = stack_music(validation.iter().map(|cut| cut.bgms.first()))?;
            Some((picture_statistics(&slow, &fast)?, music))
        };
        Ok(Self {
            network: Cbvmr::new(config, variables.builder())?,
            loss: CbvmrLoss::default(),
            variables: variables.clone(),
            examples,
            validation,
        })
    }

    fn sides(&self, batch: &[Draw], norming: Norming) -> Result<(Embedded, Embedded)> {
        let cut = |draw: &Draw| &self.examples[draw.item][draw.cut];
        let pictures: Vec<&Tensor> = batch.iter().map(|draw| &cut(draw).0).collect();
        let music = stack_music(batch.iter().map(|draw| cut(draw).1.get(draw.bgm)))?;
        Ok((
            self.network.video(&Tensor::stack(&pictures, 0)?, norming)?,
            self.network.music(&music, norming)?,
        ))
    }

    fn loss_of(
        &self,
        batch: &[Draw],
        objective: &Objective<'_>,
        (video, music): &(Embedded, Embedded),
    ) -> Result<Tensor> {
        let negatives = objective.negatives(batch, video.embedding.device())?;
        let (v, m, loss) = (&video.embedding, &music.embedding, &self.loss);
        let terms = [
            (inter_modal(v, m, &negatives, loss.margin)?, loss.video_to_music),
            (inter_modal(m, v, &negatives, loss.margin)?, loss.music_to_video),
            (intra_modal(&video.scaled, v)?, loss.video_structure),
            (intra_modal(&music.scaled, m)?, loss.music_structure),
        ];
        let mut sum = terms[0].0.zeros_like()?;
        for (term, weight) in terms {
            sum = (sum + (term * weight)?)?;
        }
        Ok(sum)
    }

    /// Lets the running statistics of one side follow a batch.
    fn follow(&self, norm: &str, (mean, var): &(Tensor, Tensor)) -> Result<()> {
        for (name, seen) in [("running_mean", mean), ("running_var", var)] {
            let name = format!("{norm}.{name}");
            let running = self.variables.get(&name)?.detach();
            self.variables
                .set(&name, &((running * (1.0 - MOMENTUM))? + (seen * MOMENTUM)?)?)?;
        }
        Ok(())
    }
}

/// Mean and variance of each input over the training set.
fn set_scale(variables: &Variables, name: &str, rows: &[&Tensor]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = Tensor::stack(rows, 0)?.to_dtype(DType::F32)?;
    let mean = rows.mean(0)?;
    let var = rows.broadcast_sub(&mean)?.sqr()?.mean(0)?;
    if !var.sum_all()?.to_scalar::<f32>()?.is_finite() {
        return Err(Error::new(
            ErrorKind::Input,
            "the statistics of a clip are not finite, so CBVMR cannot be trained; look the corpus over with corpus check",
        ));
    }
    variables.set(&format!("{name}.running_mean"), &mean)?;
    variables.set(&format!("{name}.running_var"), &var)
}

impl Learner for CbvmrSides {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        let (video, music) = self.sides(batch, Norming::Running)?;
        Ok((video.embedding, music.embedding))
    }

    fn loss(&self, batch: &[Draw], objective: &Objective<'_>) -> Result<Tensor> {
        self.loss_of(batch, objective, &self.sides(batch, Norming::Batch)?)
    }

    fn gradients(&self, batch: &[Draw], objective: &Objective<'_>) -> Result<(Tensor, GradStore)> {
        let sides = self.sides(batch, Norming::Batch)?;
        let loss = self.loss_of(batch, objective, &sides)?;
        let gradients = loss.backward()?;
        self.follow("video_norm", &sides.0.moments)?;
        self.follow("music_norm", &sides.1.moments)?;
        Ok((loss, gradients))
    }

    fn held_out(&self) -> usize {
        self.validation
            .as_ref()
            .map_or(0, |(pictures, _)| pictures.dims()[0])
    }

    fn embed_held_out(&self, items: Range<usize>) -> Result<(Tensor, Tensor)> {
        let Some((pictures, music)) = &self.validation else {
            return Err(Error::internal("there are no validation items to embed"));
        };
        let some = |rows: &Tensor| rows.narrow(0, items.start, items.len());
        let video = self.network.video(&some(pictures)?, Norming::Running)?;
        let music = self.network.music(&some(music)?, Norming::Running)?;
        Ok((video.embedding.detach(), music.embedding.detach()))
    }

    fn metric(&self) -> Metric {
        Metric::Cosine
    }

    fn width(&self) -> usize {
        self.network.config().d_e
    }
}
