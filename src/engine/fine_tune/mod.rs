//! Training a pack on a corpus.

mod request;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use candle_core::Tensor;
use sha2::{Digest, Sha256};

use super::Engine;
use super::clips::Clips;
use super::corpus::{Inspected, MediaFile, hex, inspect};
use super::pairs::pairs;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::networks::mrcmv::{self, Mrcmv};
use crate::networks::weights::{PackAbout, PackWriter};
use crate::training::sampler::Sampler;
use crate::training::{Epoch, Example, Heads, Outcome, Run, Variables, checkpoint_path, train};

pub use request::{EpochReport, FineTuneReport, FineTuneRequest, Method, Scope, Start};

/// Trains and writes a pack: MRCMV's heads learn, every other network is copied from the pack in use. `on_epoch` sees each
/// finished epoch, the state before training first, for live curves. The run's config, curves and checkpoint lie in
/// `out/run`.
///
/// # Errors
/// When the method or scope is not trained by this version, `out` holds a pack or an unfinished run that is not to be resumed, the
/// corpus cannot be used, the loss is not finite, the disk is full; cancelled (a checkpoint is kept for `resume`).
pub fn fine_tune(
    engine: &Engine,
    request: &FineTuneRequest,
    on_epoch: &(dyn Fn(EpochReport) + Sync),
    monitor: &Monitor,
) -> Result<FineTuneReport> {
    require_built(request)?;
    let without = switches(&request.without)?;
    let run_folder = request.out.join(RUN_FOLDER);
    let name = require_place(request, &run_folder)?;
    let network = network_config(engine, request, &without)?;

    let corpus = inspect(&request.corpus, &monitor.part(0.0, 0.1))?;
    let clips = Clips::new(engine)?;
    let pairs = pairs(
        &clips,
        &corpus,
        request.leak_free,
        request.cuts,
        request.seed,
        &monitor.part(0.1, 0.6),
    )?;

    let mut config = request.training.clone();
    config.epochs = request.epochs;
    config.seed = request.seed;
    if without.contains("pseudo-label") {
        config.lambda = 0.0;
    }
    let variables = start_weights(engine, request, &network)?;
    let sampler = Sampler::new(
        pairs.examples.iter().map(Example::shape).collect(),
        config.batch_size,
        config.modality_dropout,
        config.seed,
    );
    let used = pairs.examples.len();
    let held_out = pairs.validation.len();
    let heads = Heads::new(&network, &variables, pairs.examples, pairs.validation)?;
    let run = Run {
        config: &config,
        sampler: &sampler,
        learner: &heads,
        variables,
        folder: &run_folder,
        about: about(engine, request, &corpus, &network, pairs.pairing),
    };
    let report = |epoch: &Epoch| epoch_report(epoch, config.epochs, held_out);
    let outcome = train(
        run,
        request.resume,
        &mut |epoch| on_epoch(report(epoch)),
        &monitor.part(0.6, 1.0),
    )?;

    let provenance = format!(
        "MRCMV's heads trained on the corpus {} ({used} items, {} pairs, {} epochs, seed {}); other networks from the \
         pack {} {}: {}",
        corpus.name,
        pairs.pairing,
        outcome.epoch,
        request.seed,
        engine.pack().manifest.name,
        engine.pack().manifest.version,
        engine.pack().manifest.provenance
    );
    write_pack(engine, request, &name, &network, &without, provenance, &outcome)?;
    let recall_at = |epoch: usize| outcome.epochs.get(epoch).and_then(|epoch| epoch.validation);
    Ok(FineTuneReport {
        pack: request.out.clone(),
        before: recall_at(0),
        after: recall_at(outcome.epoch),
        epochs: outcome.epochs.iter().map(report).collect(),
        pairing: pairs.pairing.to_owned(),
        used,
        rejected: corpus.rejected.into_iter().chain(pairs.rejected).collect(),
    })
}

/// Folder of a run inside the pack that it makes.
const RUN_FOLDER: &str = "run";

/// What may be left out.
const SWITCHES: [&str; 4] = ["sa", "cma", "gate", "pseudo-label"];

fn require_built(request: &FineTuneRequest) -> Result<()> {
    let missing = match (request.method, request.scope) {
        (Method::Cmmr, _) => "--method cmmr is not trained by this version; choose mrcmv",
        (Method::Cbvmr, _) => "--method cbvmr is not trained by this version; choose mrcmv",
        (Method::Mrcmv, Scope::Last) => {
            "--scope last is not trained by this version: SlowFast and VGGish stay as they are; choose heads"
        }
        (Method::Mrcmv, Scope::All) => {
            "--scope all is not trained by this version: SlowFast and VGGish stay as they are; choose heads"
        }
        (Method::Mrcmv, Scope::Heads) => return Ok(()),
    };
    Err(Error::new(ErrorKind::Input, missing))
}

fn switches(without: &[String]) -> Result<BTreeSet<&str>> {
    without
        .iter()
        .map(|word| {
            SWITCHES.into_iter().find(|switch| switch == word).ok_or_else(|| {
                Error::new(
                    ErrorKind::Input,
                    format!("--without {word}: choose sa, cma, gate or pseudo-label"),
                )
            })
        })
        .collect()
}

/// The pack's name, once it is sure that nothing of worth lies where it will be.
fn require_place(request: &FineTuneRequest, run_folder: &Path) -> Result<String> {
    let out = &request.out;
    let name = std::path::absolute(out)
        .ok()
        .and_then(|out| Some(out.file_name()?.to_str()?.to_owned()))
        .ok_or_else(|| Error::input(out, "cannot name a pack; give a folder whose name is plain text"))?;
    let started = checkpoint_path(run_folder).exists();
    if started && !request.resume {
        return Err(Error::input(
            out,
            "holds a run already; add --resume to go on with it, or choose another folder",
        ));
    }
    if !started && out.join("pack.json").exists() {
        return Err(Error::input(
            out,
            "holds a pack that no run here made; choose another folder",
        ));
    }
    Ok(name)
}

/// The network to train: the pack's, with the switches and the norm asked for.
fn network_config(
    engine: &Engine,
    request: &FineTuneRequest,
    without: &BTreeSet<&str>,
) -> Result<mrcmv::Config> {
    let own: mrcmv::Config = engine.pack().config("mrcmv")?;
    Ok(mrcmv::Config {
        sa: !without.contains("sa"),
        cma: !without.contains("cma"),
        gate: !without.contains("gate"),
        norm: request.norm.unwrap_or(own.norm),
        ..own
    })
}

fn start_weights(engine: &Engine, request: &FineTuneRequest, network: &mrcmv::Config) -> Result<Variables> {
    let device = &engine.device().device;
    let variables = Variables::drawn(device, request.seed, |vb| Mrcmv::new(network, vb).map(drop))?;
    let own: mrcmv::Config = engine.pack().config("mrcmv")?;
    let same = (own.sa, own.cma, own.gate) == (network.sa, network.cma, network.gate);
    if request.start == Start::Pack && same {
        let parameters = engine.pack().parameters("mrcmv")?;
        for name in parameters.names() {
            if let Some(tensor) = parameters.get(name) {
                variables.set(name, tensor)?;
            }
        }
    }
    Ok(variables)
}

/// What must be equal for a run to be resumed, and what is written beside its curves.
fn about(
    engine: &Engine,
    request: &FineTuneRequest,
    corpus: &Inspected,
    network: &mrcmv::Config,
    pairing: &str,
) -> serde_json::Value {
    let mut hash = Sha256::new();
    for item in &corpus.items {
        let clean = |file: &Option<MediaFile>| file.as_ref().map(|file| file.sha256.clone());
        let line = (
            &item.id,
            item.split.word(),
            &item.video.sha256,
            clean(&item.voice),
            clean(&item.bgm),
        );
        hash.update(format!("{line:?}\n"));
    }
    let networks: BTreeMap<&String, &String> = engine
        .pack()
        .manifest
        .networks
        .iter()
        .map(|(network, entry)| (network, &entry.sha256))
        .collect();
    serde_json::json!({
        "corpus": hex(&hash.finalize()),
        "corpus_name": corpus.name,
        "pack": networks,
        "network": network,
        "scope": request.scope,
        "start": request.start,
        "cuts": request.cuts,
        "pairing": pairing,
    })
}

fn epoch_report(epoch: &Epoch, epochs: usize, held_out: usize) -> EpochReport {
    EpochReport {
        epoch: epoch.epoch,
        epochs,
        loss: epoch.loss,
        validation_r1: epoch.validation.map(|recall| recall.r1),
        // Among ten candidates or fewer everything is within the first ten.
        validation_r10: epoch
            .validation
            .filter(|_| held_out > 10)
            .map(|recall| recall.r10),
        margin: epoch.margin,
    }
}

fn write_pack(
    engine: &Engine,
    request: &FineTuneRequest,
    name: &str,
    network: &mrcmv::Config,
    without: &BTreeSet<&str>,
    provenance: String,
    outcome: &Outcome,
) -> Result<()> {
    let base = engine.pack();
    let weights: HashMap<String, Tensor> = outcome.weights.clone().into_iter().collect();
    let mut writer = PackWriter::new(PackAbout {
        name: name.to_owned(),
        version: "1".to_owned(),
        licence: base.manifest.licence.clone(),
        provenance,
        method: "mrcmv".to_owned(),
        without: without.iter().map(|&switch| switch.to_owned()).collect(),
    })?
    .network("mrcmv", network, &weights)?;
    for network in base
        .manifest
        .networks
        .keys()
        .filter(|network| *network != "mrcmv")
    {
        writer = writer.unchanged(network, base)?;
    }
    writer.write(&request.out).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> FineTuneRequest {
        FineTuneRequest::new(Path::new("corpus"), Path::new("out"))
    }

    #[test]
    fn what_this_version_does_not_train_is_said() {
        let check = |method: Method, scope: Scope, expected: Option<&str>| {
            let error = require_built(&FineTuneRequest {
                method,
                scope,
                ..request()
            })
            .err();
            let text = error.map(|error| error.to_string());
            match expected {
                None => assert_eq!(text, None),
                Some(expected) => assert!(text.is_some_and(|text| text.contains(expected)), "{expected}"),
            }
        };
        check(Method::Mrcmv, Scope::Heads, None);
        check(Method::Mrcmv, Scope::All, Some("--scope all"));
        check(Method::Cmmr, Scope::Heads, Some("--method cmmr"));
        check(Method::Cbvmr, Scope::Last, Some("--method cbvmr"));
        assert!(switches(&["gates".to_owned()]).is_err());
    }

    #[test]
    fn neither_a_pack_nor_a_run_is_overwritten() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let request = |resume| FineTuneRequest {
            out: folder.path().join("mine"),
            resume,
            ..request()
        };
        let place = |resume| require_place(&request(resume), &folder.path().join("mine/run"));
        assert_eq!(place(false).expect("free"), "mine");
        std::fs::create_dir_all(folder.path().join("mine/run")).expect("folder");
        std::fs::write(folder.path().join("mine/pack.json"), "{}").expect("write");
        for resume in [false, true] {
            let error = place(resume).expect_err("a pack of somebody else");
            assert!(error.to_string().contains("holds a pack"), "{error}");
        }
        std::fs::write(checkpoint_path(&folder.path().join("mine/run")), "x").expect("write");
        assert!(place(false).expect_err("run").to_string().contains("--resume"));
        assert!(place(true).is_ok());
    }
}
