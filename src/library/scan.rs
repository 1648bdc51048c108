//! Which files under the given paths may be tracks.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;

/// Endings of files in a folder that are looked at: what the base, good and libav plug-ins usually decode.
const EXTENSIONS: [&str; 30] = [
    "aac", "ac3", "aif", "aifc", "aiff", "alac", "ape", "avi", "flac", "flv", "m4a", "m4b", "m4v", "mka",
    "mkv", "mov", "mp2", "mp3", "mp4", "mpeg", "mpg", "oga", "ogg", "ogv", "opus", "wav", "webm", "wma",
    "wmv", "wv",
];

/// A file to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanEntry {
    /// Absolute path, symbolic links resolved.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified_ns: i64,
}

/// What lies under the given paths.
#[derive(Debug, Default)]
pub struct Scan {
    /// Files to look at, sorted by path, each once.
    pub entries: Vec<ScanEntry>,
    /// Files and folders that were named or met and cannot be read, each with its sentence.
    pub unreadable: Vec<(PathBuf, Error)>,
}

/// Lists the sound and video files under `paths`: files are taken whatever their extension, folders are walked for
/// known extensions. Names that begin with a dot are passed over in folders, links are followed, a link that leads
/// back into its own folder is not.
///
/// # Errors
/// When none of `paths` exists, or no path is given; cancelled.
pub fn scan(paths: &[PathBuf], monitor: &Monitor) -> Result<Scan> {
    let mut found = BTreeMap::new();
    let mut scan = Scan::default();
    let mut any_exists = false;
    for path in paths {
        match path.canonicalize() {
            Ok(root) => {
                any_exists = true;
                walk(&root, &mut found, &mut scan.unreadable, monitor)?;
            }
            Err(source) => scan
                .unreadable
                .push((path.clone(), Error::io(path, "read", source))),
        }
    }
    if !any_exists {
        let first = scan.unreadable.into_iter().next().map(|(_, error)| error);
        return Err(first.unwrap_or_else(|| {
            Error::new(
                ErrorKind::Input,
                "nothing to index: name a file or a folder with music",
            )
        }));
    }
    scan.entries = found.into_values().collect();
    Ok(scan)
}

fn walk(
    root: &Path,
    found: &mut BTreeMap<PathBuf, ScanEntry>,
    unreadable: &mut Vec<(PathBuf, Error)>,
    monitor: &Monitor,
) -> Result<()> {
    let entries = WalkDir::new(root).follow_links(true).into_iter();
    for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)) {
        monitor.check()?;
        let entry = match entry {
            Ok(entry) => entry,
            Err(failure) => {
                // A link back into its own folder is no fault: everything in it is found anyway.
                if failure.loop_ancestor().is_none() {
                    unreadable.push(describe(root, failure));
                }
                continue;
            }
        };
        let wanted = entry.depth() == 0 || has_known_extension(entry.path());
        if entry.file_type().is_dir() || !wanted {
            continue;
        }
        match look_at(&entry) {
            Ok(entry) => {
                found.insert(entry.path.clone(), entry);
            }
            Err(error) => unreadable.push((entry.into_path(), error)),
        }
        if found.len().is_multiple_of(256) {
            monitor.progress(&format!("Looking for music: {} files", found.len()), None);
        }
    }
    Ok(())
}

fn look_at(entry: &DirEntry) -> Result<ScanEntry> {
    let path = entry.path();
    let broken = |source| Error::io(path, "read", source);
    let metadata = path.metadata().map_err(broken)?;
    if !metadata.is_file() {
        return Err(Error::input(
            path,
            "is not a regular file; give a sound or video file",
        ));
    }
    Ok(ScanEntry {
        path: path.canonicalize().map_err(broken)?,
        size: metadata.len(),
        modified_ns: modified_ns(&metadata),
    })
}

/// Nanoseconds since 1970; 0 where the system keeps no time, so that the size alone tells of a change.
fn modified_ns(metadata: &Metadata) -> i64 {
    let Ok(time) = metadata.modified() else {
        return 0;
    };
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i64,
        Err(before) => -(before.duration().as_nanos() as i64),
    }
}

fn describe(root: &Path, failure: walkdir::Error) -> (PathBuf, Error) {
    let path = failure.path().unwrap_or(root).to_owned();
    let source = failure
        .into_io_error()
        .unwrap_or_else(|| std::io::ErrorKind::Other.into());
    let error = Error::io(&path, "read", source);
    (path, error)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn has_known_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        std::fs::write(path, b"x").expect("write");
    }

    fn names(scan: &Scan) -> Vec<String> {
        scan.entries
            .iter()
            .map(|entry| {
                entry
                    .path
                    .file_name()
                    .expect("name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
    }

    #[test]
    fn folders_are_walked_for_media() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for name in [
            "b.OGG",
            "a.mp3",
            "notes.txt",
            "deep/er/c.flac",
            ".hidden.mp3",
            ".git/d.mp3",
        ] {
            touch(&folder.path().join(name));
        }
        let monitor = Monitor::silent();
        let scanned = scan(&[folder.path().to_owned()], &monitor).expect("scan");
        assert_eq!(names(&scanned), ["a.mp3", "b.OGG", "c.flac"]);
        assert_eq!(scanned.entries[0].size, 1);
        assert!(scanned.entries[0].modified_ns > 1_500_000_000_000_000_000);
        let twice = [
            folder.path().join("notes.txt"),
            folder.path().join("deep/../notes.txt"),
        ];
        assert_eq!(
            names(&scan(&twice, &monitor).expect("scan")),
            ["notes.txt"],
            "named files are taken, once"
        );
    }

    #[test]
    fn what_is_not_there_is_said() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let gone = folder.path().join("gone.mp3");
        let monitor = Monitor::silent();
        let error = scan(std::slice::from_ref(&gone), &monitor).expect_err("nothing there");
        assert!(error.to_string().contains("gone.mp3"), "{error}");
        scan(&[], &monitor).expect_err("nothing given");
        touch(&folder.path().join("a.mp3"));
        let scanned = scan(&[gone, folder.path().to_owned()], &monitor).expect("scan");
        assert_eq!((scanned.entries.len(), scanned.unreadable.len()), (1, 1));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("temporary folder");
        touch(&folder.path().join("music/a.mp3"));
        symlink(folder.path(), folder.path().join("music/back")).expect("link");
        symlink(folder.path().join("music/a.mp3"), folder.path().join("alias.mp3")).expect("link");
        symlink(folder.path().join("nowhere"), folder.path().join("dead.mp3")).expect("link");
        let scanned = scan(&[folder.path().to_owned()], &Monitor::silent()).expect("scan");
        assert_eq!(names(&scanned), ["a.mp3"]);
        assert_eq!(
            scanned.unreadable.len(),
            1,
            "the dead link: {:?}",
            scanned.unreadable
        );
    }
}
