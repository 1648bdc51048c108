//! The state of a run between two epochs, in one file: weights, optimiser, curves.
//!
//! A safetensors file whose header carries the progress as JSON, so that one rename replaces all of it and no
//! interruption can leave weights of one epoch beside the curves of another.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::trainer::Epoch;
use crate::error::{Error, Result};
use crate::files::AtomicFile;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The config in force.
    pub config: Config,
    /// What else must be equal for the run to go on: corpus, start weights, switches.
    pub about: serde_json::Value,
    /// The epochs so far, the state before training first.
    pub epochs: Vec<Epoch>,
    /// The epoch with the best validation recall so far.
    pub best_epoch: Option<usize>,
}

/// All that a run needs to go on.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where it stands.
    pub progress: Progress,
    /// Values of all variables.
    pub variables: BTreeMap<String, Tensor>,
    /// Running sums of the optimiser.
    pub sums: BTreeMap<String, Tensor>,
    /// Values of the best epoch, where a run keeps them.
    pub best: BTreeMap<String, Tensor>,
}

const HEADER_KEY: &str = "progress";
const SECTIONS: [&str; 3] = ["variable/", "sum/", "best/"];

impl Checkpoint {
    /// Writes it to `path` atomically.
    ///
    /// # Errors
    /// When the disk is full; the checkpoint before stays whole.
    pub fn save(&self, path: &Path) -> Result<()> {
        let progress = serde_json::to_string(&self.progress).map_err(|source| {
            Error::internal("the progress of the run could not be written as text").with_source(source)
        })?;
        let tensors: BTreeMap<String, &Tensor> = SECTIONS
            .iter()
            .zip([&self.variables, &self.sums, &self.best])
            .flat_map(|(section, tensors)| {
                tensors
                    .iter()
                    .map(move |(name, tensor)| (format!("{section}{name}"), tensor))
            })
            .collect();
        let header = HashMap::from([(HEADER_KEY.to_owned(), progress)]);
        let bytes = safetensors::serialize(tensors, Some(header)).map_err(|source| {
            Error::internal("the weights of the run could not be serialised").with_source(source)
        })?;
        let mut file = AtomicFile::create(path)?;
        file.file()
            .write_all(&bytes)
            .map_err(|source| Error::io(path, "write", source))?;
        file.commit()
    }

    /// Reads it from `path`; `None` where there is none.
    ///
    /// # Errors
    /// When the file is damaged or of another version.
    pub fn load(path: &Path, device: &Device) -> Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::io(path, "read", source)),
        };
        let damaged = || {
            Error::input(
                path,
                "is not a checkpoint of this version; train anew in another folder",
            )
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|_| damaged())?;
        let progress = metadata
            .metadata()
            .as_ref()
            .and_then(|header| header.get(HEADER_KEY))
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(damaged)?;
        let mut sections: [BTreeMap<String, Tensor>; 3] = Default::default();
        for (name, tensor) in candle_core::safetensors::load_buffer(&bytes, device).map_err(|_| damaged())? {
            for (section, tensors) in SECTIONS.iter().zip(&mut sections) {
                if let Some(name) = name.strip_prefix(section) {
                    tensors.insert(name.to_owned(), tensor.clone());
                }
            }
        }
        let [variables, sums, best] = sections;
        Ok(Some(Self {
            progress,
            variables,
            sums,
            best,
        }))
    }
}
