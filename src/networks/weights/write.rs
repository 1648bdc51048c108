//! Writing a pack.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use candle_core::Tensor;
use serde::Serialize;

use super::pack::{MANIFEST, NetworkEntry, Pack, PackManifest, is_plain_name};
use super::parameters::Parameters;
use crate::checksum::sha256_of;
use crate::error::{Error, Result};
use crate::files::atomic_write;

/// What a pack says about itself; the fields are those of [`PackManifest`].
#[derive(Debug, Clone, PartialEq)]
pub struct PackAbout {
    /// Name, as `--pack` takes it: a plain name without path separators.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// SPDX expression.
    pub licence: String,
    /// Where the weights come from: data, recipe, seed.
    pub provenance: String,
    /// `mrcmv`, `cmmr` or `cbvmr`.
    pub method: String,
    /// Modules left out in training: `sa`, `cma`, `gate`, `pseudo-label`.
    pub without: Vec<String>,
}

/// A pack in the making.
///
/// Files carry their checksum in their name, so that a pack can be written over an older one in the same folder:
/// until `pack.json` is renamed into place, which is the last step, the older pack stays whole.
#[derive(Debug)]
pub struct PackWriter {
    manifest: PackManifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl PackWriter {
    /// Starts a pack without networks.
    ///
    /// # Errors
    /// When the name is empty or holds a path separator.
    pub fn new(about: PackAbout) -> Result<Self> {
        if !is_plain_name(&about.name) {
            return Err(Error::pack(format!(
                "{:?} cannot be a pack's name; choose one without path separators",
                about.name
            )));
        }
        Ok(Self {
            manifest: PackManifest {
                name: about.name,
                version: about.version,
                licence: about.licence,
                provenance: about.provenance,
                method: about.method,
                without: about.without,
                networks: BTreeMap::new(),
            },
            files: BTreeMap::new(),
        })
    }

    /// Adds a network. Networks with equal parameters share a file.
    ///
    /// # Errors
    /// When a parameter is not of finite floats, or the config is not JSON.
    pub fn network<C: Serialize>(
        mut self,
        network: &str,
        config: &C,
        tensors: &HashMap<String, Tensor>,
    ) -> Result<Self> {
        let cannot = |problem: &dyn std::fmt::Display| {
            Error::pack(format!(
                "the network {network} cannot be stored in a pack: {problem}; train it again"
            ))
        };
        Parameters::new(tensors.clone()).map_err(|problem| cannot(&problem))?;
        let config = serde_json::to_value(config).map_err(|problem| cannot(&problem))?;
        let bytes = safetensors::serialize(tensors, None).map_err(|problem| cannot(&problem))?;
        self.add(network, config, bytes);
        Ok(self)
    }

    /// Adds a network of `pack` as it is, byte for byte: what a training run did not touch.
    ///
    /// # Errors
    /// When `pack` lacks the network or its file differs from its checksum.
    pub fn unchanged(mut self, network: &str, pack: &Pack) -> Result<Self> {
        let bytes = pack.bytes(network)?;
        self.add(network, pack.entry(network)?.config.clone(), bytes);
        Ok(self)
    }

    fn add(&mut self, network: &str, config: serde_json::Value, bytes: Vec<u8>) {
        let sha256 = sha256_of(&bytes);
        let shared = self
            .manifest
            .networks
            .values()
            .find(|entry| entry.sha256 == sha256)
            .map(|entry| entry.file.clone());
        let file = shared.unwrap_or_else(|| format!("{network}-{}.safetensors", &sha256[..12]));
        self.files.insert(file.clone(), bytes);
        let networks = &mut self.manifest.networks;
        networks.insert(network.to_owned(), NetworkEntry { config, file, sha256 });
        // A network that is added again replaces its first version.
        self.files
            .retain(|file, _| networks.values().any(|entry| entry.file == *file));
    }

    /// Writes the pack to `folder`, which is made if it is not there. A pack that was in it is replaced at once,
    /// when all else is on disk; files that only the old one named are then removed.
    ///
    /// # Errors
    /// When the folder cannot be written or the disk is full; an older pack is then still whole.
    pub fn write(self, folder: &Path) -> Result<Pack> {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, "write", source))?;
        let replaced: BTreeSet<String> = Pack::open(folder)
            .map(|old| {
                let entries = old.manifest.networks.into_values();
                entries.map(|entry| entry.file).collect()
            })
            // Without a readable manifest nothing is known to be ours to remove.
            .unwrap_or_default();
        for (file, bytes) in &self.files {
            atomic_write(&folder.join(file), bytes)?;
        }
        let text = serde_json::to_string_pretty(&self.manifest)
            .map_err(|problem| Error::internal(format!("the manifest could not be written: {problem}")))?;
        atomic_write(&folder.join(MANIFEST), format!("{text}\n").as_bytes())?;
        for file in replaced.iter().filter(|file| !self.files.contains_key(*file)) {
            // A file that stays behind wastes space and harms nothing.
            if let Err(error) = std::fs::remove_file(folder.join(file)) {
                tracing::warn!(%file, %error, "an old file of the pack could not be removed");
            }
        }
        Ok(Pack {
            folder: folder.to_owned(),
            manifest: self.manifest,
        })
    }
}
