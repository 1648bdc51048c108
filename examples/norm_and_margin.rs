//! How norm, margin and learning rate go together: trains MRCMV's heads on made-up features at every norm and several
//! rates, and prints loss and held-out recall. The figures stand in `src/training/config.rs`.
//!
//!     cargo run --release --example norm_and_margin [EPOCHS]

#![allow(clippy::print_stdout, reason = "a measurement prints what it finds")]

#[path = "../tests/training/made_up.rs"]
mod made_up;

use candle_core::Device;
use undertone::error::{Error, ErrorKind, Result};
use undertone::jobs::Monitor;
use undertone::networks::mrcmv::{Config as Network, Mrcmv, Norm};
use undertone::training::sampler::Sampler;
use undertone::training::{Config, Cut, Example, Heads, OptimizerConfig, Outcome, Run, Variables, train};

use made_up::{examples, related};

const ITEMS: usize = 64;

fn main() -> Result<()> {
    let epochs = std::env::args().nth(1).map_or(Ok(60), |text| {
        text.parse()
            .map_err(|_| Error::new(ErrorKind::Input, format!("{text}: give a number of epochs")))
    })?;
    let examples = examples(&related(ITEMS, 1)?);
    let held_out = related(ITEMS, 2)?;
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
        until_converged: false,
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
        redraw: None,
        variables,
        folder: folder.path(),
        about: serde_json::Value::Null,
    };
    train(run, false, &mut |_| {}, &Monitor::silent())
}
