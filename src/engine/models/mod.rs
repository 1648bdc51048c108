//! The model manager: packs that are there, official checkpoints that can be fetched, import and removal.
//!
//! An imported network becomes a pack of its own: a copy of the pack it was imported over, with that network replaced. So
//! every pack is whole, and going back means choosing the old one.

mod fetch;
mod import;
mod inventory;
mod remove;
mod repair;
mod sources;

use std::fs::{File, TryLockError};
use std::time::Duration;

pub use import::{ImportRequest, import};
pub use inventory::{Available, Installed, Inventory, NetworkLine, available, installed, inventory};
pub use remove::remove;
pub use repair::{repair, source_of};
pub use sources::{Source, find_source, sources};

use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::networks::weights::Pack;
use crate::settings::Folders;

/// How long a server may send nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fetches `source`, checks it, and imports it over the pack `base`, as the pack `<base>+<source>`. A download that broke
/// off goes on where it stopped; on a pack that is damaged it is the repair.
///
/// # Errors
/// When the server cannot be reached, stops sending or sends another file than was published; as [`import`]; disk full;
/// cancelled, which keeps what came so far.
pub fn download(base: &Pack, folders: &Folders, source: &Source, monitor: &Monitor) -> Result<Pack> {
    let folder = folders.downloads();
    Folders::ensure(&folder)?;
    let file = folder.join(source.file_name());
    let _alone = alone(folders, source)?;
    fetch::fetch(source, &file, PATIENCE, &monitor.part(0.0, 0.9))?;
    let request = ImportRequest {
        network: Some(source.network),
        file: &file,
        name: Some(format!("{}+{}", base.manifest.name, source.name)),
        licence: Some(&source.licence),
        origin: Some(&source.origin),
    };
    let imported = import(base, folders, &request, &monitor.part(0.9, 1.0));
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

/// Keeps other programs from downloading `source` until the result is dropped. The file that is locked stays, empty, in
/// the cache: one that is removed while others open it locks nobody out.
fn alone(folders: &Folders, source: &Source) -> Result<File> {
    let folder = folders.cache.join("locks");
    Folders::ensure(&folder)?;
    let path = folder.join(source.file_name());
    let lock = File::create(&path).map_err(|source| Error::io(&path, "write", source))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::new(
            ErrorKind::Input,
            format!(
                "{} is being downloaded already, by another window or command; wait for it, or stop that one",
                source.name
            ),
        )),
        // Some network drives know no locks; then nobody else is kept out.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(lock),
    }
}

/// Throws away what came of an interrupted download of `source`. Returns how many bytes that were.
///
/// # Errors
/// When it is being downloaded at this moment.
pub fn discard_download(folders: &Folders, source: &Source) -> Result<u64> {
    let file = folders.downloads().join(source.file_name());
    let came_bytes = fetch::came_bytes(&file);
    if came_bytes > 0 {
        let _alone = alone(folders, source)?;
        fetch::discard(&file);
    }
    Ok(came_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_belongs_to_one_at_a_time() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let folders = Folders::under(home.path());
        let source = find_source(&folders, "vggish")?;
        Folders::ensure(&folders.downloads())?;
        let file = folders.downloads().join(source.file_name());
        for (ending, content) in [(".part", "abc"), (".part.tag", "one")] {
            let mut name = file.as_os_str().to_owned();
            name.push(ending);
            std::fs::write(name, content).expect("write");
        }

        let held = alone(&folders, &source)?;
        let error = discard_download(&folders, &source).expect_err("held").to_string();
        assert!(error.contains("already"), "{error}");
        drop(held);
        assert_eq!(discard_download(&folders, &source)?, 3);
        assert_eq!(discard_download(&folders, &source)?, 0);
        Ok(())
    }
}
