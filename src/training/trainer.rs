//! The loop: batches, losses, steps, validation, a checkpoint after every epoch.
//!
//! Everything random comes from the seed and the epoch, and the optimiser's state is saved with the weights: a run that
//! was interrupted at any point and resumed ends in the very weights of one that was not. A cancel, which is also how a
//! run pauses, keeps the batches done so far; a kill loses what was done since the last checkpoint, a minute at most.
//! An epoch of the heads takes seconds and a checkpoint of a large corpus is 100 MB, most of it the classifiers of eq. 7,
//! so not every epoch is saved.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use candle_core::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Partial, Progress};
use super::config::Config;
use super::learner::{Learner, validate};
use super::objective::{CLASSIFIER_BGM, CLASSIFIER_JOINT, Objective};
use super::optimizer::{Optimizer, require_finite};
use super::rhythm::Rhythm;
use super::run_folder::{checkpoint_path, require_same_run, write_config, write_curves};
use super::sampler::{Draw, Sampler};
use super::variables::Variables;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::retrieval::Recall;

/// One point of the curves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// 0 is the state before training; later ones count from 1.
    pub epoch: usize,
    /// Mean of eq. 5 over the batches.
    pub loss: f64,
    /// Margin in force.
    pub margin: f64,
    /// Recall on the validation items; `None` where there are fewer than two.
    pub validation: Option<Recall>,
}

/// The items of a run, some of them drawn anew between epochs (reading, point 7).
pub struct Redraw<'a> {
    /// The epoch whose draw still serves `epoch`: 1 is the run's own.
    pub latest: &'a dyn Fn(usize) -> usize,
    /// Makes what an epoch that has a draw of its own learns from. The items are those of the run's sampler, in its order.
    pub make: &'a dyn Fn(usize, &Monitor) -> Result<(Sampler, Box<dyn Learner>)>,
}

/// A run of training.
pub struct Run<'a> {
    /// How.
    pub config: &'a Config,
    /// From what.
    pub sampler: &'a Sampler,
    /// What embeds; its networks are built on `variables`.
    pub learner: &'a dyn Learner,
    /// Other draws of what is learnt from, on the same variables; `None` where all epochs share one.
    pub redraw: Option<Redraw<'a>>,
    /// What learns. The classifiers of eq. 7 are added by the loop.
    pub variables: Variables,
    /// Folder for `config.json`, `curves.jsonl` and the checkpoint.
    pub folder: &'a Path,
    /// What else must be equal for a run to be resumed: corpus, start weights, switches.
    pub about: serde_json::Value,
}

/// What a run left.
#[derive(Debug)]
pub struct Outcome {
    /// The curves, the state before training first.
    pub epochs: Vec<Epoch>,
    /// The epoch whose weights these are.
    pub epoch: usize,
    /// The trained values, without the classifiers.
    pub weights: BTreeMap<String, Tensor>,
}

/// Keeps the draw of the classifiers apart from that of the network.
const CLASSIFIER_STREAM: u64 = 1 << 32;

/// Trains to the last epoch, or until the loss has converged or validation recall no longer improves. With `resume` it goes on from the folder's
/// checkpoint where there is one. `on_epoch` sees every finished epoch, those before a resumption too.
///
/// # Errors
/// When there are no two items that can tell each other apart, the checkpoint belongs to another run, the loss is not finite, the disk is full;
/// cancelled. A checkpoint stays.
pub fn train(
    mut run: Run<'_>,
    resume: bool,
    on_epoch: &mut dyn FnMut(&Epoch),
    monitor: &Monitor,
) -> Result<Outcome> {
    require_pairs(run.sampler)?;
    add_classifiers(&mut run)?;
    std::fs::create_dir_all(run.folder).map_err(|source| Error::io(run.folder, "create", source))?;
    let mut state = State::start(&run, resume, monitor)?;
    for epoch in &state.progress.epochs {
        on_epoch(epoch);
    }
    write_config(&run)?;
    while !state.is_finished(run.config) {
        let epoch = state.epoch(&run, monitor)?;
        on_epoch(&epoch);
    }
    state.outcome(&run)
}

/// Variables aside, what changes from epoch to epoch.
struct State {
    progress: Progress,
    optimizer: Optimizer,
    best: BTreeMap<String, Tensor>,
    rhythm: Rhythm,
    drawn: Option<Drawn>,
}

/// A later draw.
struct Drawn {
    /// The epoch it was made for.
    of: usize,
    sampler: Sampler,
    learner: Box<dyn Learner>,
}

impl State {
    fn start(run: &Run<'_>, resume: bool, monitor: &Monitor) -> Result<Self> {
        let path = checkpoint_path(run.folder);
        if resume && let Some(checkpoint) = Checkpoint::load(&path, run.variables.device())? {
            require_same_run(&checkpoint.progress, run, &path)?;
            for (name, tensor) in &checkpoint.variables {
                run.variables.set(name, tensor)?;
            }
            let mut progress = checkpoint.progress;
            progress.config = run.config.clone();
            return Ok(Self {
                progress,
                optimizer: Optimizer::restored(run.config.optimizer, checkpoint.sums),
                best: checkpoint.best,
                rhythm: Rhythm::begin(),
                drawn: None,
            });
        }
        let mut state = Self {
            progress: Progress {
                config: run.config.clone(),
                about: run.about.clone(),
                epochs: Vec::new(),
                best_epoch: None,
                batch_size: run.config.batch_size,
                partial: None,
            },
            optimizer: Optimizer::new(run.config.optimizer),
            best: BTreeMap::new(),
            rhythm: Rhythm::begin(),
            drawn: None,
        };
        let before = Epoch {
            epoch: 0,
            loss: state.pass(run, 1, false, monitor)?,
            margin: run.config.margin.margin(1),
            validation: validate(run.learner, state.progress.batch_size)?,
        };
        state.finish(run, before)?;
        Ok(state)
    }

    fn is_finished(&self, config: &Config) -> bool {
        let done = self.progress.epochs.len().saturating_sub(1);
        let stalled = config.patience.is_some_and(|patience| {
            self.progress
                .best_epoch
                .is_some_and(|best| done >= best + patience)
        });
        let trained = self.progress.epochs.get(1..).unwrap_or_default();
        let losses: Vec<f64> = trained.iter().map(|epoch| epoch.loss).collect();
        done >= config.epochs || stalled || (config.until_converged && config.margin.has_converged(&losses))
    }

    /// Trains one epoch and keeps it.
    fn epoch(&mut self, run: &Run<'_>, monitor: &Monitor) -> Result<Epoch> {
        let number = self.progress.epochs.len();
        if let Err(error) = self.draw_anew(run, number, monitor) {
            if error.is_cancelled() {
                self.save(run, self.progress.partial.clone())?;
            }
            return Err(error);
        }
        let epoch = Epoch {
            epoch: number,
            loss: self.pass(run, number, true, monitor)?,
            margin: run.config.margin.margin(number),
            validation: validate(run.learner, self.progress.batch_size)?,
        };
        self.finish(run, epoch)?;
        Ok(epoch)
    }

    /// Makes the draw that `epoch` learns from, where it is another than the last one's.
    fn draw_anew(&mut self, run: &Run<'_>, epoch: usize, monitor: &Monitor) -> Result<()> {
        let Some(redraw) = &run.redraw else {
            return Ok(());
        };
        let of = (redraw.latest)(epoch);
        if of <= 1 || self.drawn.as_ref().is_some_and(|drawn| drawn.of == of) {
            return Ok(());
        }
        monitor.progress(
            &format!("Drawing items of epoch {epoch} anew"),
            Some((epoch - 1) as f32 / run.config.epochs.max(1) as f32),
        );
        let (sampler, learner) = (redraw.make)(of, monitor)?;
        if sampler.labels() != run.sampler.labels() || sampler.items().len() != run.sampler.items().len() {
            return Err(Error::internal("a draw holds other items than the run"));
        }
        self.drawn = Some(Drawn { of, sampler, learner });
        Ok(())
    }

    /// What the epoch learns from.
    fn source<'s>(&'s self, run: &'s Run<'_>) -> (&'s Sampler, &'s dyn Learner) {
        match &self.drawn {
            Some(drawn) => (&drawn.sampler, &*drawn.learner),
            None => (run.sampler, run.learner),
        }
    }

    /// The mean loss over the batches of an epoch, stepping after each where the run `learns`. It goes on from the
    /// batches that were done before an interruption.
    fn pass(&mut self, run: &Run<'_>, epoch: usize, learns: bool, monitor: &Monitor) -> Result<f64> {
        let draws = self.source(run).0.epoch(epoch);
        let mut part = match self.progress.partial.take() {
            Some(part) if learns => part,
            _ => Partial::new(draws.len(), self.progress.batch_size),
        };
        while part.next < part.batches() {
            if let Err(cancelled) = monitor.check() {
                if learns {
                    self.save(run, Some(part).filter(|part| part.next > 0))?;
                }
                return Err(cancelled);
            }
            let done = (epoch - 1) as f64 + part.next as f64 / part.batches() as f64;
            monitor.progress(
                &format!("Training, epoch {epoch} of {}", run.config.epochs),
                Some((done / run.config.epochs.max(1) as f64) as f32),
            );
            self.optimizer.set_rate(run.config.rate(done));
            match self.batch(run, &draws[part.range()], epoch, learns) {
                Ok(loss) => {
                    part.loss_sum += loss;
                    part.next += 1;
                }
                Err(error) if error.kind() == ErrorKind::Memory => {
                    self.progress.batch_size = part.halve(error)?;
                    monitor.warn(format!(
                        "the device ran out of memory; training goes on with batches of {}",
                        self.progress.batch_size
                    ));
                }
                Err(error) => return Err(error),
            }
            if learns && part.next < part.batches() && self.rhythm.is_due() {
                self.save(run, Some(part.clone()))?;
            }
        }
        require_finite(&run.variables).map_err(|error| match error.kind() {
            ErrorKind::Internal => not_finite(run.config, epoch, learns).with_source(error),
            _ => error,
        })?;
        Ok(part.loss_sum / part.batches() as f64)
    }

    /// The loss of one batch, and a step along its gradients where the run `learns`.
    fn batch(&mut self, run: &Run<'_>, batch: &[Draw], epoch: usize, learns: bool) -> Result<f64> {
        let (sampler, learner) = self.source(run);
        let objective = Objective::new(run.config, sampler.items(), &run.variables, epoch);
        let (loss, gradients) = if learns {
            let (loss, gradients) = learner.gradients(batch, &objective)?;
            (loss, Some(gradients))
        } else {
            (learner.loss(batch, &objective)?, None)
        };
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() {
            return Err(not_finite(run.config, epoch, learns));
        }
        if let Some(gradients) = gradients {
            self.optimizer.step(&run.variables, &gradients)?;
        }
        Ok(value)
    }

    /// Adds an epoch to the curves, and saves everything where it is due.
    fn finish(&mut self, run: &Run<'_>, epoch: Epoch) -> Result<()> {
        let best = self
            .progress
            .best_epoch
            .and_then(|best| self.progress.epochs.get(best));
        let better = match (best.and_then(|best| best.validation), epoch.validation) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(best), Some(now)) => (now.r10, now.r1) > (best.r10, best.r1),
        };
        self.progress.epochs.push(epoch);
        if better {
            self.progress.best_epoch = Some(epoch.epoch);
            if run.config.patience.is_some() {
                self.best = run.variables.snapshot()?;
            }
        }
        if self.rhythm.is_due() || self.progress.epochs.len() == 1 || self.is_finished(run.config) {
            self.save(run, None)?;
        }
        Ok(())
    }

    fn save(&mut self, run: &Run<'_>, partial: Option<Partial>) -> Result<()> {
        let begun = Instant::now();
        Checkpoint {
            progress: Progress {
                partial,
                ..self.progress.clone()
            },
            variables: run.variables.snapshot()?,
            sums: self.optimizer.sums().clone(),
            best: self.best.clone(),
        }
        .save(&checkpoint_path(run.folder))?;
        write_curves(run.folder, &self.progress.epochs)?;
        self.rhythm.kept(begun);
        Ok(())
    }

    fn outcome(self, run: &Run<'_>) -> Result<Outcome> {
        let last = self.progress.epochs.len().saturating_sub(1);
        let (epoch, mut weights) = match self.progress.best_epoch {
            Some(best) if run.config.patience.is_some() && !self.best.is_empty() => (best, self.best),
            _ => (last, run.variables.snapshot()?),
        };
        weights.remove(CLASSIFIER_JOINT);
        weights.remove(CLASSIFIER_BGM);
        Ok(Outcome {
            epochs: self.progress.epochs,
            epoch,
            weights,
        })
    }
}

/// W^J and W^M, d_E x N, drawn as PyTorch's Linear.
fn add_classifiers(run: &mut Run<'_>) -> Result<()> {
    if run.config.lambda == 0.0 {
        return Ok(());
    }
    let width = run.learner.width();
    let shape = [width, run.sampler.labels()];
    let mut rng = ChaCha8Rng::seed_from_u64(run.config.seed);
    rng.set_stream(CLASSIFIER_STREAM);
    run.variables.draw(CLASSIFIER_JOINT, &shape, width, &mut rng)?;
    run.variables.draw(CLASSIFIER_BGM, &shape, width, &mut rng)
}

fn require_pairs(sampler: &Sampler) -> Result<()> {
    let items = sampler.items();
    let told_apart = items
        .iter()
        .any(|item| item.video != items[0].video && item.bgm != items[0].bgm);
    if told_apart {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Input,
        format!(
            "the corpus has {} to train on; give at least two videos with different music",
            match items.len() {
                0 => "nothing".to_owned(),
                1 => "one usable item".to_owned(),
                count => format!("{count} usable items, all of one video or one music track,"),
            }
        ),
    ))
}

fn not_finite(config: &Config, epoch: usize, learns: bool) -> Error {
    if !learns {
        return Error::pack(
            "the first weights give a loss that is no number; check the pack with models verify, or start anew from \
             the pack that came with the program",
        );
    }
    let rate = config.optimizer.rate();
    Error::new(
        ErrorKind::Input,
        format!(
            "the loss grew beyond all numbers in epoch {epoch}; train again with a lower learning rate than {rate:e}"
        ),
    )
}
