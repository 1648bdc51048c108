//! How norm, margin and learning rate go together: trains MRCMV's heads on made-up features at every norm and several
//! rates, and prints loss and held-out recall. The figures stand in `src/training/config.rs`.
//!
//!     cargo run --release --example norm_and_margin [EPOCHS]

#![allow(clippy::print_stdout, reason = "a measurement prints what it finds")]

use candle_core::{Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use undertone::error::{Error, ErrorKind, Result};
use undertone::jobs::Monitor;
use undertone::networks::mrcmv::{Config as Network, Mrcmv, Norm};
use undertone::training::sampler::Sampler;
use undertone::training::{Config, Cut, Example, Heads, OptimizerConfig, Outcome, Run, Variables, train};

const ITEMS: usize = 64;

fn main() -> Result<()> {
    let epochs = std::env::args().nth(1).map_or(Ok(60), |text| {
        text.parse()
            .map_err(|_| Error::new(ErrorKind::Input, format!("{text}: give a number of epochs")))
    })?;
    let examples: Vec<Example> = related(1)?
        .into_iter()
        .enumerate()
        .map(|(index, cut)| Example {
            video: index,
            bgm: index,
            duration_s: 20.0,
            cuts: vec![cut],
        })
        .collect();
    let held_out = related(2)?;
    println!("norm      rate   epoch       loss  held-out R@1 / R@10");
    for norm in [Norm::Unit, Norm::SqrtDim, Norm::None] {
        for rate in [1e-6, 1e-5, 1e-4] {
            match trained(norm, rate, epochs, examples.clone(), held_out.clone()) {
                Ok(outcome) => {
                    for epoch in outcome.epochs.iter().step_by((epochs / 4).max(1)) {
                        let (r1, r10) = epoch
                            .validation
                            .map_or((f64::NAN, f64::NAN), |recall| (recall.r1, recall.r10));
                        let name = format!("{norm:?}");
                        println!(
                            "{name:8} {rate:6.0e} {:6} {:10.1}  {r1:.1} / {r10:.1}",
                            epoch.epoch, epoch.loss
                        );
                    }
                }
                Err(error) => println!("{norm:?} {rate:.0e}: {error}"),
            }
        }
    }
    Ok(())
}

/// Items whose music follows from voice and picture: the same few numbers, turned, plus noise.
fn related(seed: u64) -> Result<Vec<Cut>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..ITEMS)
        .map(|_| {
            let mood: Vec<f32> = (0..6).map(|_| rng.random_range(-1.0..1.0)).collect();
            let mut rows = |count: usize, width: usize, shift: usize| -> Result<Tensor> {
                let values: Vec<f32> = (0..count * width)
                    .map(|at| mood[(at % width + shift) % 6] + rng.random_range(-0.3..0.3))
                    .collect();
                Ok(Tensor::from_vec(values, (count, width), &Device::Cpu)?)
            };
            Ok(Cut {
                start_s: 0.0,
                picture: Some((rows(8, 12, 1)?, rows(64, 6, 2)?)),
                voices: vec![rows(72, 16, 3)?],
                bgms: vec![rows(72, 16, 4)?],
            })
        })
        .collect()
}

fn trained(
    norm: Norm,
    rate: f64,
    epochs: usize,
    examples: Vec<Example>,
    held_out: Vec<Cut>,
) -> Result<Outcome> {
    let network = Network {
        slow_dim: 12,
        fast_dim: 6,
        d: 16,
        heads: 4,
        norm,
        ..Network::default()
    };
    let config = Config {
        epochs,
        optimizer: OptimizerConfig::Sgd { rate, momentum: 0.9 },
        ..Config::default()
    };
    let folder = tempfile::tempdir().map_err(|source| {
        Error::internal("there is no place for temporary files; free some space").with_source(source)
    })?;
    let variables = Variables::drawn(&Device::Cpu, config.seed, |vb| Mrcmv::new(&network, vb).map(drop))?;
    let shapes = examples.iter().map(Example::shape).collect();
    let sampler = Sampler::new(shapes, config.modality_dropout, config.seed);
    let heads = Heads::new(&network, &variables, examples, held_out)?;
    let run = Run {
        config: &config,
        sampler: &sampler,
        learner: &heads,
        variables,
        folder: folder.path(),
        about: serde_json::Value::Null,
    };
    train(run, false, &mut |_| {}, &Monitor::silent())
}
