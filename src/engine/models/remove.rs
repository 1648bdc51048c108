//! Removing a pack.

use std::fs;
use std::path::{Path, PathBuf};

use crate::engine::Engine;
use crate::engine::fine_tune::forget_run;
use crate::error::{Error, Result};
use crate::networks::weights::{MANIFEST, Network, Pack};
use crate::settings::Folders;

/// Removes the user's own pack `name`: the run that made it if one did, then its manifest, so that it is gone whole, then
/// the files that it named. Other files in its folder stay. A pack whose manifest cannot be read goes by its folder's
/// name, and what the program itself would have named so is taken for its files. Returns the folder.
///
/// # Errors
/// When there is no such pack, it came with the program, or its folder cannot be written.
pub fn remove(folders: &Folders, name: &str) -> Result<PathBuf> {
    let own = folders.packs();
    let (folder, files) = match Pack::find(name, std::slice::from_ref(&own)) {
        Ok(pack) if pack.folder.parent() == Some(own.as_path()) => {
            let files = pack.manifest.networks.into_values().map(|entry| entry.file);
            (pack.folder, files.collect())
        }
        Err(_) if is_damaged(&own, name) => {
            let folder = own.join(name);
            let files = files_named_by_us(&folder);
            (folder, files)
        }
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
    forget_run(&folder)?;
    let manifest = folder.join(MANIFEST);
    fs::remove_file(&manifest).map_err(|source| Error::io(&manifest, "remove", source))?;
    for file in files {
        let file = folder.join(file);
        match fs::remove_file(&file) {
            // Networks may share a file.
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(&file, "remove", source));
            }
            _ => {}
        }
    }
    // Fails where the user keeps something else in it, which is theirs.
    let _ = fs::remove_dir(&folder);
    Ok(folder)
}

/// Whether `name` is the folder of an own pack whose manifest cannot be read.
fn is_damaged(own: &Path, name: &str) -> bool {
    Pack::folders(&[own.to_owned()])
        .iter()
        .any(|folder| folder.file_name().is_some_and(|last| last == name) && Pack::open(folder).is_err())
}

/// Files called as `PackWriter` calls them: `vggish_bgm-0123456789ab.safetensors`.
fn files_named_by_us(folder: &Path) -> Vec<String> {
    let is_ours = |name: &str| {
        let parts = name
            .strip_suffix(".safetensors")
            .and_then(|stem| stem.rsplit_once('-'));
        parts.is_some_and(|(network, sum)| {
            let known = Network::ALL.map(|network| network.to_string());
            known.iter().any(|known| network.starts_with(known.as_str()))
                && sum.len() == 12
                && sum.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_ours(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_with_a_broken_manifest_can_be_removed() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let folders = Folders::under(home.path());
        let folder = folders.packs().join("mine");
        fs::create_dir_all(&folder).expect("folder");
        for name in [
            MANIFEST,
            "vggish_bgm-0123456789ab.safetensors",
            "holiday.safetensors",
        ] {
            fs::write(folder.join(name), "{").expect("write");
        }
        assert!(remove(&folders, "other").is_err());
        assert_eq!(remove(&folders, "mine")?, folder);
        let left: Vec<_> = fs::read_dir(&folder)
            .expect("folder")
            .map(|entry| entry.expect("entry").file_name())
            .collect();
        assert_eq!(left, ["holiday.safetensors"], "what the user put there stays");
        Ok(())
    }
}
