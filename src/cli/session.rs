//! What every command shares: options, folders, cancel and progress.

use std::path::Path;
use std::sync::Arc;

use super::args::CommonArgs;
use super::console::Progress;
use crate::engine::{Engine, EngineOptions, cache};
use crate::error::{Error, Result};
use crate::files::is_same_file;
use crate::jobs::{CancelToken, Monitor};
use crate::settings::{Folders, Settings};

pub(super) struct Session {
    pub(super) common: CommonArgs,
    pub(super) folders: Folders,
    pub(super) settings: Settings,
    pub(super) monitor: Monitor,
    progress: Arc<Progress>,
}

impl Session {
    /// Reads the settings and lets Ctrl-C (and a request to terminate) cancel.
    pub(super) fn new(common: CommonArgs) -> Result<Self> {
        let folders = Folders::of_user()?;
        let settings = Settings::load(&folders);
        let cancel = CancelToken::default();
        let raised = cancel.clone();
        let installed = ctrlc::set_handler(move || {
            // Who asks twice does not want to wait for a clean end.
            if raised.is_cancelled() {
                std::process::exit(2);
            }
            raised.cancel();
        });
        if let Err(failure) = installed {
            tracing::warn!("Ctrl-C will end the program at once: {failure}");
        }
        let progress = Arc::new(Progress::on_stderr());
        let shown = Arc::clone(&progress);
        Ok(Self {
            common,
            folders,
            settings,
            monitor: Monitor::new(cancel, move |report| shown.take(report)),
            progress,
        })
    }

    /// Opens the device and the one pack that was asked for.
    ///
    /// # Errors
    /// As [`Engine::open`]; when several packs were named.
    pub(super) fn engine(&self) -> Result<Engine> {
        let pack = self.common.one_pack()?.unwrap_or(&self.settings.pack);
        self.engine_with(pack)
    }

    /// Opens the device and `pack`.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub(super) fn engine_with(&self, pack: &str) -> Result<Engine> {
        let engine = Engine::open(EngineOptions {
            device: self.common.device.unwrap_or(self.settings.device),
            pack: pack.to_owned(),
            library: self.common.library.clone(),
            folders: self.folders.clone(),
        })?;
        if let Some(reason) = &engine.device().reason {
            tracing::info!("computing on {}: {reason}", engine.device().name);
        }
        Ok(engine)
    }

    /// Keeps the cache within its size, once a command has put something into it.
    pub(super) fn trim_cache(&self) {
        let bytes_max = self.settings.cache_bytes_max();
        if let Err(error) = cache::trim(&self.folders, bytes_max, &Monitor::silent()) {
            tracing::warn!("the cache was not made smaller: {error}");
        }
    }

    /// Takes the bar away, because a result follows.
    pub(super) fn finish(&self) {
        self.progress.finish();
    }
}

impl Drop for Session {
    /// The bar goes before an error is written over it.
    fn drop(&mut self) {
        self.progress.finish();
    }
}

/// Refuses to write over the user's own media.
///
/// # Errors
/// When `out` is the same file as one of `sources`.
pub(super) fn keep_sources(out: &Path, sources: &[&Path]) -> Result<()> {
    if sources.iter().any(|source| is_same_file(source, out)) {
        return Err(Error::input(
            out,
            "would be written over the file it is made from; choose another name",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_not_written_over() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.mp4");
        std::fs::write(&path, b"x").expect("write");
        let same = folder.path().join("./a.mp4");
        keep_sources(&same, &[&path]).expect_err("the same file");
        keep_sources(&folder.path().join("b.mp4"), &[&path]).expect("another file");
    }
}
