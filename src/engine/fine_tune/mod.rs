//! Training a pack on a corpus.

mod build;
mod request;
mod system;
mod unfinished;
mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Engine;
use super::clips::Clips;
use super::corpus::{Inspected, inspect};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::networks::weights::{PackAbout, PackWriter};
use crate::training::sampler::Sampler;
use crate::training::{Epoch, ObjectiveConfig, Redraw, Run, checkpoint_path, train};

pub use request::{
    EpochReport, FineTuneReport, FineTuneRequest, Method, News, Scope, Source, Start, Understood,
};
use system::System;
pub(super) use unfinished::forget_run;
pub use unfinished::{Unfinished, discard, unfinished};

/// Trains and writes a pack; networks that do not learn are copied from the pack in use. `on_news` sees
/// each item that was understood and each finished epoch, for live lists and curves. The run's config, curves and checkpoint lie in `out/run`.
///
/// # Errors
/// When method, switches and scope do not go together, `out` holds a pack or an unfinished run that is not to be
/// resumed, the corpus cannot be used, the loss is not finite, the disk is full; cancelled (a checkpoint is kept for
/// `resume`).
pub fn fine_tune(
    engine: &Engine,
    request: &FineTuneRequest,
    on_news: &(dyn Fn(News) + Sync),
    monitor: &Monitor,
) -> Result<FineTuneReport> {
    require_sense(request)?;
    let without = switches(&request.without)?;
    let run_folder = request.out.join(RUN_FOLDER);
    let name = require_place(request, &run_folder)?;

    let corpus = inspect(&request.corpus, &monitor.part(0.0, 0.1));
    if corpus.as_ref().is_err_and(Error::is_cancelled) {
        // A pause may come at once, and what was asked is resumed all the same.
        unfinished::remember(request)?;
    }
    let corpus = corpus?;
    let system = System::new(engine, request, &without, &corpus)?;
    unfinished::remember(request)?;
    for item in &corpus.items {
        if let Some(remark) = &item.remark {
            monitor.warn(format!("{}: {remark}", item.id));
        }
    }
    run(&system, &without, corpus, name, on_news, monitor).inspect_err(|error| {
        unfinished::close(&request.out, error);
    })
}

/// Trains on a corpus that was looked over, and writes the pack.
fn run(
    system: &System<'_>,
    without: &BTreeSet<&str>,
    corpus: Inspected,
    name: String,
    on_news: &(dyn Fn(News) + Sync),
    monitor: &Monitor,
) -> Result<FineTuneReport> {
    let (engine, request) = (system.engine, system.request);
    let run_folder = request.out.join(RUN_FOLDER);
    let config = system.training(without);
    let on_item = |item: Understood| on_news(News::Understood(item));
    let clips = Clips::new(engine, system.listening())?;
    let drawn = run_folder.join(DRAWN_FOLDER);
    let built = system.build(&clips, &corpus, &drawn, &on_item, &monitor.part(0.1, 0.6))?;
    let (used, held_out, pairing) = (built.shapes.len(), built.held_out, built.pairing);
    let recognised = built.recognised;
    let sampler_of = |shapes| Sampler::new(shapes, config.modality_dropout, config.seed);
    let sampler = sampler_of(built.shapes);
    let make;
    let redraw = match &built.renewed {
        Some(renewed) => {
            make = |epoch: usize, monitor: &Monitor| {
                let (shapes, learner) = (renewed.make)(epoch, monitor)?;
                Ok((sampler_of(shapes), learner))
            };
            Some(Redraw {
                latest: &*renewed.latest,
                make: &make,
            })
        }
        None => None,
    };
    let run = Run {
        config: &config,
        sampler: &sampler,
        learner: &*built.learner,
        redraw,
        variables: built.variables,
        folder: &run_folder,
        about: about(system, &corpus, (pairing, recognised)),
    };
    let raised = request.method == Method::Mrcmv && config.objective == ObjectiveConfig::Triplet;
    let report = |epoch: &Epoch| epoch_report(epoch, config.epochs, held_out, raised);
    let rejected: Vec<(String, String)> = corpus.rejected.iter().cloned().chain(built.rejected).collect();
    let outcome = train(
        run,
        request.resume,
        &mut |epoch| on_news(News::Epoch(report(epoch))),
        &monitor.part(0.6, 1.0),
    )
    .map_err(|error| {
        if used < 2 {
            with_left_out(error, &rejected)
        } else {
            error
        }
    })?;
    // What cannot be removed does no harm.
    let _ = std::fs::remove_dir_all(&drawn);

    let base = engine.pack();
    let provenance = format!(
        "{} trained on the corpus {} ({used} items, {pairing} pairs, {} epochs, seed {}); other networks from the pack \
         {} {}: {}",
        system.words(),
        corpus.name,
        outcome.epoch,
        request.seed,
        base.manifest.name,
        base.manifest.version,
        base.manifest.provenance
    );
    let writer = PackWriter::new(PackAbout {
        name,
        version: "1".to_owned(),
        licence: base.manifest.licence.clone(),
        provenance,
        method: system.method().to_owned(),
        without: without.iter().map(|&switch| switch.to_owned()).collect(),
    })?;
    system.write(writer, &outcome.weights)?.write(&request.out)?;
    let recall_at = |epoch: usize| outcome.epochs.get(epoch).and_then(|epoch| epoch.validation);
    Ok(FineTuneReport {
        pack: request.out.clone(),
        before: recall_at(0),
        after: recall_at(outcome.epoch),
        epochs: outcome.epochs.iter().map(report).collect(),
        pairing: pairing.to_owned(),
        used,
        recognised,
        rejected,
    })
}

/// The error, and why there is so little to learn from.
fn with_left_out(error: Error, rejected: &[(String, String)]) -> Error {
    let Some((id, reason)) = rejected.first() else {
        return error;
    };
    if error.is_cancelled() {
        return error;
    }
    let others = match rejected.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Error::new(
        error.kind(),
        format!("{error} (left out: {id}, because {reason}{others})"),
    )
}

/// Folder of a run inside the pack that it makes.
const RUN_FOLDER: &str = "run";

/// Folder of what was drawn anew in the last epochs.
const DRAWN_FOLDER: &str = "drawn";

/// What may be left out.
const SWITCHES: [&str; 4] = ["sa", "cma", "gate", "pseudo-label"];

/// The baselines have neither MRCMV's modules nor its feature networks to train.
fn require_sense(request: &FineTuneRequest) -> Result<()> {
    let word = match request.method {
        Method::Mrcmv => return Ok(()),
        Method::Cmmr => "cmmr",
        Method::Cbvmr => "cbvmr",
    };
    let objective = request.training.as_ref().map(|training| training.objective);
    let problem = if !request.without.is_empty() {
        "--without leaves modules of mrcmv out; choose --method mrcmv, or no --without"
    } else if request.scope != Scope::Heads {
        "it learns on the features of SlowFast and VGGish as they are; choose --scope heads"
    } else if objective.is_some_and(|objective| objective != ObjectiveConfig::Triplet) {
        "it learns by a loss of its own; leave --objective out"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Input,
        format!("--method {word}: {problem}"),
    ))
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

/// What must be equal for a run to be resumed, and what is written beside its curves.
fn about(system: &System<'_>, corpus: &Inspected, (pairing, recognised): (&str, usize)) -> serde_json::Value {
    let (engine, request) = (system.engine, system.request);
    let networks: BTreeMap<&String, &String> = engine
        .pack()
        .manifest
        .networks
        .iter()
        .map(|(network, entry)| (network, &entry.sha256))
        .collect();
    serde_json::json!({
        "corpus": corpus.identity(),
        "corpus_name": corpus.name,
        "pack": networks,
        "network": system.config(),
        "method": request.method,
        "scope": request.scope,
        "start": request.start,
        "cuts": request.cuts,
        "renderings": request.renderings,
        "redraw": system.period(),
        "pairing": pairing,
        "library": recognised,
    })
}

fn epoch_report(epoch: &Epoch, epochs: usize, held_out: usize, raised: bool) -> EpochReport {
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
        margin: raised.then_some(epoch.margin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> FineTuneRequest {
        FineTuneRequest::new(Path::new("corpus"), Path::new("out"))
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        let check = |method: Method, scope: Scope, without: &[&str], expected: Option<&str>| {
            let error = require_sense(&FineTuneRequest {
                method,
                scope,
                without: without.iter().map(|&word| word.to_owned()).collect(),
                ..request()
            })
            .err();
            let text = error.map(|error| error.to_string());
            match expected {
                None => assert_eq!(text, None),
                Some(expected) => assert!(text.is_some_and(|text| text.contains(expected)), "{expected}"),
            }
        };
        check(Method::Mrcmv, Scope::All, &["sa"], None);
        check(Method::Cmmr, Scope::Heads, &[], None);
        check(Method::Cmmr, Scope::Heads, &["sa"], Some("--without"));
        check(Method::Cbvmr, Scope::Last, &[], Some("--scope heads"));
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
