//! The demo that comes with the program.

use std::path::{Path, PathBuf};

use crate::engine::program_folder;
use crate::error::{Error, ErrorKind, Result};

/// Where the demo lies.
#[derive(Debug, Clone)]
pub(super) struct Demo {
    pub clip: PathBuf,
    pub music: PathBuf,
}

/// Finds it beside the program, or in the source tree.
///
/// # Errors
/// When the program came without it.
pub(super) fn find() -> Result<Demo> {
    program_folder("assets").and_then(|assets| in_folder(&assets.join("demo"))).ok_or_else(|| {
        Error::new(
            ErrorKind::Input,
            "the demo did not come with this program; put the folder assets beside it, or open a video of your own",
        )
    })
}

fn in_folder(folder: &Path) -> Option<Demo> {
    let music = folder.join("music");
    let clip = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|extension| ["webm", "mkv", "mp4"].contains(&extension))
        })
        .min()?;
    music.is_dir().then_some(Demo { clip, music })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_music_is_no_demo() {
        let home = tempfile::tempdir().expect("temporary folder");
        std::fs::write(home.path().join("clip.webm"), b"").expect("write");
        assert!(in_folder(home.path()).is_none());
        std::fs::create_dir(home.path().join("music")).expect("folder");
        assert!(in_folder(home.path()).is_some());
    }
}
