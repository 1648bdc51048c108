//! What the use cases share: device, pack, networks, folders.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use candle_nn::VarBuilder;
use serde::de::DeserializeOwned;

use super::candidates::KeptCandidates;
use super::embed::KeptRows;
use crate::device::{self, DeviceChoice, Selected};
use crate::error::{Error, Result};
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
pub struct Engine {
    options: EngineOptions,
    device: Selected,
    pack: Pack,
    library: PathBuf,
    spleeter: OnFirstUse<Spleeter>,
    slowfast: OnFirstUse<SlowFast>,
    vggish_voice: OnFirstUse<Vggish>,
    vggish_bgm: OnFirstUse<Vggish>,
    mrcmv: OnFirstUse<Mrcmv>,
    rows: KeptRows,
    candidates: KeptCandidates,
}

impl Engine {
    /// Opens device and pack; loads no weights yet.
    ///
    /// # Errors
    /// When the named device or the pack is not there.
    pub fn open(options: EngineOptions) -> Result<Self> {
        let device = device::select(options.device)?;
        let pack = Pack::find(&options.pack, &Self::pack_roots(&options.folders))?;
        let library = options
            .library
            .clone()
            .unwrap_or_else(|| options.folders.library());
        Ok(Self {
            options,
            device,
            pack,
            library,
            spleeter: OnFirstUse::default(),
            slowfast: OnFirstUse::default(),
            vggish_voice: OnFirstUse::default(),
            vggish_bgm: OnFirstUse::default(),
            mrcmv: OnFirstUse::default(),
            rows: KeptRows::default(),
            candidates: KeptCandidates::default(),
        })
    }

    /// The options it was opened with.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Device in use.
    pub fn device(&self) -> &Selected {
        &self.device
    }

    /// Pack in use.
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// Folders that packs are looked for in: the user's own first, so that a trained pack may carry the name of a
    /// shipped one, then `models/` beside the program or in the source tree.
    pub fn pack_roots(folders: &Folders) -> Vec<PathBuf> {
        let mut roots = vec![folders.packs()];
        roots.extend(program_folder("models"));
        roots
    }

    /// The library file's path.
    pub fn library_path(&self) -> &Path {
        &self.library
    }

    /// Opens the library. Each thread opens its own.
    ///
    /// # Errors
    /// As [`Library::open`].
    pub fn library(&self) -> Result<Library> {
        if let Some(folder) = self
            .library
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            Folders::ensure(folder)?;
        }
        Library::open(&self.library)
    }

    /// The separator, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn spleeter(&self) -> Result<&Spleeter> {
        self.spleeter.get(|| self.load("spleeter", Spleeter::new))
    }

    /// SlowFast, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn slowfast(&self) -> Result<&SlowFast> {
        self.slowfast.get(|| self.load("slowfast", SlowFast::new))
    }

    /// VGGish of the voice, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn vggish_voice(&self) -> Result<&Vggish> {
        self.vggish_voice.get(|| self.load("vggish_voice", Vggish::new))
    }

    /// VGGish of the BGM, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn vggish_bgm(&self) -> Result<&Vggish> {
        self.vggish_bgm.get(|| self.load("vggish_bgm", Vggish::new))
    }

    /// MRCMV, loaded on first use.
    ///
    /// # Errors
    /// When the pack lacks it or it is damaged.
    pub fn mrcmv(&self) -> Result<&Mrcmv> {
        self.mrcmv.get(|| self.load("mrcmv", Mrcmv::new))
    }

    /// Rows of the clips that were asked about last.
    pub(super) fn rows(&self) -> &KeptRows {
        &self.rows
    }

    /// The library as it was last read for a question.
    pub(super) fn kept_candidates(&self) -> &KeptCandidates {
        &self.candidates
    }

    fn load<C: DeserializeOwned, N>(
        &self,
        network: &str,
        new: impl FnOnce(&C, VarBuilder<'static>) -> Result<N>,
    ) -> Result<N> {
        self.pack.build(network, &self.device.device, new)
    }
}

/// The folder `name` that came with the program: beside the executable, else in the source tree it was built from.
pub fn program_folder(name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.join(name)));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    beside.into_iter().chain([source]).find(|folder| folder.is_dir())
}

/// A value made when it is first asked for; a failure is not remembered, so that a repaired pack works without a
/// restart.
#[derive(Debug)]
struct OnFirstUse<T> {
    value: OnceLock<T>,
    making: Mutex<()>,
}

impl<T> Default for OnFirstUse<T> {
    fn default() -> Self {
        Self {
            value: OnceLock::new(),
            making: Mutex::new(()),
        }
    }
}

impl<T> OnFirstUse<T> {
    fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        // The lock guards no data: a panic of another maker leaves nothing half done.
        let _making = self
            .making
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.value.get().is_none() {
            let value = make()?;
            let _ = self.value.set(value);
        }
        self.value
            .get()
            .ok_or_else(|| Error::internal("a network vanished while it was loaded"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_load_is_tried_again() {
        let lazy = OnFirstUse::default();
        assert!(lazy.get(|| Err(Error::pack("damaged"))).is_err());
        assert_eq!(*lazy.get(|| Ok(3)).expect("made"), 3);
        assert_eq!(*lazy.get(|| Ok(4)).expect("kept"), 3);
    }

    #[test]
    fn the_shipped_models_are_found() {
        let roots = Engine::pack_roots(&Folders::under(Path::new("home")));
        assert!(roots.iter().any(|root| root.ends_with("models")));
    }
}
