//! Against the PyTorch twin of tests/golden/training_losses.py.

use std::collections::HashMap;
use std::path::Path;

use candle_core::Tensor;
use undertone::error::Result;
use undertone::training::losses::{Negatives, pseudo_label, triplet};
use undertone::training::sampler::{Absent, Draw, ItemShape};
use undertone::training::{
    Config, Cut, Example, Heads, Learner, Objective, ObjectiveConfig, Optimizer, OptimizerConfig, Variables,
};

use super::heads::{drawn_on, small_network};
use super::values;
use crate::golden::{TOLERANCE, TOLERANCE_ON_A_GPU, device, needs_device};

/// What tests/golden/training_losses.py wrote.
fn golden() -> HashMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/training_losses.safetensors");
    candle_core::safetensors::load(path, &device()).expect("golden file")
}

/// Identities of the golden batch, as in the script.
const VIDEOS: [usize; 6] = [0, 1, 2, 3, 1, 4];
const BGMS: [usize; 6] = [0, 1, 2, 3, 4, 2];
const LABELS: [u32; 6] = [0, 2, 3, 4, 1, 5];
const MARGIN: f64 = 30.0;

/// The golden batch.
fn batch() -> Vec<Draw> {
    (0..VIDEOS.len())
        .map(|item| Draw {
            item,
            cut: 0,
            voice: 0,
            bgm: 0,
            label: LABELS[item],
            absent: Absent::Nothing,
        })
        .collect()
}

/// Fails unless all values agree within the device's tolerance of the largest, which counts for one at least.
fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.dims(), theirs.dims(), "{what}");
    let theirs = values(theirs);
    let tolerance = if ours.device().is_cpu() {
        TOLERANCE
    } else {
        TOLERANCE_ON_A_GPU
    };
    let scale = theirs
        .iter()
        .fold(1f32, |largest, value| largest.max(value.abs()));
    for (ours, theirs) in values(ours).into_iter().zip(theirs) {
        assert!(
            (ours - theirs).abs() <= tolerance as f32 * scale,
            "{what}: {ours} is not {theirs}"
        );
    }
}

#[test]
fn losses_and_gradients_equal_the_pytorch_twin() -> Result<()> {
    needs_device!();
    let golden = golden();
    let mut variables = Variables::drawn(&device(), 0, |_| Ok(()))?;
    for name in ["joint", "bgm", "w_joint", "w_bgm"] {
        variables.insert(name, &golden[&format!("losses.{name}")])?;
    }
    let get = |name: &str| variables.get(name);
    let negatives = Negatives::new(&VIDEOS, &BGMS, &device())?;
    let labels = Tensor::new(&LABELS, &device())?;
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

/// Through [`Objective`], since what it weighs is part of it.
#[test]
fn the_contrastive_objective_equals_the_pytorch_twin() -> Result<()> {
    needs_device!();
    let golden = golden();
    let mut variables = Variables::drawn(&device(), 0, |_| Ok(()))?;
    let names = [
        ("joint", "joint"),
        ("bgm", "bgm"),
        ("w_joint", "classifier.joint"),
        ("w_bgm", "classifier.bgm"),
    ];
    for (name, variable) in names {
        variables.insert(variable, &golden[&format!("losses.{name}")])?;
    }
    let items: Vec<ItemShape> = (0..VIDEOS.len())
        .map(|item| ItemShape {
            video: VIDEOS[item],
            bgm: BGMS[item],
            duration_s: 40.0,
            cuts: Vec::new(),
        })
        .collect();
    let config = Config {
        objective: ObjectiveConfig::contrastive(),
        ..Config::default()
    };
    let objective = Objective::new(&config, &items, &variables, 1);
    let loss = objective.loss(variables.get("joint")?, variables.get("bgm")?, &batch())?;
    assert_close("loss", &loss, &golden["contrastive.value"]);
    let gradients = loss.backward()?;
    for (name, variable) in names {
        let gradient = gradients.get(variables.get(variable)?).expect("gradient");
        assert_close(name, gradient, &golden[&format!("contrastive.grad.{name}")]);
    }
    Ok(())
}

#[test]
fn the_first_steps_equal_the_pytorch_twin() -> Result<()> {
    needs_device!();
    let golden = golden();
    let network = small_network();
    let mut variables = drawn_on(&device(), &network, 0)?;
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
    let negatives = Negatives::new(&VIDEOS, &BGMS, &device())?;
    let labels = Tensor::new(&LABELS, &device())?;
    let mut optimizer = Optimizer::new(OptimizerConfig::Sgd {
        rate: 2e-5,
        momentum: 0.9,
    });
    let mut losses = Vec::new();
    for step in 0..3 {
        let (joint, bgm) = heads.embed(&batch())?;
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
