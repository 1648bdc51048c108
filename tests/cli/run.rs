//! `models run`: every network on given tensors gives the reference's numbers.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use undertone::error::Result;
use undertone::networks::cbvmr::{self, Cbvmr};
use undertone::networks::cmmr::{self, Cmmr};
use undertone::networks::mrcmv::{self, Mrcmv};
use undertone::networks::slowfast::{self, SlowFast};
use undertone::networks::spleeter::{self, Spleeter};
use undertone::networks::vggish::{self, Vggish};
use undertone::training::Variables;

use super::golden::{check, noise, reference, weight};
use super::*;

type Tensors = HashMap<&'static str, Tensor>;

/// Writes the golden weights of the network that `new` builds.
fn write_weights(file: &Path, new: impl FnOnce(VarBuilder<'_>) -> Result<()>) {
    let drawn = Variables::drawn(&Device::Cpu, 0, new).expect("a network");
    let weights: HashMap<String, Tensor> = drawn
        .iter()
        .map(|(name, variable)| (name.to_owned(), weight(name, variable.shape())))
        .collect();
    candle_core::safetensors::save(&weights, file).expect("saved");
}

/// Runs `network` twice on `inputs` and returns what it wrote.
fn outputs(home: &Path, network: &str, inputs: &Tensors) -> HashMap<String, Tensor> {
    let file = |name: &str| home.join(format!("{network}.{name}.safetensors"));
    candle_core::safetensors::save(inputs, file("input")).expect("saved");
    let report = answer(
        &run!(
            home,
            "models",
            "run",
            network,
            "--weights",
            file("weights"),
            "--input",
            file("input"),
            "--out",
            file("output"),
            "--repeat",
            "2",
            "--json"
        ),
        0,
    );
    let runs = report["runs_ms"].as_array().expect("a list");
    assert_eq!(runs.len(), 2);
    assert!(
        runs.iter().all(|run| run.as_f64().is_some_and(|ms| ms > 0.0)),
        "{report}"
    );
    candle_core::safetensors::load(file("output"), &Device::Cpu).expect("outputs")
}

#[test]
fn feature_networks_give_the_references_numbers() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let home = home.path();
    let weights = |network: &str| home.join(format!("{network}.weights.safetensors"));

    let config = vggish::Config {
        width: 0.125,
        ..vggish::Config::default()
    };
    write_weights(&weights("vggish"), |vb| Vggish::new(&config, vb).map(drop));
    let patches = (noise("patches", (3, 1, 96, 64)) * 4.0)?;
    let given = outputs(home, "vggish", &Tensors::from([("patches", patches.clone())]));
    check("vggish", &given["embedding"], &reference("vggish")["original"]);

    // The layer for chroma is found in the weights, and does without its input.
    let config = vggish::Config {
        chroma: true,
        ..config
    };
    write_weights(&weights("vggish"), |vb| Vggish::new(&config, vb).map(drop));
    let without = outputs(home, "vggish", &Tensors::from([("patches", patches.clone())]));
    check("without chroma", &without["embedding"], &given["embedding"]);
    let chroma = noise("degrees", (3, 12));
    let with = Tensors::from([("patches", patches), ("chroma", chroma.clone())]);
    let with = outputs(home, "vggish", &with);
    let added = chroma.matmul(&weight("chroma.weight", &(128, 12).into()).t()?)?;
    check("with chroma", &with["embedding"], &(&given["embedding"] + added)?);

    let config = slowfast::Config {
        width: 0.125,
        ..slowfast::Config::default()
    };
    write_weights(&weights("slowfast"), |vb| SlowFast::new(&config, vb).map(drop));
    let inputs = Tensors::from([
        ("slow", noise("slow", (2, 3, 8, 64, 64))),
        ("fast", noise("fast", (2, 3, 64, 64, 64))),
    ]);
    let given = outputs(home, "slowfast", &inputs);
    for pathway in ["slow", "fast"] {
        check(
            pathway,
            &given[pathway],
            &reference("slowfast")[&format!("r50.4.{pathway}")],
        );
    }

    let config = spleeter::Config {
        width: 0.25,
        ..spleeter::Config::default()
    };
    write_weights(&weights("spleeter"), |vb| Spleeter::new(&config, vb).map(drop));
    let magnitude = (noise("magnitude", (1, 2, 64, 128)).abs()? * 4.0)?;
    let given = outputs(home, "spleeter", &Tensors::from([("magnitude", magnitude)]));
    let every: Vec<u32> = (0..128).step_by(2).collect();
    let every = Tensor::new(every, &Device::Cpu)?;
    for (at, stem) in ["voice", "bgm"].into_iter().enumerate() {
        let expected = &reference("spleeter")[&format!("two.{at}")];
        check(stem, &given[stem].index_select(&every, 3)?, expected);
    }
    Ok(())
}

#[test]
fn retrieval_networks_give_the_references_numbers() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let home = home.path();
    let weights = |network: &str| home.join(format!("{network}.weights.safetensors"));

    let config = mrcmv::Config::default();
    write_weights(&weights("mrcmv"), |vb| Mrcmv::new(&config, vb).map(drop));
    let inputs = Tensors::from([
        ("slow", noise("slow", (2, 8, 2048))),
        ("fast", noise("fast", (2, 64, 256))),
        ("vggish_voice", noise("voice", (2, 72, 128))),
        ("vggish_bgm", noise("bgm", (2, 72, 128))),
    ]);
    let given = outputs(home, "mrcmv", &inputs);
    check(
        "query",
        &given["query_embedding"],
        &reference("mrcmv")["full.query"],
    );
    check("bgm", &given["bgm_embedding"], &reference("mrcmv")["full.bgm"]);

    let expected = reference("baselines");
    let slow = noise("slow", (6, 8, 6)).broadcast_add(&noise("look", (6, 1, 6)))?;
    let fast = noise("fast", (6, 64, 3));
    let config = cmmr::Config {
        slow_dim: 6,
        fast_dim: 3,
        music_dim: 10,
        hidden: 12,
        d_e: 9,
        tags: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
    };
    write_weights(&weights("cmmr"), |vb| Cmmr::new(&config, vb).map(drop));
    let rows = noise("rows", (6, 72, 10)).broadcast_add(&noise("mood", (6, 1, 10)))?;
    let inputs = Tensors::from([
        ("slow", slow.clone()),
        ("fast", fast.clone()),
        ("vggish_bgm", rows),
    ]);
    let given = outputs(home, "cmmr", &inputs);
    check("cmmr query", &given["query_embedding"], &expected["cmmr.video"]);
    check("cmmr bgm", &given["bgm_embedding"], &expected["cmmr.music"]);
    check("cmmr tags", &given["bgm_tags"], &expected["cmmr.music_tags"]);
    check(
        "cmmr query tags",
        &given["query_tags"],
        &expected["cmmr.video_tags"],
    );

    let config = cbvmr::Config {
        slow_dim: 6,
        fast_dim: 3,
        music_dim: 20,
        video_layers: vec![14],
        music_layers: vec![13, 11],
        d_e: 8,
    };
    write_weights(&weights("cbvmr"), |vb| Cbvmr::new(&config, vb).map(drop));
    let sounds = (noise("sounds", (6, 20)) * 3.0)?;
    let inputs = Tensors::from([("slow", slow), ("fast", fast), ("music_statistics", sounds)]);
    let given = outputs(home, "cbvmr", &inputs);
    check("cbvmr query", &given["query_embedding"], &expected["cbvmr.video"]);
    check("cbvmr bgm", &given["bgm_embedding"], &expected["cbvmr.music"]);

    // A baseline is no part of a pack of MRCMV, and weights of one network are not those of another.
    refused(
        &run!(home, "models", "import", weights("cmmr"), "--as", "cmmr"),
        &["cmmr", "--method cmmr"],
    );
    refused(
        &run!(home, "models", "import", weights("cmmr"), "--as", "vggish"),
        &["vggish"],
    );
    Ok(())
}
