//! What can be made again, and how much room it may take: the stems of videos and the rows of queries.
//!
//! Whatever was used longest ago leaves first. Stems that somebody has open carry a lock on their `used` file and are
//! never taken away, from another program on the same cache neither.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::separate::StemFiles;
use crate::error::Result;
use crate::files::UNFINISHED;
use crate::jobs::Monitor;
use crate::settings::Folders;

/// In a folder of stems: its time is that of the last use, and its lock says that they are open.
const USED: &str = "used";
/// What was used so lately may be about to be opened.
const LATELY: Duration = Duration::from_mins(2);

/// Where the stems are.
pub(super) fn stems_folder(folders: &Folders) -> PathBuf {
    folders.cache.join("stems")
}

/// Where the rows of queries are.
pub(super) fn queries_folder(folders: &Folders) -> PathBuf {
    folders.cache.join("queries")
}

/// Where the rows of corpora are.
fn features_folder(folders: &Folders) -> PathBuf {
    folders.cache.join("features")
}

/// Remembers that the stems in `folder` are of use. A failure lets them leave sooner, no more.
pub(super) fn note_use(folder: &Path) {
    if let Ok(file) = open_used(folder) {
        let _ = file.set_modified(SystemTime::now());
    }
}

fn open_used(folder: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(USED))
}

/// Keeps stems from being taken away while it lives.
#[derive(Debug)]
pub struct Lease {
    /// Carries the shared lock.
    used: File,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Said outright: a program that was being started at this moment holds the same file open.
        let _ = self.used.unlock();
    }
}

/// Keeps `stems` from being taken away; `None` where the file system knows no locks.
pub fn hold(stems: &StemFiles) -> Option<Lease> {
    let used = open_used(stems.voice.parent()?).ok()?;
    used.lock_shared().ok()?;
    Some(Lease { used })
}

/// What was taken away, and what is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Bytes that the disk has again.
    pub freed_bytes: u64,
    /// Bytes of stems and rows that stay.
    pub left_bytes: u64,
}

/// Takes away the stems and rows that were used longest ago until `bytes_max` hold the rest, but nothing that is open or
/// was used in the last minutes.
///
/// # Errors
/// Cancelled. What cannot be deleted stays and is counted.
pub fn trim(folders: &Folders, bytes_max: u64, monitor: &Monitor) -> Result<Trimmed> {
    shrink(folders, bytes_max, LATELY, monitor)
}

/// Takes away everything that nobody has open, what training made of its corpora too.
///
/// # Errors
/// As [`trim`].
pub fn clear(folders: &Folders, monitor: &Monitor) -> Result<Trimmed> {
    let mut trimmed = shrink(folders, 0, Duration::ZERO, monitor)?;
    for folder in [features_folder(folders), stems_folder(folders).join("known")] {
        for entry in entries(&folder) {
            monitor.check()?;
            trimmed.freed_bytes += entry.remove().unwrap_or(0);
        }
    }
    Ok(trimmed)
}

fn shrink(folders: &Folders, bytes_max: u64, lately: Duration, monitor: &Monitor) -> Result<Trimmed> {
    monitor.progress("Looking through the cache", None);
    let mut kept = entries(&stems_folder(folders));
    kept.extend(entries(&queries_folder(folders)));
    kept.sort_by_key(|entry| entry.used);
    let now = SystemTime::now();
    let mut trimmed = Trimmed {
        freed_bytes: 0,
        left_bytes: kept.iter().map(|entry| entry.bytes).sum(),
    };
    for entry in kept {
        monitor.check()?;
        if trimmed.left_bytes <= bytes_max {
            break;
        }
        let rests = now.duration_since(entry.used).is_ok_and(|age| age >= lately);
        if rests && let Some(bytes) = entry.remove() {
            trimmed.freed_bytes += bytes;
            trimmed.left_bytes -= bytes;
        }
    }
    Ok(trimmed)
}

/// Stems of one sound, or rows of one query.
struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
    is_folder: bool,
}

impl Entry {
    /// Bytes that are free again; `None` where it is open or the system refuses.
    fn remove(&self) -> Option<u64> {
        if !self.is_folder {
            return fs::remove_file(&self.path).ok().map(|()| self.bytes);
        }
        open_used(&self.path).ok()?.try_lock().ok()?;
        // Under another name first: a folder that bears its key is complete.
        let leaving = self.path.with_file_name(format!(
            "{UNFINISHED}{}",
            self.path.file_name()?.to_string_lossy()
        ));
        fs::rename(&self.path, &leaving).ok()?;
        fs::remove_dir_all(&leaving).ok()?;
        Some(self.bytes)
    }
}

/// What stands in a folder of the cache: finished stems and files. A folder that is not there holds nothing.
fn entries(folder: &Path) -> Vec<Entry> {
    let Ok(found) = fs::read_dir(folder) else {
        return Vec::new();
    };
    found
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(UNFINISHED) || name == "known" {
                return None;
            }
            let metadata = entry.metadata().ok()?;
            let path = entry.path();
            let used = fs::metadata(path.join(USED))
                .ok()
                .and_then(|used| used.modified().ok())
                .or_else(|| metadata.modified().ok())?;
            let bytes = if metadata.is_dir() {
                fs::read_dir(&path)
                    .ok()?
                    .flatten()
                    .filter_map(|file| file.metadata().ok())
                    .map(|file| file.len())
                    .sum()
            } else {
                metadata.len()
            };
            Some(Entry {
                path,
                bytes,
                used,
                is_folder: metadata.is_dir(),
            })
        })
        .collect()
}

/// Bytes that stems and rows of queries take now.
pub fn used_bytes(folders: &Folders) -> u64 {
    let both = [stems_folder(folders), queries_folder(folders)];
    both.iter()
        .flat_map(|folder| entries(folder))
        .map(|entry| entry.bytes)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(folders: &Folders, name: &str, bytes: usize, minutes_ago: u64) -> StemFiles {
        let folder = stems_folder(folders).join(name);
        Folders::ensure(&folder).expect("folder");
        for stem in ["voice.wav", "bgm.wav"] {
            fs::write(folder.join(stem), vec![0; bytes / 2]).expect("stem");
        }
        let used = open_used(&folder).expect("used");
        used.set_modified(SystemTime::now() - Duration::from_mins(minutes_ago))
            .expect("time");
        StemFiles {
            voice: folder.join("voice.wav"),
            bgm: folder.join("bgm.wav"),
            duration_s: 1.0,
        }
    }

    fn names(folders: &Folders) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(stems_folder(folders))
            .expect("list")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_longest_unused_leave_first_and_what_is_open_stays() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let folders = Folders::under(home.path());
        let oldest = stems(&folders, "a", 400, 90);
        stems(&folders, "b", 400, 60);
        stems(&folders, "c", 400, 30);
        stems(&folders, "d", 400, 0);
        let open = hold(&oldest).expect("a lock");
        assert_eq!(used_bytes(&folders), 1600);
        let trimmed = trim(&folders, 1000, &Monitor::silent())?;
        assert_eq!((trimmed.freed_bytes, trimmed.left_bytes), (800, 800));
        assert_eq!(names(&folders), ["a", "d"], "a is open, d was used just now");
        trim(&folders, 0, &Monitor::silent())?;
        assert_eq!(names(&folders), ["a", "d"]);
        drop(open);
        trim(&folders, 0, &Monitor::silent())?;
        assert_eq!(names(&folders), ["d"]);
        Ok(())
    }

    #[test]
    fn clearing_leaves_only_what_is_open() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let folders = Folders::under(home.path());
        let open = hold(&stems(&folders, "a", 200, 0)).expect("a lock");
        stems(&folders, "b", 200, 0);
        for folder in [queries_folder(&folders), features_folder(&folders)] {
            Folders::ensure(&folder)?;
            fs::write(folder.join("x"), [0; 10]).expect("rows");
        }
        let trimmed = clear(&folders, &Monitor::silent())?;
        assert_eq!((trimmed.freed_bytes, trimmed.left_bytes), (220, 200));
        assert_eq!(names(&folders), ["a"]);
        drop(open);
        assert_eq!(clear(&folders, &Monitor::silent())?.left_bytes, 0);
        assert_eq!(
            trim(&Folders::under(Path::new("/no/such")), 0, &Monitor::silent())?,
            Trimmed::default()
        );
        Ok(())
    }
}
