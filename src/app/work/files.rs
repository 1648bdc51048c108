//! Jobs of small files: dialogs, the autosaved edit, settings.

use super::{CacheWork, Outcome, Task};
use crate::app::App;
use crate::app::dialogs;
use crate::app::session::PathPurpose;
use crate::engine::cache;
use crate::project::{self, Edit};

impl App {
    /// Keeps the cache within its size, or empties it. What is open stays.
    pub(in crate::app) fn start_cache(&mut self, work: CacheWork) {
        let folders = self.state.folders.clone();
        let bytes_max = self.state.settings.cache_bytes_max();
        self.start("Look after the cache", Task::Cache, move |monitor| {
            let trimmed = match work {
                CacheWork::Trim => cache::trim(&folders, bytes_max, monitor)?,
                CacheWork::Clear => cache::clear(&folders, monitor)?,
            };
            Ok(Outcome::Cache(work, trimmed))
        });
    }

    /// Opens a file dialog on its own thread, or the path field where there is none.
    pub(in crate::app) fn start_choosing(&mut self, purpose: PathPurpose) {
        if !self.state.dialogs {
            self.prompt(purpose);
            return;
        }
        let suggested = self.state.export.as_ref().map(|dialog| dialog.path.clone());
        self.start("Choose a file", Task::Choose, move |_| {
            Ok(Outcome::Chosen(
                purpose,
                dialogs::choose(purpose, suggested.as_deref()),
            ))
        });
    }

    pub(in crate::app) fn start_autosave(&mut self) {
        let path = project::autosave_path(&self.state.folders);
        let edit: Edit = self.state.history.edit().clone();
        self.start("Save the edit", Task::Save, move |_| {
            project::save(&path, &edit)?;
            Ok(Outcome::Done)
        });
    }

    pub(in crate::app) fn start_settings_save(&mut self) {
        let folders = self.state.folders.clone();
        let mut settings = self.state.settings.clone();
        // JSON holds text: a name that is no text is left out of the list of recent files.
        settings.recent.retain(|path| path.to_str().is_some());
        let window = self.state.window.clone();
        self.start("Save the settings", Task::Save, move |_| {
            settings.save(&folders)?;
            window.save(&folders)?;
            Ok(Outcome::Done)
        });
    }
}
