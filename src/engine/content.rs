//! Recognising a file by what is in it, whatever its name.
//!
//! `stems/known/` in the cache remembers content hashes by path, size and times, so that a long video is not read again
//! just to be recognised.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cache::stems_folder;
use crate::checksum::{hex, sha256_of_file};
use crate::error::{Error, Result};
use crate::files::atomic_write;
use crate::jobs::Monitor;
use crate::settings::Folders;

/// sha256 of the file, remembered.
///
/// # Errors
/// When it cannot be read; cancelled.
pub(super) fn hash(media: &Path, folders: &Folders, monitor: &Monitor) -> Result<String> {
    let file = File::open(media).map_err(|source| Error::io(media, "open", source))?;
    let metadata = file
        .metadata()
        .map_err(|source| Error::io(media, "read", source))?;
    let note = fingerprint_of(media, &metadata).map(|fingerprint| note(folders, &fingerprint));
    if let Some(hash) = note.as_deref().and_then(read_note) {
        return Ok(hash);
    }
    let length = metadata.len().max(1) as f32;
    let hash = sha256_of_file(media, file, &mut |done| {
        monitor.progress("Recognising the file", Some(done as f32 / length));
        monitor.check()
    })?;
    if let Some(note) = note {
        // Forgetting it costs a second reading, no more.
        let _ = note
            .parent()
            .map_or(Ok(()), Folders::ensure)
            .and_then(|()| atomic_write(&note, hash.as_bytes()));
    }
    Ok(hash)
}

/// The hash of a file where it is known already, or can be had at once: reading `bytes_max` is worth it.
pub(super) fn hash_soon(
    media: &Path,
    folders: &Folders,
    bytes_max: u64,
    monitor: &Monitor,
) -> Result<Option<String>> {
    let known = fingerprint(media).and_then(|fingerprint| read_note(&note(folders, &fingerprint)));
    if known.is_some() {
        return Ok(known);
    }
    let small = fs::metadata(media).is_ok_and(|metadata| metadata.len() <= bytes_max);
    small.then(|| hash(media, folders, monitor)).transpose()
}

/// What changes whenever a file's content does, short of somebody setting the clock back; it costs no reading.
pub(super) fn fingerprint(media: &Path) -> Option<String> {
    fingerprint_of(media, &fs::metadata(media).ok()?)
}

fn fingerprint_of(media: &Path, metadata: &Metadata) -> Option<String> {
    let path = fs::canonicalize(media).ok()?;
    let modified = metadata.modified().ok()?;
    let mut hasher = Sha256::new();
    hasher.update(path.as_os_str().as_encoded_bytes());
    hasher.update(format!("\0{}\0{modified:?}", metadata.len()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // The time of change moves even where a program restores the time of modification.
        hasher.update(format!(
            "\0{}\0{}.{}",
            metadata.ino(),
            metadata.ctime(),
            metadata.ctime_nsec()
        ));
    }
    Some(hex(&hasher.finalize()))
}

fn note(folders: &Folders, fingerprint: &str) -> PathBuf {
    stems_folder(folders).join("known").join(fingerprint)
}

fn read_note(note: &Path) -> Option<String> {
    fs::read_to_string(note).ok().filter(|hash| hash.len() == 64)
}
