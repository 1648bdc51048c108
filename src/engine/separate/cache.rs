//! Stems kept in the cache, so that a video is separated once.
//!
//! `stems/<key>/` holds the two files of one sound and one separator. A folder bears its key only once it is
//! complete; what is being made, or was when the power failed, is called `.undertone-…`.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{SeparateOptions, StemFiles, separate_file};
use crate::checksum::sha256_of;
use crate::engine::Engine;
use crate::engine::cache::{note_use, stems_folder};
use crate::engine::content;
use crate::error::{Error, Result};
use crate::files::UNFINISHED;
use crate::jobs::Monitor;
use crate::media::WavReader;
use crate::settings::Folders;

/// No separation takes as long as this: what is older was left behind.
const ABANDONED: Duration = Duration::from_hours(24);

/// As [`separate_file`] with the defaults into the cache, under a hash of the media's content and the separator; a
/// second call answers at once, for a renamed or copied file too.
///
/// # Errors
/// As [`separate_file`].
pub fn separate_cached(engine: &Engine, media: &Path, monitor: &Monitor) -> Result<StemFiles> {
    let cache = stems_folder(&engine.options().folders);
    let content = content::hash(media, &engine.options().folders, &monitor.part(0.0, 0.05))?;
    let options = SeparateOptions::default();
    let folder = cache.join(key(engine, &content, &options)?);
    if let Some(stems) = complete(&folder) {
        note_use(&folder);
        return Ok(stems);
    }
    Folders::ensure(&cache)?;
    remove_abandoned(&cache);
    let making = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(&cache)
        .map_err(|source| Error::io(&cache, "write", source))?;
    separate_file(engine, media, making.path(), &options, &monitor.part(0.05, 1.0))?;
    if fs::rename(making.path(), &folder).is_err() && complete(&folder).is_none() {
        // What bears the name is damaged: a file of it was deleted or cut short.
        fs::remove_dir_all(&folder).map_err(|source| Error::io(&folder, "replace", source))?;
        fs::rename(making.path(), &folder).map_err(|source| Error::io(&folder, "write", source))?;
    }
    note_use(&folder);
    complete(&folder).ok_or_else(|| {
        Error::internal(format!(
            "{}: the stems vanished while they were put into the cache; try again",
            folder.display()
        ))
    })
}

/// The stems in `folder` where both are whole and equally long.
fn complete(folder: &Path) -> Option<StemFiles> {
    let (voice, bgm) = (folder.join("voice.wav"), folder.join("bgm.wav"));
    let opened = WavReader::open(&voice).ok()?;
    let frames = opened.frames();
    (WavReader::open(&bgm).ok()?.frames() == frames).then(|| StemFiles {
        voice,
        bgm,
        duration_s: frames as f64 / f64::from(opened.format().sample_rate),
    })
}

/// Names a folder after everything that makes its stems what they are.
fn key(engine: &Engine, content: &str, options: &SeparateOptions) -> Result<String> {
    let separator = engine.pack().manifest.networks.get("spleeter").ok_or_else(|| {
        Error::pack(format!(
            "the pack {} has no separator; choose another with --pack",
            engine.pack().manifest.name
        ))
    })?;
    let identity = serde_json::json!([content, separator.sha256, separator.config, options]);
    Ok(sha256_of(identity.to_string()))
}

/// Removes what killed runs left half done. A failure leaves rubbish, no more.
fn remove_abandoned(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    for entry in entries.flatten() {
        let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        let age = |metadata: Metadata| SystemTime::now().duration_since(metadata.modified().ok()?).ok();
        if unfinished
            && entry
                .metadata()
                .ok()
                .and_then(age)
                .is_some_and(|age| age > ABANDONED)
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
