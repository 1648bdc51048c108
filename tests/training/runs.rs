//! The loop through interruptions, on two linear maps.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use undertone::error::{Error, ErrorKind, Result};
use undertone::jobs::testing::cancelling_at;
use undertone::jobs::{CancelToken, Monitor, Report};
use undertone::retrieval::Metric;
use undertone::training::sampler::{CutShape, Draw, ItemShape, Sampler};
use undertone::training::{
    Checkpoint, Config, Epoch, Learner, Objective, OptimizerConfig, Outcome, Run, Variables, checkpoint_path,
    train,
};

use super::values;

/// Two linear maps between feature vectors, enough to try the loop on.
struct Linear {
    variables: Variables,
    /// [items, FEATURES] each.
    queries: Tensor,
    bgms: Tensor,
    validation: (Tensor, Tensor),
}

const FEATURES: usize = 24;
const WIDTH: usize = 16;

impl Linear {
    /// Items whose BGM features are a turned copy of their query features.
    fn new(items: usize) -> Result<Self> {
        let (queries, bgms) = pairs(items, 1)?;
        let variables = Variables::drawn(&Device::Cpu, 7, |vb| {
            vb.get((WIDTH, FEATURES), "query.weight")?;
            vb.get((WIDTH, FEATURES), "bgm.weight")?;
            Ok(())
        })?;
        let validation = (queries.clone(), bgms.clone());
        Ok(Self {
            variables,
            queries,
            bgms,
            validation,
        })
    }

    fn map(&self, name: &str, features: &Tensor) -> Result<Tensor> {
        let rows = features.matmul(&self.variables.get(name)?.t()?)?;
        let norm = rows.sqr()?.sum_keepdim(1)?.sqrt()?;
        Ok((rows.broadcast_div(&norm)? * (WIDTH as f64).sqrt())?)
    }
}

/// Random queries, and the BGM features that a fixed turn makes of them.
fn pairs(items: usize, seed: u64) -> Result<(Tensor, Tensor)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |rows: usize| -> Result<Tensor> {
        let values: Vec<f32> = (0..rows * FEATURES)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        Ok(Tensor::from_vec(values, (rows, FEATURES), &Device::Cpu)?)
    };
    let queries = draw(items)?;
    let mut turn_rng = ChaCha8Rng::seed_from_u64(99);
    let turn: Vec<f32> = (0..FEATURES * FEATURES)
        .map(|_| turn_rng.random_range(-0.4..0.4))
        .collect();
    let turn = Tensor::from_vec(turn, (FEATURES, FEATURES), &Device::Cpu)?;
    Ok((queries.clone(), queries.matmul(&turn)?))
}

impl Learner for Linear {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        let rows: Vec<u32> = batch.iter().map(|draw| draw.item as u32).collect();
        let rows = Tensor::new(rows, &Device::Cpu)?;
        Ok((
            self.map("query.weight", &self.queries.index_select(&rows, 0)?)?,
            self.map("bgm.weight", &self.bgms.index_select(&rows, 0)?)?,
        ))
    }

    fn held_out(&self) -> usize {
        self.validation.0.dims()[0]
    }

    fn embed_held_out(&self, items: Range<usize>) -> Result<(Tensor, Tensor)> {
        let (queries, bgms) = &self.validation;
        let some = |rows: &Tensor| rows.narrow(0, items.start, items.len());
        Ok((
            self.map("query.weight", &some(queries)?)?,
            self.map("bgm.weight", &some(bgms)?)?,
        ))
    }

    fn metric(&self) -> Metric {
        Metric::Cosine
    }

    fn width(&self) -> usize {
        WIDTH
    }
}

fn sampler(items: usize, config: &Config) -> Sampler {
    let shapes = (0..items)
        .map(|item| ItemShape {
            video: item,
            bgm: item,
            duration_s: 20.0,
            cuts: vec![CutShape {
                start_s: 0.0,
                picture: true,
                voices: 1,
                bgms: 1,
            }],
        })
        .collect();
    Sampler::new(shapes, config.modality_dropout, config.seed)
}

fn config(epochs: usize) -> Config {
    Config {
        epochs,
        until_converged: false,
        batch_size: 8,
        optimizer: OptimizerConfig::Sgd {
            rate: 1e-4,
            momentum: 0.9,
        },
        ..Config::default()
    }
}

fn run_on(
    learner: &Linear,
    config: &Config,
    folder: &Path,
    resume: bool,
    monitor: &Monitor,
) -> Result<Outcome> {
    run_as(learner, learner, config, folder, resume, monitor)
}

/// As [`run_on`], with `learner` in front of `linear`.
fn run_as(
    learner: &dyn Learner,
    linear: &Linear,
    config: &Config,
    folder: &Path,
    resume: bool,
    monitor: &Monitor,
) -> Result<Outcome> {
    let sampler = sampler(linear.queries.dims()[0], config);
    let run = Run {
        config,
        sampler: &sampler,
        learner,
        redraw: None,
        variables: linear.variables.clone(),
        folder,
        about: serde_json::json!({"corpus": "tiny"}),
    };
    train(run, resume, &mut |_: &Epoch| {}, monitor)
}

fn assert_equal_weights(one: &BTreeMap<String, Tensor>, two: &BTreeMap<String, Tensor>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (name, tensor) in one {
        assert_eq!(values(tensor), values(&two[name]), "{name}");
    }
}

#[test]
fn a_resumed_run_ends_in_the_weights_of_an_uninterrupted_one() -> Result<()> {
    for optimizer in [
        OptimizerConfig::Sgd {
            rate: 1e-4,
            momentum: 0.9,
        },
        OptimizerConfig::AdamW {
            rate: 1e-3,
            weight_decay: 0.01,
        },
    ] {
        let config = |epochs| Config {
            optimizer,
            ..config(epochs)
        };
        let folder = tempfile::tempdir().expect("temporary folder");
        let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
        let silent = Monitor::silent();
        let expected = run_on(&Linear::new(20)?, &config(4), &whole, false, &silent)?;
        run_on(&Linear::new(20)?, &config(2), &parts, false, &silent)?;
        let resumed = run_on(&Linear::new(20)?, &config(4), &parts, true, &silent)?;
        assert_equal_weights(&expected.weights, &resumed.weights);
        assert_eq!(expected.epochs, resumed.epochs);
        assert!(!resumed.weights.keys().any(|name| name.contains("classifier")));
        let curves = |folder: &Path| std::fs::read_to_string(folder.join("curves.jsonl")).expect("curves");
        assert_eq!(curves(&whole), curves(&parts));
        assert_eq!(curves(&whole).lines().count(), 5);
    }
    Ok(())
}

#[test]
fn a_run_cancelled_within_an_epoch_resumes_to_the_same_weights() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let expected = run_on(&Linear::new(20)?, &config(5), &whole, false, &Monitor::silent())?;
    // The second of three batches of the fourth epoch.
    let monitor = cancelling_at(0.65);
    let error = run_on(&Linear::new(20)?, &config(5), &parts, false, &monitor).expect_err("cancelled");
    assert!(error.is_cancelled());
    let checkpoint = Checkpoint::load(&checkpoint_path(&parts), &Device::Cpu)?.expect("checkpoint");
    assert_eq!(checkpoint.progress.epochs.len(), 4);
    let resumed = run_on(&Linear::new(20)?, &config(5), &parts, true, &Monitor::silent())?;
    assert_equal_weights(&expected.weights, &resumed.weights);
    Ok(())
}

#[test]
fn a_checkpoint_of_another_run_is_refused() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let learner = Linear::new(4)?;
    run_on(&learner, &config(1), folder.path(), false, &Monitor::silent())?;
    let other = Config { seed: 1, ..config(2) };
    let error = run_on(&learner, &other, folder.path(), true, &Monitor::silent()).expect_err("another seed");
    assert!(error.to_string().contains("another seed"), "{error}");
    std::fs::write(checkpoint_path(folder.path()), b"not a checkpoint").expect("write");
    let error = run_on(&learner, &config(2), folder.path(), true, &Monitor::silent()).expect_err("damaged");
    assert!(error.to_string().contains("is not a checkpoint"), "{error}");
    Ok(())
}

#[test]
fn a_loss_beyond_all_numbers_stops_with_the_reason() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stops = |rate: f64, scale: f64, expected: &str| -> Result<()> {
        let mut learner = Linear::new(8)?;
        learner.queries = (learner.queries * scale)?;
        let config = Config {
            optimizer: OptimizerConfig::Sgd { rate, momentum: 0.9 },
            ..config(9)
        };
        let error =
            run_on(&learner, &config, folder.path(), false, &Monitor::silent()).expect_err("not finite");
        assert!(error.to_string().contains(expected), "{error}");
        Ok(())
    };
    stops(1e38, 1.0, "lower learning rate than 1e38")?;
    stops(1e-4, f64::INFINITY, "the first weights")
}

#[test]
fn one_pair_is_not_enough_to_train_on() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let error = run_on(
        &Linear::new(1)?,
        &config(3),
        folder.path(),
        false,
        &Monitor::silent(),
    )
    .expect_err("one pair");
    assert!(error.to_string().contains("at least two videos"), "{error}");
    Ok(())
}

#[test]
fn training_stops_early_and_keeps_the_best_epoch() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut learner = Linear::new(12)?;
    // Held-out items that have nothing to do with the others: recall soon stops rising.
    learner.validation = (pairs(30, 5)?.0, pairs(30, 6)?.1);
    let config = Config {
        patience: Some(3),
        ..config(200)
    };
    let outcome = run_on(&learner, &config, folder.path(), false, &Monitor::silent())?;
    assert!(outcome.epochs.len() < 200);
    assert_eq!(outcome.epoch + 3, outcome.epochs.len() - 1);
    Ok(())
}

/// Says the same of everything.
struct Constant;

impl Learner for Constant {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        let ones = Tensor::ones((batch.len(), WIDTH), DType::F32, &Device::Cpu)?;
        Ok((ones.clone(), ones))
    }

    fn held_out(&self) -> usize {
        30
    }

    fn embed_held_out(&self, items: Range<usize>) -> Result<(Tensor, Tensor)> {
        let ones = Tensor::ones((items.len(), WIDTH), DType::F32, &Device::Cpu)?;
        Ok((ones.clone(), ones))
    }

    fn metric(&self) -> Metric {
        Metric::Cosine
    }

    fn width(&self) -> usize {
        WIDTH
    }
}

#[test]
fn constant_embeddings_score_nothing() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let config = config(1);
    let sampler = sampler(8, &config);
    let run = Run {
        config: &config,
        sampler: &sampler,
        learner: &Constant,
        redraw: None,
        variables: Variables::drawn(&Device::Cpu, 0, |_| Ok(()))?,
        folder: folder.path(),
        about: serde_json::Value::Null,
    };
    let outcome = train(run, false, &mut |_: &Epoch| {}, &Monitor::silent())?;
    for epoch in &outcome.epochs {
        let recall = epoch.validation.expect("validation");
        assert_eq!((recall.r1, recall.r25), (0.0, 0.0));
    }
    Ok(())
}

/// Has memory for so many pairs at once.
struct Small {
    linear: Linear,
    pairs: usize,
    held_out_at_once: usize,
}

impl Learner for Small {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        if batch.len() > self.pairs {
            return Err(Error::new(ErrorKind::Memory, "the device ran out of memory"));
        }
        self.linear.embed(batch)
    }

    fn loss(&self, batch: &[Draw], objective: &Objective<'_>) -> Result<Tensor> {
        let (joint, bgm) = self.embed(batch)?;
        objective.loss(&joint, &bgm, batch)
    }

    fn held_out(&self) -> usize {
        self.linear.held_out()
    }

    fn embed_held_out(&self, items: Range<usize>) -> Result<(Tensor, Tensor)> {
        if items.len() > self.held_out_at_once {
            return Err(Error::new(ErrorKind::Memory, "the device ran out of memory"));
        }
        self.linear.embed_held_out(items)
    }

    fn metric(&self) -> Metric {
        Metric::Cosine
    }

    fn width(&self) -> usize {
        WIDTH
    }
}

#[test]
fn a_batch_that_does_not_fit_is_halved() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let small = |pairs: usize| -> Result<Small> {
        Ok(Small {
            linear: Linear::new(20)?,
            pairs,
            held_out_at_once: usize::MAX,
        })
    };
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let warned = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&warned);
    let monitor = Monitor::new(CancelToken::default(), move |report| {
        if let Report::Warning(text) = report {
            heard.lock().expect("lock").push(text);
        }
    });
    let learner = small(3)?;
    let expected = run_as(&learner, &learner.linear, &config(4), &whole, false, &monitor)?;
    assert_eq!(expected.epochs.len(), 5);
    let warned = warned.lock().expect("lock");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("batches of 3"), "{warned:?}");
    let checkpoint = Checkpoint::load(&checkpoint_path(&whole), &Device::Cpu)?.expect("checkpoint");
    assert_eq!(checkpoint.progress.batch_size, 3);

    // What was halved once stays so when the run is resumed.
    let silent = Monitor::silent();
    let learner = small(3)?;
    run_as(&learner, &learner.linear, &config(2), &parts, false, &silent)?;
    let resumed = run_as(&learner, &learner.linear, &config(4), &parts, true, &silent)?;
    assert_equal_weights(&expected.weights, &resumed.weights);

    let learner = small(1)?;
    let error = run_as(
        &learner,
        &learner.linear,
        &config(4),
        &folder.path().join("none"),
        false,
        &silent,
    )
    .expect_err("no room for two");
    assert_eq!(error.kind(), ErrorKind::Memory);
    Ok(())
}

#[test]
fn validation_that_does_not_fit_is_done_in_parts() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let run = |held_out_at_once: usize| {
        let learner = Small {
            linear: Linear::new(20)?,
            pairs: usize::MAX,
            held_out_at_once,
        };
        let folder = folder.path().join(held_out_at_once.to_string());
        run_as(
            &learner,
            &learner.linear,
            &config(3),
            &folder,
            false,
            &Monitor::silent(),
        )
    };
    let whole = run(usize::MAX)?;
    assert!(whole.epochs.iter().all(|epoch| epoch.validation.is_some()));
    for room in [7, 1] {
        assert_eq!(run(room)?.epochs, whole.epochs, "room for {room}");
    }
    assert_eq!(run(0).expect_err("no room for one").kind(), ErrorKind::Memory);
    Ok(())
}
