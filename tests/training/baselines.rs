//! CMMR and CBVMR against the PyTorch twins of tests/golden/baselines.py.

use candle_core::Tensor;
use undertone::error::Result;
use undertone::networks::cbvmr::{self, Cbvmr};
use undertone::networks::cmmr::{self, Cmmr};
use undertone::training::sampler::{Absent, Draw};
use undertone::training::{
    CbvmrSides, CmmrStreams, Config, Cut, Example, Learner, Objective, Variables, tag_names, tag_targets,
};

use crate::golden::{check, device, input, needs_device, reference, weight};

const BATCH: usize = 6;
/// Identities of the golden batch, as in the script.
const VIDEOS: [usize; BATCH] = [0, 1, 2, 3, 1, 4];
const BGMS: [usize; BATCH] = [0, 1, 2, 3, 4, 2];

fn golden_variables(drawn: Variables) -> Result<Variables> {
    for (name, variable) in drawn.iter() {
        drawn.set(name, &weight(name, variable.shape()).to_device(&device())?)?;
    }
    Ok(drawn)
}

/// The golden batch, with `music` as the BGM of each item.
fn examples(music: &Tensor) -> Result<Vec<Example>> {
    let slow = input("slow", (BATCH, 8, 6)).broadcast_add(&input("look", (BATCH, 1, 6)))?;
    let fast = input("fast", (BATCH, 64, 3));
    (0..BATCH)
        .map(|item| {
            Ok(Example {
                video: VIDEOS[item],
                bgm: BGMS[item],
                duration_s: 20.0,
                cuts: vec![Cut {
                    start_s: 0.0,
                    picture: Some((slow.get(item)?, fast.get(item)?)),
                    voices: Vec::new(),
                    bgms: vec![music.get(item)?],
                }],
            })
        })
        .collect()
}

fn batch() -> Vec<Draw> {
    (0..BATCH)
        .map(|item| Draw {
            item,
            cut: 0,
            voice: 0,
            bgm: 0,
            label: 0,
            absent: Absent::Voice,
        })
        .collect()
}

/// Loss and gradients of the golden batch.
fn check_gradients(case: &str, learner: &dyn Learner, variables: &Variables) -> Result<()> {
    let golden = reference("baselines");
    let config = Config::default();
    let shapes: Vec<_> = examples(&Tensor::zeros((BATCH, 1), candle_core::DType::F32, &device())?)?
        .iter()
        .map(Example::shape)
        .collect();
    let objective = Objective::new(&config, &shapes, variables, 1);
    let (loss, gradients) = learner.gradients(&batch(), &objective)?;
    check(case, &loss.reshape(1)?, &golden[&format!("{case}.loss")]);
    for (name, variable) in variables.iter() {
        match golden.get(&format!("{case}.gradient.{name}")) {
            Some(expected) => {
                let gradient = gradients.get(variable).expect("a gradient");
                // A bias before batch norm moves nothing.
                let vanishes = |tensor: &Tensor| -> Result<bool> {
                    Ok(tensor.abs()?.max_all()?.to_scalar::<f32>()? < 1e-6)
                };
                if !(vanishes(gradient)? && vanishes(expected)?) {
                    check(name, gradient, expected);
                }
            }
            None => assert!(gradients.get(variable).is_none(), "{name} has a gradient"),
        }
    }
    Ok(())
}

#[test]
fn cmmr_equals_its_twin() -> Result<()> {
    needs_device!();
    let golden = reference("baselines");
    let config = cmmr::Config {
        slow_dim: 6,
        fast_dim: 3,
        music_dim: 10,
        hidden: 12,
        d_e: 9,
        tags: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
    };
    let variables = golden_variables(Variables::drawn(&device(), 0, |vb| {
        Cmmr::new(&config, vb).map(drop)
    })?)?;
    let rows = input("rows", (BATCH, 72, 10)).broadcast_add(&input("mood", (BATCH, 1, 10)))?;
    let targets: Vec<Vec<f32>> = input("targets", (BATCH, 4))
        .to_vec2::<f32>()?
        .into_iter()
        .map(|row| {
            row.into_iter()
                .map(|value| f32::from(u8::from(value > 0.0)))
                .collect()
        })
        .collect();
    let streams = CmmrStreams::new(
        &config,
        &variables,
        examples(&rows)?,
        Some(&targets),
        examples(&rows)?
            .into_iter()
            .flat_map(|example| example.cuts)
            .collect(),
    )?;
    let (video, music) = streams.embed_held_out(0..streams.held_out())?;
    check("video", &video, &golden["cmmr.video"]);
    check("music", &music, &golden["cmmr.music"]);
    let network = Cmmr::new(&config, variables.builder())?;
    check(
        "tags",
        &network.music(&rows)?.tags.detach(),
        &golden["cmmr.music_tags"],
    );
    check_gradients("cmmr", &streams, &variables)
}

#[test]
fn cbvmr_equals_its_twin() -> Result<()> {
    needs_device!();
    let golden = reference("baselines");
    let config = cbvmr::Config {
        slow_dim: 6,
        fast_dim: 3,
        music_dim: 20,
        video_layers: vec![14],
        music_layers: vec![13, 11],
        d_e: 8,
    };
    let variables = Variables::drawn(&device(), 0, |vb| Cbvmr::new(&config, vb).map(drop))?;
    assert_eq!(variables.get("video_norm.weight")?.to_vec1::<f32>()?, [1.0; 8]);
    let sounds = (input("sounds", (BATCH, 20)) * 3.0)?;
    let cuts = examples(&sounds)?
        .into_iter()
        .flat_map(|example| example.cuts)
        .collect::<Vec<_>>();
    let sides = CbvmrSides::new(&config, &variables, &examples(&sounds)?, &cuts)?;
    // The scales were set from the examples; the twin has its own.
    let mean = sounds.mean(0)?;
    check("scale", variables.get("music_scale.running_mean")?, &mean);
    let variables = golden_variables(variables)?;
    let (video, music) = sides.embed_held_out(0..sides.held_out())?;
    check("video", &video, &golden["cbvmr.video"]);
    check("music", &music, &golden["cbvmr.music"]);
    check_gradients("cbvmr", &sides, &variables)?;
    for name in ["video_norm", "music_norm"] {
        for part in ["running_mean", "running_var"] {
            let name = format!("{name}.{part}");
            check(&name, variables.get(&name)?, &golden[&format!("cbvmr.{name}")]);
        }
    }
    Ok(())
}

#[test]
fn tags_become_targets() {
    let items = [vec!["calm".to_owned(), "battle".to_owned()], Vec::new()];
    let names = tag_names(items.iter().map(Vec::as_slice));
    assert_eq!(names, ["battle", "calm"]);
    assert_eq!(tag_targets(&names, &["calm".to_owned()]), [0.0, 1.0]);
    assert_eq!(tag_targets(&names, &[]), [0.0, 0.0]);
}
