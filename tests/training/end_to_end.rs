//! Heads and feature networks together against the PyTorch twin of tests/golden/end_to_end.py.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use undertone::error::Result;
use undertone::networks::mrcmv::{self, Mrcmv, Presence, QueryInput};
use undertone::networks::slowfast::{self, SlowFast};
use undertone::networks::vggish::{self, Vggish};
use undertone::training::sampler::{Absent, Draw};
use undertone::training::{Config, Cut, EndToEnd, Example, Learner, Objective, Stored, Together, Variables};

use crate::golden::{check, noise, reference, weight};

const BATCH: usize = 3;
const LABELS: [u32; BATCH] = [0, 2, 4];
const D_E: usize = 24;
const CLASSES: usize = 5;
/// Single precision against double, through the last stages.
const LAST_TOLERANCE: f32 = 5e-4;
/// The same through fifty layers, where some unit near zero falls on the other side of its ReLU and takes its term of a
/// gradient with it. What the passes add up to is checked exactly by itself.
const ALL_TOLERANCE: f32 = 2e-2;

fn configs() -> Together {
    let vggish = vggish::Config {
        width: 1.0 / 16.0,
        ..vggish::Config::default()
    };
    Together {
        mrcmv: mrcmv::Config {
            slow_dim: 256,
            fast_dim: 32,
            d_e: D_E,
            ..mrcmv::Config::default()
        },
        slowfast: slowfast::Config {
            width: 0.125,
            ..slowfast::Config::default()
        },
        vggish_voice: vggish.clone(),
        vggish_bgm: vggish,
    }
}

/// Every parameter as the script has it, by its path.
fn parameters(configs: &Together) -> Result<HashMap<String, Tensor>> {
    let drawn = Variables::drawn(&Device::Cpu, 0, |vb| {
        Mrcmv::new(&configs.mrcmv, vb.clone())?;
        SlowFast::new(&configs.slowfast, vb.pp(Together::SLOWFAST))?;
        Vggish::new(&configs.vggish_voice, vb.pp(Together::VGGISH_VOICE))?;
        Vggish::new(&configs.vggish_bgm, vb.pp(Together::VGGISH_BGM))?;
        Ok(())
    })?;
    Ok(drawn
        .iter()
        .map(|(name, variable)| (name.to_owned(), weight(name, variable.shape())))
        .collect())
}

fn store(folder: &Path, file: &str, tensor: Tensor) -> Result<Stored> {
    let path = folder.join(file);
    // Only a network with a layer for it looks at the chroma.
    let chroma = noise(&format!("chroma {file}"), (8, 12));
    candle_core::safetensors::save(&HashMap::from([("clip", tensor), ("clip chroma", chroma)]), &path)?;
    Ok(Stored {
        file: path,
        name: "clip",
    })
}

fn examples(folder: &Path) -> Result<Vec<Example<Stored, Stored>>> {
    (0..BATCH)
        .map(|item| {
            // In the script's own order, lest a pixel round the other way.
            let frames = (noise(&format!("frames {item}"), (3, 64, 32, 32)) + 1.0)?;
            let frames = (frames * 127.5)?.to_dtype(DType::U8)?;
            // Eight rows are enough for the steps at the gate.
            let patches = |what: &str| noise(&format!("{what} {item}"), (8, 1, 96, 64));
            Ok(Example {
                video: item,
                bgm: item,
                duration_s: 20.0,
                cuts: vec![Cut {
                    start_s: 0.0,
                    picture: Some(store(folder, &format!("{item}.picture"), frames)?),
                    voices: vec![store(folder, &format!("{item}.voice"), patches("voice"))?],
                    bgms: vec![store(folder, &format!("{item}.music"), patches("music"))?],
                }],
            })
        })
        .collect()
}

fn batch() -> Vec<Draw> {
    // The last query has no picture, and the second no voice.
    let absent = [Absent::Nothing, Absent::Voice, Absent::Picture];
    (0..BATCH)
        .map(|item| Draw {
            item,
            cut: 0,
            voice: 0,
            bgm: 0,
            label: LABELS[item],
            absent: absent[item],
        })
        .collect()
}

/// Checks loss, embeddings and the gradient of everything that `learns`.
fn check_scope(tolerance: f32, learns: impl Fn(&str) -> bool) -> Result<()> {
    let golden = reference("end_to_end");
    let configs = configs();
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut variables = Variables::drawn(&Device::Cpu, 0, |_| Ok(()))?;
    let mut constants = HashMap::new();
    for (name, tensor) in parameters(&configs)? {
        if learns(&name) && !name.contains("running_") {
            variables.insert(&name, &tensor)?;
        } else {
            constants.insert(name, tensor);
        }
    }
    let examples = examples(folder.path())?;
    let shapes: Vec<_> = examples.iter().map(Example::shape).collect();
    let learner = EndToEnd::new(&configs, &variables, constants, examples, Vec::new())?;
    for name in ["classifier.joint", "classifier.bgm"] {
        let values = (noise(name, (D_E, CLASSES)) / (D_E as f64).sqrt())?;
        variables.insert(name, &values)?;
    }
    let (joint, bgm) = learner.embed(&batch())?;
    check("joint", &joint, &golden["joint"]);
    check("bgm", &bgm, &golden["bgm"]);
    let config = Config::default();
    let objective = Objective::new(&config, &shapes, &variables, 1);
    let (loss, gradients) = learner.gradients(&batch(), &objective)?;
    check("loss", &loss.reshape(1)?, &golden["loss"]);
    let norm_and_product = |name: &str| golden[&format!("gradient.{name}")].to_vec1::<f32>();
    let mut scale = 0f32;
    for (name, _) in variables.iter() {
        scale = scale.max(norm_and_product(name)?[0]);
    }
    let (mut checked, mut errors) = (0, Vec::new());
    for (name, variable) in variables.iter() {
        let gradient = gradients.get(variable).expect("a gradient");
        let expected = norm_and_product(name)?;
        let probe = noise(&format!("probe {name}"), gradient.shape());
        let norm = gradient.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?;
        let product = (gradient * probe)?.sum_all()?.to_scalar::<f32>()?;
        let worst = (norm - expected[0]).abs().max((product - expected[1]).abs());
        // Where a gradient all but vanishes, rounding is left.
        errors.push((worst / expected[0].max(1e-3 * scale), name));
        checked += 1;
    }
    errors.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(errors[0].0 < tolerance, "{:?}", &errors[..12]);
    assert!(checked > 20, "{checked}");
    Ok(())
}

#[test]
fn every_gradient_equals_the_twins() -> Result<()> {
    check_scope(ALL_TOLERANCE, |_| true)
}

#[test]
fn the_last_stages_learn_alone() -> Result<()> {
    check_scope(LAST_TOLERANCE, |name| match name.split_once('.') {
        Some(("slowfast", rest)) => rest.starts_with("blocks.4."),
        Some(("vggish_voice" | "vggish_bgm", rest)) => rest.starts_with("embeddings."),
        _ => true,
    })
}

/// Clip by clip or all at once: the same gradients, of the layer for chroma too.
#[test]
fn the_passes_add_up_to_one_through_everything() -> Result<()> {
    let mut configs = configs();
    configs.vggish_bgm.chroma = true;
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut variables = Variables::drawn(&Device::Cpu, 0, |_| Ok(()))?;
    for (name, tensor) in parameters(&configs)? {
        variables.insert(&name, &tensor)?;
    }
    let examples = examples(folder.path())?;
    let shapes: Vec<_> = examples.iter().map(Example::shape).collect();
    let config = Config {
        lambda: 0.0,
        ..Config::default()
    };
    let objective = Objective::new(&config, &shapes, &variables, 1);

    let vb = variables.builder();
    let slowfast = SlowFast::new(&configs.slowfast, vb.pp(Together::SLOWFAST))?;
    let voice = Vggish::new(&configs.vggish_voice, vb.pp(Together::VGGISH_VOICE))?;
    let bgm = Vggish::new(&configs.vggish_bgm, vb.pp(Together::VGGISH_BGM))?;
    let heads = Mrcmv::new(&configs.mrcmv, vb.clone())?;
    let load = |stored: &Stored| stored.load(&Device::Cpu);
    let (mut slow, mut fast, mut voices, mut music) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for example in &examples {
        let cut = &example.cuts[0];
        let frames = slowfast::normalised(&load(cut.picture.as_ref().expect("a picture"))?)?;
        let rows = slowfast.forward(&slowfast::slow_frames(&frames)?, &frames)?;
        slow.push(rows.0);
        fast.push(rows.1);
        voices.push(voice.forward(&load(&cut.voices[0])?)?);
        let (patches, chroma) = cut.bgms[0].load_with_chroma(&Device::Cpu)?;
        music.push(bgm.rows(&patches, chroma.as_ref())?);
    }
    let input = QueryInput {
        picture: Some((Tensor::cat(&slow, 0)?, Tensor::cat(&fast, 0)?)),
        voice: Some(Tensor::stack(&voices, 0)?),
    };
    let present = Presence {
        picture: Some(Tensor::new(&[1f32, 1.0, 0.0], &Device::Cpu)?),
        voice: Some(Tensor::new(&[1f32, 0.0, 1.0], &Device::Cpu)?),
    };
    let joint = heads.query_present(&input, &present, 0.0)?.embedding;
    let tracks = heads.bgm(&Tensor::stack(&music, 0)?)?;
    let at_once = objective.loss(&joint, &tracks, &batch())?.backward()?;

    let learner = EndToEnd::new(&configs, &variables, HashMap::new(), examples, Vec::new())?;
    let (_, in_passes) = learner.gradients(&batch(), &objective)?;
    let size = |tensor: &Tensor| -> Result<f32> { Ok(tensor.sqr()?.sum_all()?.sqrt()?.to_scalar()?) };
    let (mut compared, mut heard_a_key) = (0, false);
    for (name, variable) in variables.iter() {
        if let (Some(whole), Some(parts)) = (at_once.get(variable), in_passes.get(variable)) {
            let error = size(&(whole - parts)?)? / size(whole)?.max(1e-3);
            assert!(error < 1e-4, "{name}: {error:.1e}");
            heard_a_key |= name == "vggish_bgm.chroma.weight" && size(whole)? > 0.0;
            compared += 1;
        }
    }
    assert!(compared > 390 && heard_a_key, "{compared}");
    Ok(())
}
