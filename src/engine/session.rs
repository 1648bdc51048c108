//! What the use cases share: device, pack, networks, folders.

use std::path::{Path, PathBuf};

use crate::device::{DeviceChoice, Selected};
use crate::error::Result;
use crate::library::Library;
use crate::networks::mrcmv::Mrcmv;
use crate::networks::slowfast::SlowFast;
use crate::networks::spleeter::Spleeter;
use crate::networks::vggish::Vggish;
use crate::networks::weights::Pack;
use crate::settings::Folders;

/// How to open an engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Where to compute.
    pub device: DeviceChoice,
    /// Pack name or folder.
    pub pack: String,
    /// Library file; `None` for the user's own.
    pub library: Option<PathBuf>,
    /// The user's folders.
    pub folders: Folders,
}

/// An open device and pack. Networks load on first use and stay. `Send + Sync`: jobs share one behind an `Arc`.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// Opens device and pack; loads no weights yet.
    ///
    /// # Errors
    /// When the named device or the pack is not there.
    pub fn open(options: EngineOptions) -> Result<Self> {
        let _ = options;
        crate::error::unbuilt("the engine")
    }

    /// The options it was opened with.
    pub fn options(&self) -> &EngineOptions {
        unreachable!("not built")
    }

    /// Device in use.
    pub fn device(&self) -> &Selected {
        unreachable!("not built")
    }

    /// Pack in use.
    pub fn pack(&self) -> &Pack {
        unreachable!("not built")
    }

    /// Folders that packs are looked for in: beside the program (`models/`, also in the source tree during
    /// development), then the user's own.
    pub fn pack_roots(folders: &Folders) -> Vec<PathBuf> {
        vec![folders.packs()]
    }

    /// The library file's path.
    pub fn library_path(&self) -> &Path {
        unreachable!("not built")
    }

    /// Opens the library. Each thread opens its own.
    ///
    /// # Errors
    /// As [`Library::open`].
    pub fn library(&self) -> Result<Library> {
        Library::open(self.library_path())
    }

    /// The separator, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn spleeter(&self) -> Result<&Spleeter> {
        crate::error::unbuilt("the engine")
    }

    /// SlowFast, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn slowfast(&self) -> Result<&SlowFast> {
        crate::error::unbuilt("the engine")
    }

    /// VGGish of the voice, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn vggish_voice(&self) -> Result<&Vggish> {
        crate::error::unbuilt("the engine")
    }

    /// VGGish of the BGM, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn vggish_bgm(&self) -> Result<&Vggish> {
        crate::error::unbuilt("the engine")
    }

    /// MRCMV, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn mrcmv(&self) -> Result<&Mrcmv> {
        crate::error::unbuilt("the engine")
    }
}
