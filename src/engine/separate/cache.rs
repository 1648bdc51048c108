//! Stems kept in the cache, so that a video is separated once.
//!
//! `stems/<key>/` holds the two files of one sound and one separator. A folder bears its key only once it is
//! complete; what is being made, or was when the power failed, is called `.undertone-…`. `stems/known/` remembers the
//! content hashes of files by path, size and times, so that a long video is not read again just to be recognised.

use std::fmt::Write;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::{SeparateOptions, StemFiles, separate_file};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files::atomic_write;
use crate::jobs::Monitor;
use crate::media::WavReader;
use crate::settings::Folders;

const UNFINISHED: &str = ".undertone-";
/// No separation takes as long as this: what is older was left behind.
const ABANDONED: Duration = Duration::from_hours(24);
const HASH_BLOCK_BYTES: usize = 1 << 20;

/// As [`separate_file`] with the defaults into the cache, under a hash of the media's content and the separator; a
/// second call answers at once, for a renamed or copied file too.
///
/// # Errors
/// As [`separate_file`].
pub fn separate_cached(engine: &Engine, media: &Path, monitor: &Monitor) -> Result<StemFiles> {
    let cache = engine.options().folders.cache.join("stems");
    let content = content_hash(media, &cache.join("known"), &monitor.part(0.0, 0.05))?;
    let options = SeparateOptions::default();
    let folder = cache.join(key(engine, &content, &options)?);
    if let Some(stems) = complete(&folder) {
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
    Ok(hex(&Sha256::digest(identity.to_string())))
}

/// sha256 of the file, remembered in `known`.
fn content_hash(media: &Path, known: &Path, monitor: &Monitor) -> Result<String> {
    let mut file = File::open(media).map_err(|source| Error::io(media, "open", source))?;
    let metadata = file
        .metadata()
        .map_err(|source| Error::io(media, "read", source))?;
    let note = fingerprint(media, &metadata).map(|fingerprint| known.join(fingerprint));
    if let Some(hash) = note.as_ref().and_then(|note| fs::read_to_string(note).ok())
        && hash.len() == 64
    {
        return Ok(hash);
    }
    let mut hasher = Sha256::new();
    let mut block = vec![0; HASH_BLOCK_BYTES];
    let mut done = 0_u64;
    loop {
        monitor.check()?;
        let count = file
            .read(&mut block)
            .map_err(|source| Error::io(media, "read", source))?;
        if count == 0 {
            break;
        }
        hasher.update(&block[..count]);
        done += count as u64;
        monitor.progress(
            "Recognising the file",
            Some(done as f32 / metadata.len().max(1) as f32),
        );
    }
    let hash = hex(&hasher.finalize());
    if let Some(note) = note {
        // Forgetting it costs a second reading, no more.
        let _ = Folders::ensure(known).and_then(|()| atomic_write(&note, hash.as_bytes()));
    }
    Ok(hash)
}

/// What changes whenever a file's content does, short of somebody setting the clock back.
fn fingerprint(media: &Path, metadata: &Metadata) -> Option<String> {
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Text grows without fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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
