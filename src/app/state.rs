//! What the window remembers between runs, apart from the settings: sizes, tabs, the training form.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::fine_tune::Scope;
use crate::error::{Error, Result};
use crate::files::atomic_write;
use crate::settings::Folders;

/// What stands in the left column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tab {
    /// The music.
    #[default]
    Library,
    /// Fine-tuning.
    Training,
}

/// When training ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Until {
    /// When the loss has converged, as in the paper.
    Converged,
    /// When recall on the held-out videos no longer rises; the best epoch is kept.
    #[default]
    Recall,
    /// After so many epochs.
    Epochs,
}

/// The saved part of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct WindowState {
    /// Width of the left column, points.
    pub left_width: f32,
    /// Width of the suggestions, points.
    pub right_width: f32,
    /// Height of the timeline, points.
    pub timeline_height: f32,
    pub left_open: bool,
    pub right_open: bool,
    pub timeline_open: bool,
    pub tab: Tab,
    /// Inner size of the window, points.
    pub size: [f32; 2],
    /// The training form.
    pub corpus: String,
    pub until: Until,
    pub epochs: usize,
    pub scope: Scope,
    pub seed: u64,
    pub pack_name: String,
    /// The model that was in use before the one in use now.
    pub previous_pack: Option<String>,
    /// Where the last export went.
    pub export_folder: Option<PathBuf>,
}

impl Default for WindowState {
    fn default() -> Self {
        Self {
            left_width: Self::LEFT_WIDTH,
            right_width: Self::RIGHT_WIDTH,
            timeline_height: Self::TIMELINE_HEIGHT,
            left_open: true,
            right_open: true,
            timeline_open: true,
            tab: Tab::Library,
            size: [1440.0, 900.0],
            corpus: String::new(),
            until: Until::default(),
            epochs: 100,
            scope: Scope::Heads,
            seed: 1,
            pack_name: "mine".to_owned(),
            previous_pack: None,
            export_folder: None,
        }
    }
}

impl WindowState {
    pub(super) const LEFT_WIDTH: f32 = 290.0;
    pub(super) const RIGHT_WIDTH: f32 = 350.0;
    pub(super) const TIMELINE_HEIGHT: f32 = 210.0;

    /// Reads what was saved; a missing or damaged file gives the defaults.
    pub(super) fn load(folders: &Folders) -> Self {
        std::fs::read(file(folders))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .unwrap_or_default()
            .sane()
    }

    /// Writes it atomically.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub(super) fn save(&self, folders: &Folders) -> Result<()> {
        Folders::ensure(&folders.config)?;
        let text = serde_json::to_vec_pretty(self).map_err(|source| {
            Error::internal("the window's state could not be written as text").with_source(source)
        })?;
        atomic_write(&file(folders), &text)
    }

    /// The arrangement as first shown; the rest stays.
    pub(super) fn reset_layout(&mut self) {
        let first = Self::default();
        self.left_width = first.left_width;
        self.right_width = first.right_width;
        self.timeline_height = first.timeline_height;
        self.left_open = true;
        self.right_open = true;
        self.timeline_open = true;
    }

    /// Sizes that a screen can show, whatever the file said.
    fn sane(mut self) -> Self {
        self.left_width = self.left_width.clamp(220.0, 480.0);
        self.right_width = self.right_width.clamp(290.0, 560.0);
        self.timeline_height = self.timeline_height.clamp(150.0, 420.0);
        self.size = [
            self.size[0].clamp(960.0, 7680.0),
            self.size[1].clamp(600.0, 4320.0),
        ];
        self.epochs = self.epochs.clamp(1, 10_000);
        self
    }
}

fn file(folders: &Folders) -> PathBuf {
    folders.config.join("window.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_comes_back_and_stays_on_the_screen() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let folders = Folders::under(home.path());
        let saved = WindowState {
            left_width: 333.0,
            tab: Tab::Training,
            ..WindowState::default()
        };
        saved.save(&folders)?;
        assert_eq!(WindowState::load(&folders), saved);
        std::fs::write(file(&folders), br#"{"left_width": 90000.0}"#).expect("write");
        assert_eq!(WindowState::load(&folders).left_width, 480.0);
        std::fs::write(file(&folders), b"{").expect("write");
        assert_eq!(WindowState::load(&folders), WindowState::default());
        Ok(())
    }
}
