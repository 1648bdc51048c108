//! Official checkpoints: PyTorch zip and legacy pickles, Caffe2-style pickles, TensorFlow V2 bundles, bare or in
//! a release archive, safetensors.
//!
//! Every reader treats its file as hostile: nothing in it can run, name a path, or make the reader allocate more than the
//! file itself could hold. A weight that is not finite is refused and named.

mod archive;
mod array;
mod caffe2;
mod pickle;
mod tensorflow;
mod torch;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub use array::{Array, Element};

use crate::error::{Error, Result};

/// Arrays by the names that their writer gave them.
pub type Arrays = BTreeMap<String, Array>;

/// Who writes files of this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// PyTorch, zip or legacy.
    Torch,
    /// PySlowFast's model zoo.
    Caffe2,
    /// TensorFlow V2 bundle.
    TensorFlow,
    /// safetensors, as packs have.
    Safetensors,
}

/// A checkpoint as its writer left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Who wrote it.
    pub form: Form,
    /// The weights.
    pub arrays: Arrays,
}

/// Files beyond this are not checkpoints of the networks here (the largest, VGGish, is 288 MB).
const MAX_BYTES: u64 = 4 << 30;

/// What the arrays of one file may take in memory: each weight once, at twice its width where it was of half precision.
/// Arrays may share their bytes in the file, but not so often that a small file becomes a large one.
struct Budget {
    bytes: usize,
}

impl Budget {
    fn of_file(bytes: usize) -> Self {
        Self {
            bytes: bytes.saturating_mul(2),
        }
    }

    fn spend(&mut self, array: &Array) -> Result<(), Problem> {
        let bytes = array.values.len().saturating_mul(size_of::<f32>());
        self.bytes = self
            .bytes
            .checked_sub(bytes)
            .ok_or_else(|| "holds more weights than the file has room for".to_owned())?;
        Ok(())
    }
}

/// Why a checkpoint cannot be read, to be put behind its file's name.
type Problem = String;

/// Reads any checkpoint that `models import` and `models run` take. The form is told by content, not by name; a TensorFlow
/// bundle is given by its `.index` file.
///
/// # Errors
/// When the file is in none of the forms, is damaged, holds anything but data, or a weight is not finite.
pub fn read(path: &Path) -> Result<Checkpoint> {
    let size = fs::metadata(path)
        .map_err(|source| Error::io(path, "read", source))?
        .len();
    if size > MAX_BYTES {
        return Err(refuse(path, "is too large for a checkpoint of these networks"));
    }
    let bytes = fs::read(path).map_err(|source| Error::io(path, "read", source))?;
    parse(&bytes, &shard_reader(path)).map_err(|problem| refuse(path, &problem))
}

type Shards<'a> = &'a dyn Fn(u32, u32) -> Result<Vec<u8>, Problem>;

/// Reads a checkpoint's bytes; `shard(i, n)` gives data file i of n of a TensorFlow bundle.
fn parse(bytes: &[u8], shard: Shards<'_>) -> Result<Checkpoint, Problem> {
    let (form, arrays) = if bytes.starts_with(b"PK\x03\x04") {
        (Form::Torch, torch::read_zip(bytes))
    } else if archive::is_archive(bytes) {
        (Form::TensorFlow, archive::read(bytes))
    } else if tensorflow::is_index(bytes) {
        (Form::TensorFlow, tensorflow::read(bytes, shard))
    } else if torch::is_legacy(bytes) {
        (Form::Torch, torch::read_legacy(bytes))
    } else if bytes.first() == Some(&0x80) || bytes.first() == Some(&b'(') {
        (Form::Caffe2, caffe2::read(bytes))
    } else {
        (Form::Safetensors, read_safetensors(bytes))
    };
    let arrays = arrays?;
    if arrays.is_empty() {
        return Err("holds no weights".to_owned());
    }
    match arrays
        .iter()
        .find(|(_, array)| array.values.iter().any(|value| !value.is_finite()))
    {
        Some((name, _)) => Err(format!("the weight {name} is not finite")),
        None => Ok(Checkpoint { form, arrays }),
    }
}

fn refuse(path: &Path, problem: &str) -> Error {
    Error::pack(format!(
        "{}: {problem}; get the checkpoint again or choose another",
        path.display()
    ))
}

/// Gives shard `i` of `n` of the bundle at `path` (`x.index` -> `x.data-00000-of-00001`).
fn shard_reader(path: &Path) -> impl Fn(u32, u32) -> Result<Vec<u8>, Problem> + use<> {
    let stem = path.with_extension("");
    move |index, count| {
        let mut name = stem.clone().into_os_string();
        name.push(format!(".data-{index:05}-of-{count:05}"));
        let shard = std::path::PathBuf::from(name);
        match fs::metadata(&shard) {
            Ok(data) if data.len() > MAX_BYTES => Err("its data file is too large".to_owned()),
            _ => fs::read(&shard)
                .map_err(|error| format!("its data file {} cannot be read ({error})", shard.display())),
        }
    }
}

fn read_safetensors(bytes: &[u8]) -> Result<Arrays, Problem> {
    let tensors = safetensors::SafeTensors::deserialize(bytes)
        .map_err(|_| "is no checkpoint of PyTorch, Caffe2, TensorFlow or safetensors".to_owned())?;
    tensors
        .iter()
        .map(|(name, view)| {
            let element = match view.dtype() {
                safetensors::Dtype::F32 => Element::F32,
                safetensors::Dtype::F64 => Element::F64,
                safetensors::Dtype::F16 => Element::F16,
                safetensors::Dtype::BF16 => Element::Bf16,
                safetensors::Dtype::I64 => Element::I64,
                other => {
                    return Err(format!(
                        "the weight {name} has the type {other:?}, which no network here uses"
                    ));
                }
            };
            Ok((
                name.to_owned(),
                Array::from_bytes(element, view.shape().to_vec(), view.data())?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
