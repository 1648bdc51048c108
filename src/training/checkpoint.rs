//! The state of a run between two epochs, in one file: weights, optimiser, curves.
//!
//! A safetensors file whose header carries the progress as JSON, so that one rename replaces all of it and no
//! interruption can leave weights of one epoch beside the curves of another.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::ops::Range;
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
    /// Pairs of a batch; less than the config's where the device ran out of memory.
    pub batch_size: usize,
    /// What was done of the next epoch.
    #[serde(default)]
    pub partial: Option<Partial>,
}

/// An epoch in parts: where its batches begin and end among its draws, and how many are done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// Where each batch begins, and last where the last one ends.
    pub(super) bounds: Vec<usize>,
    /// The next batch.
    pub(super) next: usize,
    /// Sum of the losses of the batches before it.
    pub(super) loss_sum: f64,
}

impl Partial {
    /// Nothing done: `draws` in batches of at most `batch_size`, whose sizes differ by one at most.
    pub(super) fn new(draws: usize, batch_size: usize) -> Self {
        Self {
            bounds: bounds(0, draws, batch_size),
            next: 0,
            loss_sum: 0.0,
        }
    }

    pub(super) fn batches(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The draws of the next batch.
    pub(super) fn range(&self) -> Range<usize> {
        self.bounds[self.next]..self.bounds[self.next + 1]
    }

    /// Cuts what is left into batches of half the size, and returns that.
    ///
    /// # Errors
    /// `error`, where half of it is no batch: a pair needs another to tell it from.
    pub(super) fn halve(&mut self, error: Error) -> Result<usize> {
        let half = self.range().len() / 2;
        if half < 2 {
            return Err(error);
        }
        let (from, to) = (self.range().start, self.bounds[self.batches()]);
        self.bounds.truncate(self.next);
        self.bounds.extend(bounds(from, to, half));
        Ok(half)
    }
}

/// Where batches of at most `size` begin and end in `from..to`.
fn bounds(from: usize, to: usize, size: usize) -> Vec<usize> {
    let draws = to - from;
    let batches = draws.div_ceil(size.max(2)).max(1);
    (0..=batches)
        .map(|batch| from + draws * batch / batches)
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn batches_differ_by_one_and_halve_from_where_memory_ran_out() {
        let mut part = Partial::new(33, 32);
        assert_eq!(part.bounds, [0, 16, 33]);
        part.next = 1;
        let out_of_memory = || Error::new(ErrorKind::Memory, "out of memory");
        assert_eq!(part.halve(out_of_memory()).expect("half"), 8);
        assert_eq!(part.bounds, [0, 16, 21, 27, 33]);
        assert_eq!(part.range(), 16..21);
        assert_eq!(part.halve(out_of_memory()).expect("half"), 2);
        let error = part.halve(out_of_memory()).expect_err("a batch of one");
        assert_eq!(error.kind(), ErrorKind::Memory);
    }
}
