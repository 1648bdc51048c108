//! Features on disk, one file for each key.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use candle_core::{Device, Tensor};

use crate::checksum::sha256_of;
use crate::error::{Error, Result};
use crate::files::AtomicFile;
use crate::settings::Folders;
use crate::training::Stored;

/// What is kept of a feature: the values, or the place on disk where they are too many.
pub(in crate::engine) trait Keep: Sized {
    fn keep(values: Tensor, place: Stored) -> Self;
}

impl Keep for Tensor {
    fn keep(values: Tensor, _: Stored) -> Self {
        values
    }
}

impl Keep for Stored {
    fn keep(_: Tensor, place: Stored) -> Self {
        place
    }
}

/// A folder of features. It may be deleted at any time.
#[derive(Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn open(folder: PathBuf) -> Result<Self> {
        Folders::ensure(&folder)?;
        Ok(Self { folder })
    }

    /// The tensors called `names` under `key`, made and stored where they are not there yet. `None` is stored too, as a name
    /// that is missing in the file.
    pub(super) fn tensors<T: Keep, const N: usize>(
        &self,
        key: &str,
        names: [&'static str; N],
        device: &Device,
        make: impl FnOnce() -> Result<[Option<Tensor>; N]>,
    ) -> Result<[Option<T>; N]> {
        let path = self.folder.join(format!("{}.safetensors", sha256_of(key)));
        let keep = |name, values: Option<Tensor>| {
            let place = Stored {
                file: path.clone(),
                name,
            };
            values.map(|values| T::keep(values, place))
        };
        // A damaged file is made again, like one that is not there.
        if let Ok(mut found) = candle_core::safetensors::load(&path, device) {
            return Ok(names.map(|name| keep(name, found.remove(name))));
        }
        let made = make()?;
        let present: HashMap<&str, &Tensor> = names
            .iter()
            .zip(&made)
            .filter_map(|(name, tensor)| Some((*name, tensor.as_ref()?)))
            .collect();
        let bytes = safetensors::serialize(present, None)
            .map_err(|source| Error::internal("features could not be serialised").with_source(source))?;
        let mut file = AtomicFile::create(&path)?;
        file.file()
            .write_all(&bytes)
            .map_err(|source| Error::io(&path, "write", source))?;
        file.commit()?;
        let mut named = names.into_iter();
        Ok(made.map(|values| named.next().and_then(|name| keep(name, values))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_made_once_and_again_after_damage() -> Result<()> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let cache = Cache::open(folder.path().join("features"))?;
        let made = std::cell::Cell::new(0);
        let ask = || -> Result<[Option<Tensor>; 2]> {
            cache.tensors("clip 3", ["voice", "bgm"], &Device::Cpu, || {
                made.set(made.get() + 1);
                Ok([Some(Tensor::new(&[1f32, 2.0], &Device::Cpu)?), None])
            })
        };
        for _ in 0..2 {
            let [voice, bgm] = ask()?;
            assert_eq!(voice.expect("voice").to_vec1::<f32>()?, [1.0, 2.0]);
            assert!(bgm.is_none());
        }
        assert_eq!(made.get(), 1);
        let file = std::fs::read_dir(folder.path().join("features"))
            .expect("list")
            .next()
            .expect("a file")
            .expect("entry");
        std::fs::write(file.path(), b"damaged").expect("write");
        ask()?;
        assert_eq!(made.get(), 2);
        Ok(())
    }
}
