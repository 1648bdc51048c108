//! `pack.json` and the safetensors files beside it.
//!
//! A pack is a folder. `pack.json` names, for each network, its config, its file and the
//! file's sha256; several networks may share a file. Nothing is used before its checksum is
//! verified.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// One network of a pack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkEntry {
    /// The network's `Config` as JSON.
    pub config: serde_json::Value,
    /// File name inside the pack's folder.
    pub file: String,
    /// sha256 of the file, lower-case hex.
    pub sha256: String,
}

/// `pack.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PackManifest {
    /// Name, as `--pack` takes it.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// SPDX expression.
    pub licence: String,
    /// Where the weights come from: data, recipe, seed.
    pub provenance: String,
    /// `mrcmv`, `cmmr` or `cbvmr`.
    #[serde(default = "mrcmv")]
    pub method: String,
    /// Modules left out in training: `sa`, `cma`, `gate`, `pseudo-label`.
    #[serde(default)]
    pub without: Vec<String>,
    /// `spleeter`, `slowfast`, `vggish_voice`, `vggish_bgm`, `mrcmv`.
    pub networks: BTreeMap<String, NetworkEntry>,
}

fn mrcmv() -> String {
    "mrcmv".to_owned()
}

/// A pack on disk.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: PackManifest,
}

impl Pack {
    /// Reads the manifest in `folder`.
    ///
    /// # Errors
    /// When there is none or it is damaged; a file name that leaves the folder is refused.
    pub fn open(folder: &Path) -> Result<Self> {
        let _ = folder;
        crate::error::unbuilt("packs")
    }

    /// Finds a pack by name in `roots` (in order), or by folder.
    ///
    /// # Errors
    /// When there is none; the sentence lists the packs that are there.
    pub fn find(name_or_folder: &str, roots: &[PathBuf]) -> Result<Self> {
        let _ = (name_or_folder, roots);
        crate::error::unbuilt("packs")
    }

    /// All readable packs under `roots`, with the reason for each unreadable one.
    pub fn list(roots: &[PathBuf]) -> Vec<Result<Self>> {
        let _ = roots;
        Vec::new()
    }

    /// Checks every file's presence and sha256.
    ///
    /// # Errors
    /// Naming the first file that is missing or differs.
    pub fn verify(&self) -> Result<()> {
        crate::error::unbuilt("packs")
    }

    /// Identity of everything that makes a BGM embedding (sha256 over the entries of
    /// `vggish_bgm` and `mrcmv`), under which the library stores embeddings.
    pub fn embedding_id(&self) -> String {
        String::new()
    }

    /// The parsed config of `network`.
    ///
    /// # Errors
    /// When the pack lacks the network or its config does not parse.
    pub fn config<C: serde::de::DeserializeOwned>(&self, network: &str) -> Result<C> {
        let _ = network;
        crate::error::unbuilt("packs")
    }

    /// Verifies and loads the parameters of `network`, as f32 on `device`.
    ///
    /// # Errors
    /// When the checksum differs, the file is damaged or a weight is not finite.
    pub fn load(&self, network: &str, device: &Device) -> Result<VarBuilder<'static>> {
        let _ = (network, device);
        crate::error::unbuilt("packs")
    }
}
