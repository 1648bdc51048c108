//! File dialogs where the desktop has them.

use std::path::{Path, PathBuf};

use super::session::PathPurpose;

const VIDEO: [&str; 8] = ["mp4", "mkv", "webm", "mov", "avi", "m4v", "ogv", "ts"];
const MUSIC: [&str; 10] = [
    "opus", "ogg", "mp3", "flac", "wav", "m4a", "aac", "wma", "aiff", "mka",
];

const CHECKPOINT: [&str; 7] = ["safetensors", "pth", "pyth", "pt", "pkl", "index", "gz"];

/// Whether a dialog can open. Without a backend rfd answers at once as if the user had cancelled, so it must be known
/// before.
pub(super) fn available() -> bool {
    if !cfg!(all(unix, not(target_os = "macos"))) {
        return true;
    }
    has_portal() || on_path("zenity")
}

fn has_portal() -> bool {
    let bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some();
    let service = Path::new("dbus-1/services/org.freedesktop.portal.Desktop.service");
    let folders = std::env::var_os("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    bus && std::env::split_paths(&folders).any(|folder| folder.join(service).is_file())
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Asks the user, blocking; empty when cancelled. Runs on a job's thread.
pub(super) fn choose(purpose: PathPurpose, suggested: Option<&str>) -> Vec<PathBuf> {
    let dialog = rfd::FileDialog::new().set_title(purpose.title());
    match purpose {
        PathPurpose::Video => dialog
            .add_filter("Video and sound", &[VIDEO.as_slice(), &MUSIC].concat())
            .pick_file()
            .into_iter()
            .collect(),
        PathPurpose::MusicFolder => dialog.pick_folders().unwrap_or_default(),
        PathPurpose::MusicFiles => dialog
            .add_filter("Music", &[MUSIC.as_slice(), &VIDEO].concat())
            .pick_files()
            .unwrap_or_default(),
        PathPurpose::Corpus => dialog.pick_folder().into_iter().collect(),
        PathPurpose::FinishedVideos => dialog
            .add_filter("Video", &VIDEO)
            .pick_files()
            .unwrap_or_default(),
        PathPurpose::Checkpoint => dialog
            .add_filter("Checkpoint", &CHECKPOINT)
            .add_filter("Any file", &["*"])
            .pick_file()
            .into_iter()
            .collect(),
        PathPurpose::Export => {
            let suggested = Path::new(suggested.unwrap_or_default());
            let dialog = match suggested.parent() {
                Some(folder) if folder.is_dir() => dialog.set_directory(folder),
                _ => dialog,
            };
            let name = suggested.file_name().unwrap_or_default().to_string_lossy();
            dialog
                .add_filter("Video and sound", &["mp4", "mkv", "webm", "wav"])
                .set_file_name(name)
                .save_file()
                .into_iter()
                .collect()
        }
    }
}
