//! What lies in a run's folder beside the weights: what was asked, the curves, and whether a checkpoint belongs to it.

use std::path::{Path, PathBuf};

use super::checkpoint::Progress;
use super::config::{Config, RateSchedule};
use super::trainer::{Epoch, Run};
use crate::error::{Error, Result};
use crate::files::atomic_write;

/// Path of the checkpoint in a run's folder.
pub fn checkpoint_path(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

/// Fails where what was done so far is of another run than `run`.
pub(super) fn require_same_run(saved: &Progress, run: &Run<'_>, path: &Path) -> Result<()> {
    let differs = |what: &str| {
        Err(Error::input(
            path,
            format!(
                "belongs to a run with another {what}, so it cannot be resumed; train anew in another folder"
            ),
        ))
    };
    // What may change, because no step that was taken depends on it. Under a schedule every step depends on the last epoch.
    let adjusted = Config {
        epochs: match run.config.rate_schedule {
            RateSchedule::Constant => run.config.epochs,
            RateSchedule::Cosine => saved.config.epochs,
        },
        until_converged: run.config.until_converged,
        patience: run.config.patience,
        ..saved.config.clone()
    };
    if adjusted != *run.config {
        return differs(if adjusted.seed == run.config.seed {
            "training setting"
        } else {
            "seed"
        });
    }
    if saved.about != run.about {
        let key = run
            .about
            .as_object()
            .and_then(|about| {
                about
                    .iter()
                    .find(|(key, value)| saved.about.get(key.as_str()) != Some(*value))
            })
            .map_or("set-up", |(key, _)| key.as_str());
        return differs(key);
    }
    Ok(())
}

/// What was run, for whoever finds the folder.
pub(super) fn write_config(run: &Run<'_>) -> Result<()> {
    let text = serde_json::to_vec_pretty(&serde_json::json!({
        "program": env!("CARGO_PKG_VERSION"),
        "revision": option_env!("UNDERTONE_REVISION").filter(|revision| !revision.is_empty()),
        "training": run.config,
        "about": run.about,
    }))
    .map_err(|source| Error::internal("the run's config could not be written as text").with_source(source))?;
    atomic_write(&run.folder.join("config.json"), &text)
}

pub(super) fn write_curves(folder: &Path, epochs: &[Epoch]) -> Result<()> {
    let mut text = String::new();
    for epoch in epochs {
        let line = serde_json::to_string(epoch).map_err(|source| {
            Error::internal("the run's curves could not be written as text").with_source(source)
        })?;
        text.push_str(&line);
        text.push('\n');
    }
    atomic_write(&folder.join("curves.jsonl"), text.as_bytes())
}
