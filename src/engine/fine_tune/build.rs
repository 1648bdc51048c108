//! What a run learns from and with: pairs become examples, and those with the variables something that learns.

use std::path::Path;
use std::rc::Rc;

use candle_core::Tensor;

use super::system::{Network, System};
use crate::engine::clips::{Clips, Keep, Listening, Picture};
use crate::engine::corpus::Inspected;
use crate::engine::pairs::{Maker, Pairs, Renewal, Understood, pairs};
use crate::error::Result;
use crate::jobs::Monitor;
use crate::training::sampler::ItemShape;
use crate::training::{
    CbvmrSides, CmmrStreams, Cut, EndToEnd, Example, Heads, Learner, Stored, Variables, tag_targets,
};

/// Everything that a run needs of a system.
pub(super) struct Built<'a> {
    pub(super) variables: Variables,
    pub(super) learner: Box<dyn Learner>,
    pub(super) shapes: Vec<ItemShape>,
    pub(super) held_out: usize,
    pub(super) pairing: &'static str,
    pub(super) recognised: usize,
    pub(super) rejected: Vec<(String, String)>,
    /// `None` where all epochs learn from the same.
    pub(super) renewed: Option<Renewed<'a>>,
}

/// What later epochs learn from, with the same variables.
pub(super) struct Renewed<'a> {
    /// As [`Renewal::latest`].
    pub(super) latest: Box<dyn Fn(usize) -> usize + 'a>,
    /// The items of an epoch, and what learns from them.
    pub(super) make: Box<dyn Fn(usize, &Monitor) -> Result<(Vec<ItemShape>, Box<dyn Learner>)> + 'a>,
}

impl<'a> Renewed<'a> {
    fn new<P, S>(
        renewal: Renewal<'a, P, S>,
        learner: impl Fn(Vec<Example<P, S>>) -> Result<Box<dyn Learner>> + 'a,
    ) -> Self
    where
        P: Picture + Clone + 'a,
        S: Keep + Clone + 'a,
    {
        let renewal = Rc::new(renewal);
        let calendar = Rc::clone(&renewal);
        Self {
            latest: Box::new(move |epoch| calendar.latest(epoch)),
            make: Box::new(move |epoch, monitor| {
                let examples = renewal.examples(epoch, monitor)?;
                Ok((shapes(&examples), learner(examples)?))
            }),
        }
    }
}

fn shapes<P, S>(examples: &[Example<P, S>]) -> Vec<ItemShape> {
    examples.iter().map(Example::shape).collect()
}

impl System<'_> {
    /// Makes or reads the features of the corpus and builds what learns from them. Features of what is drawn anew later are
    /// kept in `folder`.
    ///
    /// # Errors
    /// When a network cannot be loaded or the cache cannot be written; cancelled.
    pub(super) fn build<'c>(
        &'c self,
        clips: &'c Clips<'c>,
        corpus: &'c Inspected,
        folder: &Path,
        on_item: &dyn Fn(Understood),
        monitor: &Monitor,
    ) -> Result<Built<'c>> {
        let maker = Maker::new(clips, corpus, self.pairing(), monitor)?;
        match (&self.network, self.listening()) {
            (Network::Mrcmv(config), Listening::Patches) => {
                let made = pairs::<Stored, Stored>(&maker, corpus, on_item, monitor)?;
                let (variables, constants) = self.variables_of_all(config)?;
                let together = self.together(config)?;
                let own = variables.clone();
                let learner = move |examples, validation| -> Result<Box<dyn Learner>> {
                    let constants = constants.clone();
                    let learner = EndToEnd::new(&together, &own, constants, examples, validation)?;
                    Ok(Box::new(learner))
                };
                self.built(maker, made, folder, variables, learner)
            }
            (Network::Mrcmv(config), _) => {
                let made = pairs::<(Tensor, Tensor), Tensor>(&maker, corpus, on_item, monitor)?;
                let variables = self.variables()?;
                let own = variables.clone();
                let learner = move |examples, validation| -> Result<Box<dyn Learner>> {
                    Ok(Box::new(Heads::new(config, &own, examples, validation)?))
                };
                self.built(maker, made, folder, variables, learner)
            }
            (Network::Cmmr(config), _) => {
                let made = pairs::<(Tensor, Tensor), Tensor>(&maker, corpus, on_item, monitor)?;
                let tagged = made.tags.iter().any(|tags| !tags.is_empty());
                let targets: Vec<Vec<f32>> = made
                    .tags
                    .iter()
                    .map(|tags| tag_targets(&config.tags, tags))
                    .collect();
                let variables = self.variables()?;
                let own = variables.clone();
                let learner = move |examples, validation| -> Result<Box<dyn Learner>> {
                    let targets = tagged.then_some(targets.as_slice());
                    Ok(Box::new(CmmrStreams::new(
                        config, &own, examples, targets, validation,
                    )?))
                };
                self.built(maker, made, folder, variables, learner)
            }
            (Network::Cbvmr(config), _) => {
                let made = pairs::<(Tensor, Tensor), Tensor>(&maker, corpus, on_item, monitor)?;
                let variables = self.variables()?;
                let own = variables.clone();
                let learner = move |examples: Vec<Example>, validation: Vec<_>| -> Result<Box<dyn Learner>> {
                    Ok(Box::new(CbvmrSides::new(config, &own, &examples, &validation)?))
                };
                self.built(maker, made, folder, variables, learner)
            }
        }
    }

    fn built<'c, P, S>(
        &'c self,
        maker: Maker<'c>,
        made: Pairs<'c, P, S>,
        folder: &Path,
        variables: Variables,
        learner: impl Fn(Vec<Example<P, S>>, Vec<Cut<P, S>>) -> Result<Box<dyn Learner>> + 'c,
    ) -> Result<Built<'c>>
    where
        P: Picture + Clone + 'c,
        S: Keep + Clone + 'c,
    {
        let renewal = self
            .period()
            .map(|period| Renewal::new(maker, &made, period, folder));
        Ok(Built {
            variables,
            shapes: shapes(&made.examples),
            held_out: made.validation.len(),
            learner: learner(made.examples, made.validation)?,
            pairing: made.pairing,
            recognised: made.recognised,
            rejected: made.rejected,
            renewed: renewal
                .map(|renewal| Renewed::new(renewal, move |examples| learner(examples, Vec::new()))),
        })
    }
}
