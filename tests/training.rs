//! The losses and the trainer: against a PyTorch twin, on tiny corpora, and through interruptions.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use undertone::error::Result;
use undertone::jobs::{CancelToken, Monitor, Report};
use undertone::networks::mrcmv::{self, Mrcmv, Norm};
use undertone::retrieval::Metric;
use undertone::training::losses::{Negatives, pseudo_label, triplet};
use undertone::training::sampler::{Absent, CutShape, Draw, ItemShape, Sampler};
use undertone::training::{
    Checkpoint, Config, Cut, Epoch, Example, Heads, Learner, Optimizer, OptimizerConfig, Outcome, Run,
    Variables, checkpoint_path, train,
};

/// What tests/golden/training_losses.py wrote.
fn golden() -> HashMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/training_losses.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).expect("golden file")
}

/// Identities of the golden batch, as in the script.
const VIDEOS: [usize; 6] = [0, 1, 2, 3, 1, 4];
const BGMS: [usize; 6] = [0, 1, 2, 3, 4, 2];
const LABELS: [u32; 6] = [0, 2, 3, 4, 1, 5];
const MARGIN: f64 = 30.0;

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor
        .to_dtype(DType::F32)
        .and_then(|tensor| tensor.flatten_all())
        .and_then(|tensor| tensor.to_vec1())
        .expect("values")
}

/// Fails unless all values agree within 1e-4 of the largest.
fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.dims(), theirs.dims(), "{what}");
    let theirs = values(theirs);
    let scale = theirs
        .iter()
        .fold(1f32, |largest, value| largest.max(value.abs()));
    for (ours, theirs) in values(ours).into_iter().zip(theirs) {
        assert!(
            (ours - theirs).abs() <= 1e-4 * scale,
            "{what}: {ours} is not {theirs}"
        );
    }
}

#[test]
fn losses_and_gradients_equal_the_pytorch_twin() -> Result<()> {
    let golden = golden();
    let mut variables = Variables::drawn(&Device::Cpu, 0, |_| Ok(()))?;
    for name in ["joint", "bgm", "w_joint", "w_bgm"] {
        variables.insert(name, &golden[&format!("losses.{name}")])?;
    }
    let get = |name: &str| variables.get(name);
    let negatives = Negatives::new(&VIDEOS, &BGMS, &Device::Cpu)?;
    let labels = Tensor::new(&LABELS, &Device::Cpu)?;
    let one = triplet(get("joint")?, get("bgm")?, &negatives, MARGIN)?;
    let two = pseudo_label(
        get("joint")?,
        get("bgm")?,
        get("w_joint")?,
        get("w_bgm")?,
        &labels,
        &negatives,
    )?;
    assert_close(
        "losses",
        &Tensor::stack(&[&one, &two], 0)?,
        &golden["losses.values"],
    );
    let gradients = (one + (two * 0.1)?)?.backward()?;
    for (name, variable) in variables.iter() {
        let gradient = gradients.get(variable).expect("gradient");
        assert_close(name, gradient, &golden[&format!("losses.grad.{name}")]);
    }
    Ok(())
}

/// Two linear maps between feature vectors, enough to try the loop on.
struct Linear {
    variables: Variables,
    /// [items, FEATURES] each.
    queries: Tensor,
    bgms: Tensor,
    validation: Option<(Tensor, Tensor)>,
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
        let validation = Some((queries.clone(), bgms.clone()));
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

    fn embed_validation(&self) -> Result<Option<(Tensor, Tensor)>> {
        let Some((queries, bgms)) = &self.validation else {
            return Ok(None);
        };
        Ok(Some((
            self.map("query.weight", queries)?,
            self.map("bgm.weight", bgms)?,
        )))
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
    Sampler::new(shapes, config.batch_size, config.modality_dropout, config.seed)
}

fn config(epochs: usize) -> Config {
    Config {
        epochs,
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
    let sampler = sampler(learner.queries.dims()[0], config);
    let run = Run {
        config,
        sampler: &sampler,
        learner,
        variables: learner.variables.clone(),
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
    let cancel = CancelToken::default();
    let raise = cancel.clone();
    let monitor = Monitor::new(cancel, move |report| {
        // The second of three batches of the fourth epoch.
        if let Report::Progress {
            fraction: Some(fraction),
            ..
        } = report
            && fraction > 0.65
        {
            raise.cancel();
        }
    });
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
    learner.validation = Some((pairs(30, 5)?.0, pairs(30, 6)?.1));
    let config = Config {
        patience: Some(3),
        ..config(200)
    };
    let outcome = run_on(&learner, &config, folder.path(), false, &Monitor::silent())?;
    assert!(outcome.epochs.len() < 200);
    assert_eq!(outcome.epoch + 3, outcome.epochs.len() - 1);
    Ok(())
}

/// The network of the golden steps.
fn small_network() -> mrcmv::Config {
    mrcmv::Config {
        slow_dim: 12,
        fast_dim: 6,
        d: 16,
        heads: 4,
        steps: 8,
        d_e: 24,
        ..mrcmv::Config::default()
    }
}

fn drawn(config: &mrcmv::Config, seed: u64) -> Result<Variables> {
    Variables::drawn(&Device::Cpu, seed, |vb| Mrcmv::new(config, vb).map(drop))
}

#[test]
fn the_first_steps_equal_the_pytorch_twin() -> Result<()> {
    let golden = golden();
    let network = small_network();
    let mut variables = drawn(&network, 0)?;
    for (name, tensor) in &golden {
        match name.strip_prefix("start.") {
            Some(name) if name.starts_with("classifier") => variables.insert(name, tensor)?,
            Some(name) => variables.set(name, tensor)?,
            None => {}
        }
    }
    let row = |name: &str, item: usize| golden[name].get(item).expect("row");
    let examples: Vec<Example> = (0..VIDEOS.len())
        .map(|item| Example {
            video: VIDEOS[item],
            bgm: BGMS[item],
            duration_s: 40.0,
            cuts: vec![Cut {
                start_s: 0.0,
                picture: Some((row("input.slow", item), row("input.fast", item))),
                voices: vec![row("input.voice", item)],
                bgms: vec![row("input.music", item)],
            }],
        })
        .collect();
    let heads = Heads::new(&network, &variables, examples, Vec::new())?;
    let batch: Vec<Draw> = (0..VIDEOS.len())
        .map(|item| Draw {
            item,
            cut: 0,
            voice: 0,
            bgm: 0,
            label: LABELS[item],
            absent: Absent::Nothing,
        })
        .collect();
    let negatives = Negatives::new(&VIDEOS, &BGMS, &Device::Cpu)?;
    let labels = Tensor::new(&LABELS, &Device::Cpu)?;
    let mut optimizer = Optimizer::new(OptimizerConfig::Sgd {
        rate: 2e-5,
        momentum: 0.9,
    });
    let mut losses = Vec::new();
    for step in 0..3 {
        let (joint, bgm) = heads.embed(&batch)?;
        if step == 0 {
            assert_close("joint", &joint, &golden["first.joint"]);
            assert_close("bgm", &bgm, &golden["first.bgm"]);
        }
        let one = triplet(&joint, &bgm, &negatives, MARGIN)?;
        let (w_joint, w_bgm) = (
            variables.get("classifier.joint")?,
            variables.get("classifier.bgm")?,
        );
        let two = pseudo_label(&joint, &bgm, w_joint, w_bgm, &labels, &negatives)?;
        let loss = (one + (two * 0.1)?)?;
        optimizer.step(&variables, &loss.backward()?)?;
        losses.push(loss);
    }
    assert_close("losses", &Tensor::stack(&losses, 0)?, &golden["steps.losses"]);
    for (name, variable) in variables.iter() {
        if let Some(expected) = golden.get(&format!("end.{name}")) {
            assert_close(name, variable, expected);
        }
    }
    Ok(())
}

/// Items whose music follows from voice and picture: the same few numbers, turned, plus noise.
fn related(items: usize, seed: u64) -> Result<Vec<Cut>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut cuts = Vec::new();
    for _ in 0..items {
        let mood: Vec<f32> = (0..6).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut rows = |count: usize, width: usize, shift: usize| -> Result<Tensor> {
            let values: Vec<f32> = (0..count * width)
                .map(|at| mood[(at % width + shift) % 6] + rng.random_range(-0.3..0.3))
                .collect();
            Ok(Tensor::from_vec(values, (count, width), &Device::Cpu)?)
        };
        cuts.push(Cut {
            start_s: 0.0,
            picture: Some((rows(8, 12, 1)?, rows(64, 6, 2)?)),
            voices: vec![rows(72, 16, 3)?],
            bgms: vec![rows(72, 16, 4)?],
        });
    }
    Ok(cuts)
}

fn examples(cuts: &[Cut]) -> Vec<Example> {
    cuts.iter()
        .enumerate()
        .map(|(index, cut)| Example {
            video: index,
            bgm: index,
            duration_s: 20.0,
            cuts: vec![cut.clone()],
        })
        .collect()
}

fn train_heads(
    network: &mrcmv::Config,
    config: &Config,
    examples: Vec<Example>,
    validation: Vec<Cut>,
) -> Result<Outcome> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let variables = drawn(network, config.seed)?;
    let shapes = examples.iter().map(Example::shape).collect();
    let sampler = Sampler::new(shapes, config.batch_size, config.modality_dropout, config.seed);
    let heads = Heads::new(network, &variables, examples, validation)?;
    let run = Run {
        config,
        sampler: &sampler,
        learner: &heads,
        variables,
        folder: folder.path(),
        about: serde_json::Value::Null,
    };
    train(run, false, &mut |_: &Epoch| {}, &Monitor::silent())
}

/// A network and a config that learn in a second what the defaults learn in minutes: sums over a narrower embedding are
/// smaller, and so the rate is larger.
fn quick(epochs: usize) -> (mrcmv::Config, Config) {
    let network = mrcmv::Config {
        d_e: 64,
        ..small_network()
    };
    let config = Config {
        epochs,
        optimizer: OptimizerConfig::Sgd {
            rate: 3e-5,
            momentum: 0.9,
        },
        ..Config::default()
    };
    (network, config)
}

#[test]
fn a_tiny_corpus_is_learnt_by_heart() -> Result<()> {
    let (network, config) = quick(60);
    // Music that has nothing to do with its video: only memory helps.
    let mut cuts = related(8, 1)?;
    for (cut, other) in cuts.iter_mut().zip(related(8, 2)?) {
        cut.bgms = other.bgms;
    }
    let outcome = train_heads(&network, &config, examples(&cuts), cuts.clone())?;
    let recall = |epoch: &Epoch| epoch.validation.expect("validation");
    assert!(recall(&outcome.epochs[0]).r1 < 50.0);
    assert_eq!(recall(&outcome.epochs[60]).r1, 100.0, "{:?}", outcome.epochs[60]);
    Ok(())
}

#[test]
fn shuffled_pairs_stay_at_chance() -> Result<()> {
    let (network, config) = quick(10);
    let held_out = related(60, 4)?;
    let r10 = |cuts: &[Cut]| -> Result<f64> {
        let outcome = train_heads(&network, &config, examples(cuts), held_out.clone())?;
        Ok(outcome.epochs[10].validation.expect("validation").r10)
    };
    let true_pairs = related(32, 3)?;
    let mut shuffled = true_pairs.clone();
    for (cut, other) in shuffled.iter_mut().zip(true_pairs.iter().rev()) {
        cut.bgms.clone_from(&other.bgms);
    }
    let (learnt, chance) = (r10(&true_pairs)?, r10(&shuffled)?);
    // 10 of 60 are 16.7 %; the standard error of chance is 4.8.
    assert!(learnt > 60.0, "{learnt}");
    assert!(chance < 31.0, "{chance}");
    Ok(())
}

/// Says the same of everything.
struct Constant;

impl Learner for Constant {
    fn embed(&self, batch: &[Draw]) -> Result<(Tensor, Tensor)> {
        let ones = Tensor::ones((batch.len(), WIDTH), DType::F32, &Device::Cpu)?;
        Ok((ones.clone(), ones))
    }

    fn embed_validation(&self) -> Result<Option<(Tensor, Tensor)>> {
        let ones = Tensor::ones((30, WIDTH), DType::F32, &Device::Cpu)?;
        Ok(Some((ones.clone(), ones)))
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

#[test]
#[ignore = "a measurement of some minutes; its figures stand in training/config.rs"]
fn measure_norm_and_margin() -> Result<()> {
    let cuts = related(64, 1)?;
    let held_out = related(64, 2)?;
    for (norm, d_e) in [(Norm::Unit, 512), (Norm::SqrtDim, 512), (Norm::None, 512)] {
        for rate in [1e-6, 1e-5, 1e-4] {
            let network = mrcmv::Config {
                norm,
                d_e,
                ..small_network()
            };
            let config = Config {
                epochs: 60,
                optimizer: OptimizerConfig::Sgd { rate, momentum: 0.9 },
                ..Config::default()
            };
            match train_heads(&network, &config, examples(&cuts), held_out.clone()) {
                Ok(outcome) => {
                    for epoch in outcome.epochs.iter().step_by(15) {
                        let recall = epoch.validation.expect("validation");
                        println!(
                            "{norm:?} {rate:e} epoch {}: loss {:.1}, held-out R@1 {:.1} R@10 {:.1}",
                            epoch.epoch, epoch.loss, recall.r1, recall.r10
                        );
                    }
                }
                Err(error) => println!("{norm:?} {rate:e}: {error}"),
            }
        }
    }
    Ok(())
}
