//! What is there: packs with their files and checksums, sources with what has come of them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Source, fetch, sources};
use crate::checksum::sha256_of;
use crate::engine::Engine;
use crate::error::Result;
use crate::networks::weights::{MANIFEST, Pack};
use crate::settings::Folders;

/// One network of a pack, as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkLine {
    /// Its name in the manifest: `spleeter`, `vggish_bgm`.
    pub network: String,
    /// Size of its file, bytes.
    pub bytes: u64,
    /// sha256 that the manifest states for the file.
    pub sha256: String,
}

/// A pack as the model manager lists it. One whose manifest cannot be read goes by its folder's name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Installed {
    /// Name, as `--pack` takes it.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// `mrcmv`, `cmmr` or `cbvmr`.
    pub method: String,
    /// Modules left out in training.
    pub without: Vec<String>,
    /// SPDX expression.
    pub licence: String,
    /// Where the weights come from.
    pub provenance: String,
    /// Size of its files together, bytes; networks may share one.
    pub bytes: u64,
    /// sha256 of its manifest, which holds those of the files.
    pub sha256: String,
    /// Its folder.
    #[serde(serialize_with = "crate::files::serialize_path")]
    pub folder: PathBuf,
    /// Its networks.
    pub networks: Vec<NetworkLine>,
    /// Whether it was imported, downloaded or trained here, and so may be removed.
    pub own: bool,
    /// Why it cannot be used, as far as can be told without reading its files through.
    pub problem: Option<String>,
}

/// A source and what has come of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Available {
    /// The source.
    #[serde(flatten)]
    pub source: Source,
    /// Bytes of an interrupted download that the next one goes on from.
    pub came_bytes: u64,
}

/// Packs and sources.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// The packs, the user's own first.
    pub packs: Vec<Installed>,
    /// What can be downloaded.
    pub sources: Vec<Available>,
    /// Why the sources cannot be listed.
    pub problem: Option<String>,
}

/// Looks at packs, sources and interrupted downloads.
pub fn inventory(folders: &Folders) -> Inventory {
    let (sources, problem) = match available(folders) {
        Ok(sources) => (sources, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Inventory {
        packs: installed(folders),
        sources,
        problem,
    }
}

/// All sources and what has come of each.
///
/// # Errors
/// As [`sources`].
pub fn available(folders: &Folders) -> Result<Vec<Available>> {
    let downloads = folders.downloads();
    let with_progress = |source: Source| Available {
        came_bytes: fetch::came_bytes(&downloads.join(source.file_name())),
        source,
    };
    Ok(sources(folders)?.into_iter().map(with_progress).collect())
}

/// All packs, each with the reason where it cannot be used.
pub fn installed(folders: &Folders) -> Vec<Installed> {
    let own = folders.packs();
    Pack::folders(&Engine::pack_roots(folders))
        .into_iter()
        .map(|folder| line_of(folder, &own))
        .collect()
}

fn line_of(folder: PathBuf, own: &Path) -> Installed {
    let line = Installed {
        name: folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        version: String::new(),
        method: String::new(),
        without: Vec::new(),
        licence: String::new(),
        provenance: String::new(),
        bytes: 0,
        // What cannot be read has no checksum; the problem says the rest.
        sha256: std::fs::read(folder.join(MANIFEST))
            .map(sha256_of)
            .unwrap_or_default(),
        own: folder.parent() == Some(own),
        networks: Vec::new(),
        problem: None,
        folder,
    };
    let pack = match Pack::open(&line.folder) {
        Ok(pack) => pack,
        Err(error) => {
            return Installed {
                problem: Some(error.to_string()),
                ..line
            };
        }
    };
    let (sizes, problem) = match pack.sizes() {
        Ok(sizes) => (sizes, None),
        Err(error) => (std::collections::BTreeMap::new(), Some(error.to_string())),
    };
    let manifest = pack.manifest;
    Installed {
        bytes: sizes.values().sum(),
        networks: manifest
            .networks
            .into_iter()
            .map(|(network, entry)| NetworkLine {
                network,
                bytes: sizes.get(&entry.file).copied().unwrap_or(0),
                sha256: entry.sha256,
            })
            .collect(),
        name: manifest.name,
        version: manifest.version,
        method: manifest.method,
        without: manifest.without,
        licence: manifest.licence,
        provenance: manifest.provenance,
        problem,
        ..line
    }
}
