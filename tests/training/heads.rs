//! MRCMV's heads on tiny made-up features.

use candle_core::{Device, Tensor};
use undertone::error::Result;
use undertone::jobs::Monitor;
use undertone::networks::mrcmv::{Config as Network, Mrcmv};
use undertone::retrieval::{ranks, recall};
use undertone::training::sampler::Sampler;
use undertone::training::{
    Config, Cut, Epoch, Example, Heads, Learner, OptimizerConfig, Outcome, Run, Variables, train,
};

use super::made_up::{examples, related};
use super::values;

/// The network of the golden steps.
pub(super) fn small_network() -> Network {
    Network {
        slow_dim: 12,
        fast_dim: 6,
        d: 16,
        heads: 4,
        steps: 8,
        d_e: 24,
        ..Network::default()
    }
}

pub(super) fn drawn(config: &Network, seed: u64) -> Result<Variables> {
    drawn_on(&Device::Cpu, config, seed)
}

pub(super) fn drawn_on(device: &Device, config: &Network, seed: u64) -> Result<Variables> {
    Variables::drawn(device, seed, |vb| Mrcmv::new(config, vb).map(drop))
}

fn train_heads(
    network: &Network,
    config: &Config,
    examples: Vec<Example>,
    validation: Vec<Cut>,
) -> Result<Outcome> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let variables = drawn(network, config.seed)?;
    let shapes = examples.iter().map(Example::shape).collect();
    let sampler = Sampler::new(shapes, config.modality_dropout, config.seed);
    let heads = Heads::new(network, &variables, examples, validation)?;
    let run = Run {
        config,
        sampler: &sampler,
        learner: &heads,
        redraw: None,
        variables,
        folder: folder.path(),
        about: serde_json::Value::Null,
    };
    train(run, false, &mut |_: &Epoch| {}, &Monitor::silent())
}

/// A network and a config that learn in a second what the defaults learn in minutes: sums over a narrower embedding are
/// smaller, and so the rate is larger.
fn quick(epochs: usize) -> (Network, Config) {
    let network = Network {
        d_e: 64,
        ..small_network()
    };
    let config = Config {
        epochs,
        until_converged: false,
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

/// Items whose voice, picture and music have nothing to do with each other, but whose voice keeps a trace of the music
/// that it was separated from: its own in `traced`, that of `others` in the renderings of training.
struct Null {
    clean: Vec<Cut>,
    traced: Vec<Cut>,
    swapped: Vec<Cut>,
}

fn null(items: usize, seed: u64) -> Result<Null> {
    let (voices, pictures, music) = (
        related(items, seed)?,
        related(items, seed + 1)?,
        related(items, seed + 2)?,
    );
    let traced =
        |item: usize, of: usize| -> Result<Tensor> { Ok((&voices[item].voices[0] + &music[of].voices[0])?) };
    let cut = |item: usize, voices: Vec<Tensor>| Cut {
        start_s: 0.0,
        picture: pictures[item].picture.clone(),
        voices,
        bgms: music[item].bgms.clone(),
    };
    let all = |voices_of: &dyn Fn(usize) -> Result<Vec<Tensor>>| -> Result<Vec<Cut>> {
        (0..items).map(|item| Ok(cut(item, voices_of(item)?))).collect()
    };
    Ok(Null {
        clean: all(&|item| Ok(voices[item].voices.clone()))?,
        traced: all(&|item| Ok(vec![traced(item, item)?]))?,
        swapped: all(&|item| {
            [7, 11, 13, 17]
                .into_iter()
                .map(|step| traced(item, (item + step) % items))
                .collect()
        })?,
    })
}

/// The leak of the paper's pairing (reading, point 7): where there is nothing to learn, whatever it scores is the trace.
#[test]
fn swapped_training_stays_at_chance_where_the_papers_finds_the_trace() -> Result<()> {
    let (network, config) = quick(16);
    let config = Config {
        modality_dropout: 0.0,
        ..config
    };
    let (train, held_out) = (null(64, 10)?, null(60, 20)?);
    // Under both protocols: stems cut from the mix, and clean ones.
    let r10 = |cuts: &[Cut]| -> Result<(f64, f64)> {
        let outcome = train_heads(&network, &config, examples(cuts), Vec::new())?;
        let variables = drawn(&network, 0)?;
        for (name, weights) in &outcome.weights {
            variables.set(name, weights)?;
        }
        let score = |validation: &[Cut]| -> Result<f64> {
            let heads = Heads::new(&network, &variables, Vec::new(), validation.to_vec())?;
            let (joint, bgm) = heads.embed_held_out(0..heads.held_out())?;
            let ranks = ranks(&values(&joint), &values(&bgm), network.d_e, heads.metric());
            Ok(recall(&ranks).r10)
        };
        Ok((score(&held_out.traced)?, score(&held_out.clean)?))
    };
    let (paper, swapped) = (r10(&train.traced)?, r10(&train.swapped)?);
    // 10 of 60 are 16.7 %; the standard error of chance is 4.8.
    println!("paper {paper:?}, swapped {swapped:?}");
    assert!(paper.0 > 40.0, "the trace is there to be found: {paper:?}");
    assert!(paper.1 < 33.0, "{paper:?}");
    assert!(swapped.0 < 33.0 && swapped.1 < 33.0, "{swapped:?}");
    Ok(())
}
