//! Atomic writes: a file is there whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};

/// What is not finished has a name that starts so.
pub(crate) const UNFINISHED: &str = ".undertone-";
/// A file is locked by whoever writes it, but not in the very moment in which it is made. Where locks keep other handles
/// out, as on Windows, none is taken, because GStreamer writes by a handle of its own; there age alone tells.
const LOCKS: bool = cfg!(unix);
const NEWBORN: Duration = if LOCKS {
    Duration::from_mins(1)
} else {
    Duration::from_hours(24)
};

/// A file being written under a temporary name in the folder of its target.
///
/// [`AtomicFile::commit`] syncs and renames it over the target; dropping it
/// without a commit removes it, so that a failure or a cancel leaves nothing.
/// Its lock tells [`remove_abandoned`] that somebody is still at it.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    temporary: tempfile::NamedTempFile,
}

impl AtomicFile {
    /// Opens a temporary file beside `target`, with the target's extension, so
    /// that writers which look at the name choose the right format.
    ///
    /// # Errors
    /// When the folder does not exist or cannot be written.
    pub fn create(target: &Path) -> Result<Self> {
        let folder = folder_of(target);
        let suffix = target
            .extension()
            .map(|extension| format!(".{}", extension.to_string_lossy()))
            .unwrap_or_default();
        let temporary = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .suffix(&suffix)
            .tempfile_in(folder)
            .map_err(|source| Error::io(target, "write", source))?;
        if LOCKS && let Err(source) = temporary.as_file().try_lock() {
            tracing::debug!(%source, "a file that is being written could not be locked");
        }
        Ok(Self {
            target: target.to_owned(),
            temporary,
        })
    }

    /// Where the bytes go until the commit, for writers that want a path.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// The open file.
    pub fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Syncs the bytes to disk and gives the file its real name.
    ///
    /// # Errors
    /// When the disk is full or the target cannot be replaced; the temporary
    /// file is removed then.
    pub fn commit(self) -> Result<()> {
        let target = self.target;
        // Another handle may have written the path; open it anew to sync it.
        File::open(self.temporary.path())
            .and_then(|file| file.sync_all())
            .map_err(|source| Error::io(&target, "write", source))?;
        set_default_permissions(self.temporary.as_file());
        self.temporary
            .persist(&target)
            .map(drop)
            .map_err(|failure| Error::io(&target, "write", failure.error))
    }
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes from the folder of `target` the files that a killed program was writing there. A failure leaves rubbish, no
/// more.
pub fn remove_abandoned(target: &Path) {
    let Ok(entries) = fs::read_dir(folder_of(target)) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) && is_abandoned(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let age = |file: &File| {
        let modified = file.metadata().ok()?.modified().ok()?;
        SystemTime::now().duration_since(modified).ok()
    };
    entry.file_type().is_ok_and(|kind| kind.is_file())
        && File::open(entry.path())
            .is_ok_and(|file| age(&file).is_some_and(|age| age > NEWBORN) && file.try_lock().is_ok())
}

/// Whether both names lead to one file.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Temporary files are private to the user; a finished file has the mode that
/// the user's programs usually give.
fn set_default_permissions(file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A failure leaves a private file, which is still whole and readable.
        let _ = file.set_permissions(std::fs::Permissions::from_mode(0o644));
    }
    #[cfg(not(unix))]
    let _ = file;
}

/// Writes `bytes` to `target` atomically.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn atomic_write(target: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(target)?;
    file.file()
        .write_all(bytes)
        .map_err(|source| Error::io(target, "write", source))?;
    file.commit()
}

/// Serialises a path as text, with U+FFFD for what is not Unicode: serde refuses such names, and a report that
/// cannot be printed serves nobody.
///
/// # Errors
/// As the serializer.
pub fn serialize_path<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_file_leaves_nothing() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let target = folder.path().join("a.txt");
        atomic_write(&target, b"first")?;
        let mut second = AtomicFile::create(&target)?;
        second.file().write_all(b"sec").expect("write");
        drop(second);
        assert_eq!(std::fs::read(&target).expect("read"), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).expect("list").count(), 1);
        Ok(())
    }

    #[test]
    fn what_a_killed_program_left_goes_and_what_is_being_written_stays() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let target = folder.path().join("a.mp4");
        let old = SystemTime::now() - 2 * NEWBORN;
        let age = |file: &File| file.set_modified(old).expect("set the time");
        let mut writing = AtomicFile::create(&target)?;
        age(writing.file());
        age(&File::create(folder.path().join(".undertone-left.mp4")).expect("create"));
        age(&File::create(folder.path().join("own.mp4")).expect("create"));
        File::create(folder.path().join(".undertone-new.mp4")).expect("create");
        remove_abandoned(&target);
        let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
        let left = std::fs::read_dir(folder.path()).expect("list");
        let mut left: Vec<String> = left.map(|entry| name(&entry.expect("an entry").path())).collect();
        left.sort();
        let mut expected = vec![
            name(writing.path()),
            ".undertone-new.mp4".to_owned(),
            "own.mp4".to_owned(),
        ];
        expected.sort();
        assert_eq!(left, expected);
        Ok(())
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = AtomicFile::create(Path::new("/nowhere/at/all.txt")).expect_err("no folder");
        assert!(error.to_string().contains("/nowhere/at/all.txt"));
    }
}
