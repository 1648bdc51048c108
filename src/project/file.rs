//! The edit as a file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Edit;
use crate::error::{Error, Result};
use crate::files::atomic_write;
use crate::settings::Folders;

/// Raised when a field changes its meaning; new fields with defaults do not need it.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    undertone_project: u32,
    edit: Edit,
}

/// Where the edit is kept without being asked.
pub fn autosave_path(folders: &Folders) -> PathBuf {
    folders.data.join("autosave.json")
}

/// Writes `edit` to `path` atomically, making its folder if needed.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn save(path: &Path, edit: &Edit) -> Result<()> {
    if let Some(folder) = path.parent() {
        Folders::ensure(folder)?;
    }
    let stored = Stored {
        undertone_project: VERSION,
        edit: edit.clone(),
    };
    let text = serde_json::to_vec_pretty(&stored)
        .map_err(|source| Error::internal("the edit could not be written as text").with_source(source))?;
    atomic_write(path, &text)
}

/// Reads an edit.
///
/// # Errors
/// When there is no such file, it is not a project, or it is from a newer version.
pub fn load(path: &Path) -> Result<Edit> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, "read", source))?;
    let version = serde_json::from_slice::<serde_json::Value>(&bytes)
        .ok()
        .and_then(|value| value.get("undertone_project")?.as_u64());
    match version {
        None => Err(Error::input(
            path,
            "this is no Undertone project, or it is damaged; choose another",
        )),
        Some(version) if version > u64::from(VERSION) => Err(Error::input(
            path,
            "this project is from a newer version of Undertone; update the program to open it",
        )),
        Some(_) => serde_json::from_slice::<Stored>(&bytes)
            .map(|stored| stored.edit)
            .map_err(|source| {
                Error::input(path, "this project is damaged; choose another").with_source(source)
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_comes_back() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let path = autosave_path(&Folders::under(home.path()));
        let edit = Edit {
            video: Some("clip.mp4".into()),
            window_start_s: 8.0,
            ..Edit::default()
        };
        save(&path, &edit)?;
        assert_eq!(load(&path)?, edit);
        Ok(())
    }

    #[test]
    fn what_is_no_project_is_refused_in_a_sentence() {
        let home = tempfile::tempdir().expect("temporary folder");
        let check = |text: &str, expected: &str| {
            let path = home.path().join("p.json");
            std::fs::write(&path, text).expect("write");
            let message = load(&path).expect_err("refused").to_string();
            assert!(message.contains(expected), "{message}");
        };
        check("", "no Undertone project");
        check("{}", "no Undertone project");
        check(r#"{"undertone_project": 99, "edit": {}}"#, "newer version");
        check(
            r#"{"undertone_project": 1, "edit": {"window_start_s": "soon"}}"#,
            "damaged",
        );
    }
}
