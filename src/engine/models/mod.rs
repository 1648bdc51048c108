//! The model manager: packs that are there, official checkpoints that can be fetched, import and removal.
//!
//! An imported network becomes a pack of its own: a copy of the pack it was imported over, with that network replaced. So
//! every pack is whole, and going back means choosing the old one.

mod fetch;
mod import;
mod remove;
mod sources;

use std::time::Duration;

pub use import::{ImportRequest, import};
pub use remove::remove;
pub use sources::{Source, find_source, sources};

use crate::engine::Engine;
use crate::error::{ErrorKind, Result};
use crate::jobs::Monitor;
use crate::networks::weights::Pack;
use crate::settings::Folders;

/// How long a server may send nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fetches `source`, checks it, and imports it over the pack in use, as the pack `<pack>+<source>`. A download that broke
/// off goes on where it stopped; on a pack that is damaged it is the repair.
///
/// # Errors
/// When the server cannot be reached, stops sending or sends another file than was published; as [`import`]; disk full;
/// cancelled, which keeps what came so far.
pub fn download(engine: &Engine, source: &Source, monitor: &Monitor) -> Result<Pack> {
    let folder = engine.options().folders.downloads();
    Folders::ensure(&folder)?;
    let file = folder.join(source.file_name());
    fetch::fetch(source, &file, PATIENCE, &monitor.part(0.0, 0.9))?;
    let request = ImportRequest {
        network: source.network,
        file: &file,
        name: Some(format!("{}+{}", engine.pack().manifest.name, source.name)),
        licence: Some(&source.licence),
        origin: Some(&source.origin),
    };
    let imported = import(engine, &request, &monitor.part(0.9, 1.0));
    // The pack holds the weights now; a file that is no checkpoint is of no use.
    if imported
        .as_ref()
        .map_or_else(|error| error.kind() == ErrorKind::Pack, |_| true)
        && let Err(error) = std::fs::remove_file(&file)
    {
        tracing::warn!(file = %file.display(), %error, "a download could not be removed");
    }
    imported
}
