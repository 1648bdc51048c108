//! Opening, adding, exporting.

use std::path::{Path, PathBuf};

use crate::app::App;
use crate::app::command::Command;
use crate::app::demo;
use crate::app::session::{Asking, Clip, ExportDialog, PathPrompt, PathPurpose, State};
use crate::app::work::{Mark, Task};
use crate::engine::export::ExportRequest;
use crate::media::{self, Container};
use crate::mix::Solo;
use crate::project::{Edit, History};
use crate::settings::Folders;

/// Videos that are remembered.
const RECENT: usize = 10;

impl App {
    pub(super) fn apply_files(&mut self, command: Command) {
        match command {
            Command::OpenVideo => self.start_choosing(PathPurpose::Video),
            Command::OpenMedia(path) => self.open_media(path),
            Command::OpenDemo => self.open_demo(),
            Command::AddMusicFolder => self.start_choosing(PathPurpose::MusicFolder),
            Command::AddMusicFiles => self.start_choosing(PathPurpose::MusicFiles),
            Command::AddMusic(paths) => self.start_index(paths),
            Command::RefreshLibrary => self.start_library(true),
            Command::ForgetTrack(id) => {
                let left = self
                    .state
                    .library
                    .tracks
                    .iter()
                    .filter(|track| track.id != id)
                    .cloned()
                    .collect();
                self.state.library.set_tracks(left, &self.state.filter);
                self.start_mark(id, Mark::Forget);
            }
            Command::Chosen(purpose, paths) => self.chosen(purpose, paths),
            Command::SetPathText(text) => {
                if let Some(prompt) = &mut self.state.prompt {
                    prompt.text = text;
                    prompt.problem = None;
                }
            }
            Command::AcceptPath => self.accept_path(),
            Command::ClosePath => self.state.prompt = None,
            Command::Export => self.open_export(),
            Command::SetExportPath(text) => {
                if let Some(dialog) = &mut self.state.export {
                    dialog.path = text;
                    dialog.confirm = false;
                    dialog.problem = None;
                }
            }
            Command::BrowseExport => self.start_choosing(PathPurpose::Export),
            Command::StartExport { overwrite } => self.export(overwrite),
            Command::RenameExport => {
                if let Some(dialog) = &mut self.state.export {
                    dialog.path = free_path(Path::new(&dialog.path)).to_string_lossy().into_owned();
                    dialog.confirm = false;
                }
            }
            Command::CloseExport => self.state.export = None,
            _ => {}
        }
    }

    /// Puts another video in. What ran for the one before is cancelled, and what of it still arrives is dropped.
    fn open_media(&mut self, path: PathBuf) {
        let path = std::path::absolute(&path).unwrap_or(path);
        let old = self.state.session;
        self.cancel_tasks(|task| task.session() == Some(old));
        self.state.session += 1;
        self.player.unload();
        drop(self.stems_lease.take());
        self.follower = None;
        self.candidates.clear();
        self.mixed.failed.clear();
        self.listening_started_play = false;
        let state = &mut self.state;
        state.audition = None;
        state.solo = Solo::None;
        state.suggestions.rows.clear();
        state.suggestions.report = None;
        state.suggestions.selected = None;
        state.suggestions.asking = Asking::Idle;
        state.suggestions.due = None;
        state.view.fit();
        state.clip = Some(Clip::new(&path));
        state.history = History::new(Edit {
            video: Some(path.clone()),
            loudness_lufs: state.settings.loudness_lufs.map(f64::from),
            ..Edit::default()
        });
        state.settings.recent.retain(|recent| *recent != path);
        state.settings.recent.insert(0, path.clone());
        state.settings.recent.truncate(RECENT);
        self.start_open(path);
    }

    fn open_demo(&mut self) {
        match demo::find() {
            Ok(demo) => {
                self.apply(Command::OpenMedia(demo.clip));
                self.apply(Command::AddMusic(vec![demo.music]));
            }
            Err(error) => self.state.notes.error(error.to_string()),
        }
    }

    fn chosen(&mut self, purpose: PathPurpose, mut paths: Vec<PathBuf>) {
        match purpose {
            PathPurpose::Video => {
                if !paths.is_empty() {
                    self.open_media(paths.swap_remove(0));
                }
            }
            PathPurpose::MusicFolder | PathPurpose::MusicFiles => self.start_index(paths),
            PathPurpose::Corpus => {
                if let Some(path) = paths.first() {
                    self.apply(Command::SetCorpus(path.to_string_lossy().into_owned()));
                }
            }
            PathPurpose::FinishedVideos => {
                if !paths.is_empty() {
                    self.start_gathering(paths);
                }
            }
            PathPurpose::Checkpoint => {
                if let (Some(form), Some(path)) = (&mut self.state.models.import, paths.first()) {
                    form.import.path = path.to_string_lossy().into_owned();
                    form.problem = None;
                }
            }
            PathPurpose::Export => {
                if let (Some(dialog), Some(path)) = (&mut self.state.export, paths.first()) {
                    dialog.path = path.to_string_lossy().into_owned();
                    dialog.problem = None;
                    // The file dialog has asked already.
                    dialog.confirm = false;
                }
            }
        }
    }

    /// Opens the path field in place of a dialog.
    pub(in crate::app) fn prompt(&mut self, purpose: PathPurpose) {
        self.state.prompt = Some(PathPrompt {
            purpose,
            text: String::new(),
            problem: None,
        });
    }

    fn accept_path(&mut self) {
        let Some(prompt) = &mut self.state.prompt else {
            return;
        };
        let path = typed_path(&prompt.text);
        let problem = match prompt.purpose {
            _ if prompt.text.trim().is_empty() => Some("type or paste a path".to_owned()),
            PathPurpose::Export => None,
            _ if !path.exists() => Some(format!(
                "{}: there is no such file or folder; check the path",
                path.display()
            )),
            PathPurpose::MusicFolder | PathPurpose::Corpus if !path.is_dir() => {
                Some(format!("{}: this is a file; give a folder", path.display()))
            }
            _ => None,
        };
        if problem.is_some() {
            prompt.problem = problem;
            return;
        }
        let purpose = prompt.purpose;
        self.state.prompt = None;
        self.chosen(purpose, vec![path]);
    }

    fn open_export(&mut self) {
        let Some(clip) = &self.state.clip else {
            return;
        };
        let running = self.running(|task| matches!(task, Task::Export));
        let folder = self
            .state
            .window
            .export_folder
            .clone()
            .filter(|folder| folder.is_dir())
            .or_else(|| {
                // The demo's own folder belongs to the program.
                let is_demo = demo::find().is_ok_and(|demo| demo.clip == clip.path);
                is_demo.then(Folders::videos_of_user).flatten()
            })
            .or_else(|| clip.path.parent().map(Path::to_owned))
            .unwrap_or_default();
        let target = free_path(&folder.join(export_name(&self.state, &clip.path)));
        self.state.export = Some(ExportDialog {
            path: target.to_string_lossy().into_owned(),
            job: running,
            ..ExportDialog::default()
        });
    }

    fn export(&mut self, overwrite: bool) {
        let (Some(dialog), Some(clip), Some(candidate)) =
            (&self.state.export, &self.state.clip, self.state.candidate())
        else {
            return;
        };
        let out = typed_path(&dialog.path);
        let video = clip.path.clone();
        let problem = if dialog.path.trim().is_empty() {
            Some("type a path, or browse".to_owned())
        } else if out == video {
            Some("this is the video itself; choose another name".to_owned())
        } else if let Err(error) = Container::of(&out) {
            Some(error.to_string())
        } else {
            out.parent()
                .filter(|folder| !folder.is_dir())
                .map(|folder| format!("{}: there is no such folder; check the path", folder.display()))
        };
        let confirm = problem.is_none() && out.exists() && !overwrite;
        let ready = problem.is_none() && !confirm;
        if let Some(dialog) = &mut self.state.export {
            dialog.problem = problem;
            dialog.confirm = confirm;
        }
        if !ready {
            return;
        }
        self.state.window.export_folder = out.parent().map(Path::to_owned);
        let request = ExportRequest {
            video,
            track: candidate.path.clone(),
            settings: self.settings_with(Some(&candidate)),
            // The settings are those that play: the level under the voice is in them.
            fit_level: false,
            loudness_lufs: self.state.history.edit().loudness_lufs,
            out,
        };
        let job = self.start_export(request);
        if let Some(dialog) = &mut self.state.export {
            dialog.job = job;
        }
    }
}

/// A typed path: without the quotes and as the address that file managers copy, `~` as the home folder, absolute.
pub(super) fn typed_path(text: &str) -> PathBuf {
    let text = text.trim().trim_matches(|c| c == '"' || c == '\'');
    if let Some(path) = media::path_of_address(text) {
        return path;
    }
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    let path = match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(text),
    };
    std::path::absolute(&path).unwrap_or(path)
}

/// The video's name with the music behind it, in a container that takes the picture as it is.
fn export_name(state: &State, video: &Path) -> String {
    let stem = video
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let has_picture = state
        .clip
        .as_ref()
        .and_then(|clip| clip.info.as_ref())
        .is_some_and(|info| !info.video.is_empty());
    let extension = video
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    let extension = match extension {
        _ if !has_picture => "wav",
        "mp4" | "mkv" | "webm" => extension,
        "mov" | "m4v" => "mp4",
        _ => "mkv",
    };
    format!("{stem}-undertone.{extension}")
}

/// `path`, or with a number behind its name where that is taken.
fn free_path(path: &Path) -> PathBuf {
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let extension = path
        .extension()
        .map(|e| format!(".{}", e.to_string_lossy()))
        .unwrap_or_default();
    let mut free = path.to_owned();
    let mut number = 2;
    while free.exists() {
        free = path.with_file_name(format!("{stem}-{number}{extension}"));
        number += 1;
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_a_number() {
        let home = tempfile::tempdir().expect("temporary folder");
        let path = home.path().join("a.webm");
        assert_eq!(free_path(&path), path);
        std::fs::write(&path, b"").expect("write");
        assert_eq!(free_path(&path), home.path().join("a-2.webm"));
    }

    #[test]
    fn typed_paths_come_as_people_paste_them() {
        assert_eq!(typed_path(" \"/a/b c.mp4\" "), Path::new("/a/b c.mp4"));
        assert_eq!(typed_path("file:///a/b%20%C3%A9.mp4"), Path::new("/a/b é.mp4"));
        assert!(typed_path("clip.mp4").is_absolute());
    }
}
