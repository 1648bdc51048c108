//! `pack.json` and the safetensors files beside it.
//!
//! A pack is a folder. `pack.json` names, for each network, its config, its file and the file's sha256; a file
//! holds the parameters of one network, and networks with the same parameters may share it. Nothing is used
//! before its checksum is verified, and what is verified are the very bytes that are used.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind as IoKind, Read};
use std::path::{Component, Path, PathBuf};

use candle_core::Device;
use candle_nn::VarBuilder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::parameters::Parameters;
use crate::checksum::{sha256_of, sha256_of_file};
use crate::error::{Error, ErrorKind, Result};

/// Name of the manifest inside a pack's folder.
pub(crate) const MANIFEST: &str = "pack.json";

/// A manifest is a page of text; a larger file is something else.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// One network of a pack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkEntry {
    /// The network's `Config` as JSON.
    pub config: serde_json::Value,
    /// File name inside the pack's folder.
    pub file: String,
    /// sha256 of the file, lower-case hex.
    pub sha256: String,
}

/// `pack.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        let path = folder.join(MANIFEST);
        let mut text = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(MANIFEST_BYTES_MAX + 1).read_to_end(&mut text))
            .map_err(|source| match source.kind() {
                IoKind::NotFound | IoKind::NotADirectory => Error::pack(format!(
                    "{} is not a pack: it holds no {MANIFEST}; give a pack's name or folder",
                    folder.display()
                )),
                _ => Error::io(&path, "read", source),
            })?;
        let damaged = |problem: &dyn std::fmt::Display| {
            Error::pack(format!(
                "{}: the manifest is damaged ({problem}); install the pack again",
                path.display()
            ))
        };
        if text.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(damaged(&"it is larger than 1 MiB"));
        }
        let manifest: PackManifest = serde_json::from_slice(&text).map_err(|problem| damaged(&problem))?;
        for (network, entry) in &manifest.networks {
            if !is_plain_name(&entry.file) {
                return Err(damaged(&format_args!(
                    "the file name {:?} of {network} leaves the pack's folder",
                    entry.file
                )));
            }
            if !is_sha256(&entry.sha256) {
                return Err(damaged(&format_args!(
                    "the sha256 of {network} is not 64 hex digits"
                )));
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
    }

    /// Finds a pack by name in `roots` (in order), or by folder.
    ///
    /// # Errors
    /// When there is none; the sentence lists the packs that are there. A damaged pack in a folder of that name
    /// gives its own error.
    pub fn find(name_or_folder: &str, roots: &[PathBuf]) -> Result<Self> {
        let as_path = Path::new(name_or_folder);
        if !is_plain_name(name_or_folder) {
            return Self::open(as_path);
        }
        let found = Self::list(roots);
        if let Some(pack) = found
            .iter()
            .flatten()
            .find(|pack| pack.manifest.name == name_or_folder)
        {
            return Ok(pack.clone());
        }
        for folder in roots.iter().map(|root| root.join(name_or_folder)) {
            if folder.join(MANIFEST).exists() {
                return Self::open(&folder);
            }
        }
        if as_path.is_dir() {
            return Self::open(as_path);
        }
        let mut names: Vec<&str> = found
            .iter()
            .flatten()
            .map(|pack| pack.manifest.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let there = match names.as_slice() {
            [] => "no pack is installed, so give a pack's folder".to_owned(),
            names => format!("choose one of {}, or give a pack's folder", names.join(", ")),
        };
        Err(Error::pack(format!("there is no pack {name_or_folder}; {there}")))
    }

    /// All packs in the folders directly under `roots`, in order, with the reason for each unreadable one.
    pub fn list(roots: &[PathBuf]) -> Vec<Result<Self>> {
        Self::folders(roots)
            .iter()
            .map(|folder| Self::open(folder))
            .collect()
    }

    /// The folders directly under `roots` that hold a manifest, readable or not, in order.
    pub fn folders(roots: &[PathBuf]) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for root in roots {
            // A root that is not there holds no packs.
            let Ok(entries) = std::fs::read_dir(root) else {
                continue;
            };
            let mut folders: Vec<PathBuf> = entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|folder| folder.join(MANIFEST).exists())
                .collect();
            folders.sort();
            all.extend(folders);
        }
        all
    }

    /// Size of each file in bytes, without reading them.
    ///
    /// # Errors
    /// Naming the first file that is missing.
    pub fn sizes(&self) -> Result<BTreeMap<String, u64>> {
        let files = self.manifest.networks.values().map(|entry| &entry.file);
        files
            .map(|file| {
                let path = self.folder.join(file);
                let metadata = std::fs::metadata(&path).map_err(|source| self.unreadable(&path, source))?;
                Ok((file.clone(), metadata.len()))
            })
            .collect()
    }

    /// Checks every file's presence and sha256.
    ///
    /// # Errors
    /// Naming the first file that is missing or differs.
    pub fn verify(&self) -> Result<()> {
        self.verify_watched(&mut |_| Ok(()))
    }

    /// As [`Pack::verify`]; `on_progress` hears the bytes of the current file read so far and may stop it.
    ///
    /// # Errors
    /// As [`Pack::verify`], or as `on_progress`.
    pub fn verify_watched(&self, on_progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        let mut checked = BTreeMap::new();
        for entry in self.manifest.networks.values() {
            let path = self.folder.join(&entry.file);
            let sha256 = if let Some(sha256) = checked.get(&path) {
                String::clone(sha256)
            } else {
                let file = File::open(&path).map_err(|source| self.unreadable(&path, source))?;
                sha256_of_file(&path, file, on_progress)?
            };
            if sha256 != entry.sha256 {
                return Err(self.differs(&path));
            }
            checked.insert(path, sha256);
        }
        Ok(())
    }

    /// Identity of everything that makes a BGM embedding: half of a sha256 over config and checksum of `vggish_bgm`,
    /// which is [`Pack::listening_id`], then half of one over those of the network called as the method. The library
    /// stores embeddings under it.
    pub fn embedding_id(&self) -> String {
        format!("{}{}", self.listening_id(), self.half_id(&self.manifest.method))
    }

    /// Identity of what hears BGM. Where it is the same, embeddings are made anew from the rows that are kept, without
    /// listening again.
    pub fn listening_id(&self) -> String {
        self.half_id("vggish_bgm")
    }

    fn half_id(&self, network: &str) -> String {
        let text = self
            .manifest
            .networks
            .get(network)
            .map(|entry| format!("{network}\n{}\n{}\n", canonical(&entry.config), entry.sha256));
        let mut id = sha256_of(text.unwrap_or_default().as_bytes());
        id.truncate(32);
        id
    }

    /// The parsed config of `network`.
    ///
    /// # Errors
    /// When the pack lacks the network or its config does not parse.
    pub fn config<C: DeserializeOwned>(&self, network: &str) -> Result<C> {
        let entry = self.entry(network)?;
        C::deserialize(&entry.config).map_err(|problem| {
            Error::pack(format!(
                "pack {}: the config of {network} is not one that this version knows ({problem}); install the pack \
                 again or update the program",
                self.manifest.name
            ))
        })
    }

    /// Verifies and reads the parameters of `network` into the computer's memory.
    ///
    /// # Errors
    /// When the checksum differs, the file is damaged or a weight is not finite.
    pub fn parameters(&self, network: &str) -> Result<Parameters> {
        Parameters::from_safetensors(&self.bytes(network)?).map_err(|error| self.about(network, error))
    }

    /// Verifies and loads the parameters of `network`, as f32 on `device`. Prefer [`Pack::build`], which also
    /// checks that no parameter is left over.
    ///
    /// # Errors
    /// As [`Pack::parameters`].
    pub fn load(&self, network: &str, device: &Device) -> Result<VarBuilder<'static>> {
        Ok(self.parameters(network)?.builder(device))
    }

    /// Builds `network` on `device` from its config and parameters, all of which it must use:
    /// `pack.build("slowfast", &device, SlowFast::new)`.
    ///
    /// # Errors
    /// As [`Pack::config`] and [`Pack::parameters`]; when a parameter is missing, misshapen or left over.
    pub fn build<C: DeserializeOwned, N>(
        &self,
        network: &str,
        device: &Device,
        new: impl FnOnce(&C, VarBuilder<'static>) -> Result<N>,
    ) -> Result<N> {
        let config: C = self.config(network)?;
        let parameters = self.parameters(network)?;
        let built = new(&config, parameters.builder(device)).map_err(|error| self.about(network, error))?;
        parameters
            .check_all_used()
            .map_err(|error| self.about(network, error))?;
        Ok(built)
    }

    /// The verified bytes of `network`'s file.
    pub(super) fn bytes(&self, network: &str) -> Result<Vec<u8>> {
        let entry = self.entry(network)?;
        let path = self.folder.join(&entry.file);
        let bytes = std::fs::read(&path).map_err(|source| self.unreadable(&path, source))?;
        if sha256_of(&bytes) == entry.sha256 {
            Ok(bytes)
        } else {
            Err(self.differs(&path))
        }
    }

    pub(super) fn entry(&self, network: &str) -> Result<&NetworkEntry> {
        self.manifest.networks.get(network).ok_or_else(|| {
            Error::pack(format!(
                "pack {} has no {network} network; choose another pack",
                self.manifest.name
            ))
        })
    }

    fn unreadable(&self, path: &Path, source: std::io::Error) -> Error {
        if source.kind() == IoKind::NotFound {
            return Error::pack(format!(
                "pack {} lacks its file {}; install the pack again",
                self.manifest.name,
                path.display()
            ));
        }
        Error::io(path, "read", source)
    }

    fn differs(&self, path: &Path) -> Error {
        Error::pack(format!(
            "{} differs from its checksum in pack {}; install the pack again",
            path.display(),
            self.manifest.name
        ))
    }

    /// Says in which file of which pack a parameter is at fault.
    fn about(&self, network: &str, error: Error) -> Error {
        if error.kind() == ErrorKind::Pack {
            Error::pack(format!("pack {}, network {network}: {error}", self.manifest.name))
        } else {
            error
        }
    }
}

/// One component that stays in the folder, on every system that a pack may be carried to.
pub(super) fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
        && !name.contains(['/', '\\', ':', '\0'])
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// JSON text that does not depend on the order in which a manifest lists an object's keys.
fn canonical(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(map) => {
            let sorted: BTreeMap<&String, String> =
                map.iter().map(|(key, value)| (key, canonical(value))).collect();
            let fields: Vec<String> = sorted
                .iter()
                .map(|(key, value)| format!("{key:?}:{value}"))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}
