//! Settings that outlive a run, and the folders the program keeps its data in.

use std::env;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::files::atomic_write;

/// The folders of one user. `UNDERTONE_HOME` moves them all into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Library, packs of the user, training runs.
    pub data: PathBuf,
    /// Stems, thumbnails, features: may be deleted at any time.
    pub cache: PathBuf,
    /// Settings and window state.
    pub config: PathBuf,
}

impl Folders {
    /// The folders of the current user.
    ///
    /// # Errors
    /// When the system names no home folder and `UNDERTONE_HOME` is unset.
    pub fn of_user() -> Result<Self> {
        if let Some(home) = env::var_os("UNDERTONE_HOME").filter(|home| !home.is_empty()) {
            return Ok(Self::under(Path::new(&home)));
        }
        let dirs = directories::ProjectDirs::from("", "", "undertone").ok_or_else(|| {
            Error::internal("there is no home folder; set UNDERTONE_HOME to a folder for the program's data")
        })?;
        Ok(Self {
            data: dirs.data_dir().to_owned(),
            cache: dirs.cache_dir().to_owned(),
            config: dirs.config_dir().to_owned(),
        })
    }

    /// Where the user keeps videos, else the home folder; for what has no better place of its own.
    pub fn videos_of_user() -> Option<PathBuf> {
        let user = directories::UserDirs::new()?;
        let videos = user.video_dir().filter(|folder| folder.is_dir());
        Some(videos.unwrap_or_else(|| user.home_dir()).to_owned())
    }

    /// All folders under one.
    pub fn under(home: &Path) -> Self {
        Self {
            data: home.join("data"),
            cache: home.join("cache"),
            config: home.join("config"),
        }
    }

    /// The library file used when none is named.
    pub fn library(&self) -> PathBuf {
        self.data.join("library.sqlite")
    }

    /// Checkpoints that are being downloaded.
    pub fn downloads(&self) -> PathBuf {
        self.data.join("downloads")
    }

    /// The user's own packs.
    pub fn packs(&self) -> PathBuf {
        self.data.join("packs")
    }

    /// Makes `folder` if needed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn ensure(folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, "create", source))
    }
}

/// How the window is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the desktop.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// What the user chose, remembered between runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Where networks compute.
    pub device: DeviceChoice,
    /// Pack name or folder.
    pub pack: String,
    /// Colours.
    pub theme: ThemeChoice,
    /// How many suggestions are asked for.
    pub top: usize,
    /// Picture (-1) to voice (+1).
    pub balance: f32,
    /// Loudness target of the mix in LUFS; `None` leaves it as mixed.
    pub loudness_lufs: Option<f32>,
    /// Master volume of the player in dB.
    pub volume_db: f32,
    /// Most that the cache may take, GB (10⁹ bytes).
    pub cache_gb: u32,
    /// Videos opened before, newest first.
    pub recent: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            device: DeviceChoice::Auto,
            pack: "compact".to_owned(),
            theme: ThemeChoice::System,
            top: 10,
            balance: 0.0,
            loudness_lufs: Some(-14.0),
            volume_db: 0.0,
            cache_gb: 20,
            recent: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads the settings of `folders`; a missing or damaged file gives the
    /// defaults, since settings are never worth refusing to start.
    pub fn load(folders: &Folders) -> Self {
        std::fs::read(Self::file(folders))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Writes the settings atomically.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn save(&self, folders: &Folders) -> Result<()> {
        Folders::ensure(&folders.config)?;
        let text = serde_json::to_vec_pretty(self).map_err(|source| {
            Error::internal("the settings could not be written as text").with_source(source)
        })?;
        atomic_write(&Self::file(folders), &text)
    }

    /// Most that the cache may take, bytes.
    pub fn cache_bytes_max(&self) -> u64 {
        u64::from(self.cache_gb) * 1_000_000_000
    }

    fn file(folders: &Folders) -> PathBuf {
        folders.config.join("settings.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_round_trip_and_survive_damage() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let folders = Folders::under(home.path());
        let settings = Settings {
            top: 3,
            ..Settings::default()
        };
        settings.save(&folders)?;
        assert_eq!(Settings::load(&folders), settings);
        std::fs::write(folders.config.join("settings.json"), b"{\"top\": \"many\"").expect("write");
        assert_eq!(Settings::load(&folders), Settings::default());
        Ok(())
    }
}
