//! Removing a pack.

use std::fs;

use crate::engine::Engine;
use crate::engine::fine_tune::forget_run;
use crate::error::{Error, Result};
use crate::networks::weights::{MANIFEST, Pack};
use crate::settings::Folders;

/// Removes the user's own pack `name`: the run that made it if one did, then its manifest, so that it is gone whole, then
/// the files that it named. Other files in its folder stay. Returns the pack that was.
///
/// # Errors
/// When there is no such pack, it came with the program, or its folder cannot be written.
pub fn remove(folders: &Folders, name: &str) -> Result<Pack> {
    let own = [folders.packs()];
    let pack = match Pack::find(name, &own) {
        Ok(pack) if pack.folder.parent() == Some(own[0].as_path()) => pack,
        other => {
            return Err(match (Pack::find(name, &Engine::pack_roots(folders)), other) {
                (Ok(_), _) => Error::pack(format!(
                    "the pack {name} was not imported or trained here, so it stays; only packs of your own can be removed"
                )),
                (Err(_), Err(error)) | (Err(error), Ok(_)) => error,
            });
        }
    };
    // Without its pack, the run that made it would pass for one that is paused.
    forget_run(&pack.folder)?;
    let manifest = pack.folder.join(MANIFEST);
    fs::remove_file(&manifest).map_err(|source| Error::io(&manifest, "remove", source))?;
    for entry in pack.manifest.networks.values() {
        let file = pack.folder.join(&entry.file);
        match fs::remove_file(&file) {
            // Networks may share a file.
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&file, "remove", source));
            }
            _ => {}
        }
    }
    // Fails where the user keeps something else in it, which is theirs.
    let _ = fs::remove_dir(&pack.folder);
    Ok(pack)
}
