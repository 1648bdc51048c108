//! One file of parameters in memory, and the errors that name a parameter.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, DType, Device, Shape, Storage, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use safetensors::SafeTensors;

use crate::error::{Error, Result};

/// The parameters of one network: finite f32 tensors by name.
///
/// [`Parameters::builder`] hands them to a network's `new`, [`Parameters::check_all_used`] afterwards names one
/// that the network did not ask for. Clones share the tensors and the record of what was asked for.
#[derive(Debug, Clone)]
pub struct Parameters {
    tensors: Arc<HashMap<String, Tensor>>,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Parameters {
    /// Takes tensors that are already in memory; any float type becomes f32.
    ///
    /// # Errors
    /// Naming the first tensor, in order of names, that is not of floats or holds NaN or infinity.
    pub fn new(tensors: HashMap<String, Tensor>) -> Result<Self> {
        let mut names: Vec<&String> = tensors.keys().collect();
        names.sort();
        let mut checked = HashMap::with_capacity(tensors.len());
        for name in names {
            if !is_counter(name) {
                checked.insert(name.clone(), finite_f32(name, &tensors[name])?);
            }
        }
        Ok(Self {
            tensors: Arc::new(checked),
            asked: Arc::default(),
        })
    }

    /// Parses the bytes of a safetensors file into the computer's memory.
    ///
    /// # Errors
    /// When the bytes are not such a file, and as [`Parameters::new`].
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let damaged = |problem: &dyn std::fmt::Display| {
            Error::pack(format!(
                "not a readable safetensors file ({problem}); install or import it again"
            ))
        };
        let file = SafeTensors::deserialize(bytes).map_err(|problem| damaged(&problem))?;
        let mut tensors = HashMap::with_capacity(file.len());
        for (name, view) in file.iter() {
            let dtype = DType::try_from(view.dtype()).map_err(|problem| damaged(&problem))?;
            let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)
                .map_err(|problem| damaged(&problem))?;
            tensors.insert(name.to_owned(), tensor);
        }
        Self::new(tensors)
    }

    /// Names, in order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// All of them, by name.
    pub fn tensors(&self) -> &HashMap<String, Tensor> {
        &self.tensors
    }

    /// The source that a network's `new` reads from; its tensors go to `device`.
    pub fn builder(&self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, device.clone())
    }

    /// Checks that every parameter was asked for through [`Parameters::builder`].
    ///
    /// # Errors
    /// Naming the first one left over, in order of names.
    pub fn check_all_used(&self) -> Result<()> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match self.names().into_iter().find(|name| !asked.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(Error::pack(format!(
                "the parameter {name} of shape {:?} belongs to no layer of the network; choose the weights of \
                 this network, or its right config",
                self.tensors[name].dims()
            ))),
        }
    }

    fn find(&self, name: &str) -> candle_core::Result<&Tensor> {
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| candle_core::Error::CannotFindTensor {
                path: name.to_owned(),
            })?;
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned());
        Ok(tensor)
    }
}

impl SimpleBackend for Parameters {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.find(name)?;
        if tensor.shape() != &shape {
            return Err(candle_core::Error::UnexpectedShape {
                msg: name.to_owned(),
                expected: shape,
                got: tensor.shape().clone(),
            });
        }
        tensor.to_device(device)?.to_dtype(dtype)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        self.find(name)?.to_device(device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

/// The parameter `name` below `vb`'s path, of exactly `shape`; `init` says how a training run that starts from
/// nothing fills it. Every network takes its parameters through here, because candle's own sentence names
/// neither both shapes nor what to do.
///
/// # Errors
/// Naming the parameter, and the expected and found shapes.
pub fn parameter(vb: &VarBuilder<'_>, shape: impl Into<Shape>, name: &str, init: Init) -> Result<Tensor> {
    let shape = shape.into();
    vb.get_with_hints(shape.clone(), name, init)
        .map_err(|error| named(error, &path_of(vb, name), &shape))
}

/// As [`parameter`], for one that a checkpoint may leave out.
///
/// # Errors
/// When it is there and misshapen.
pub fn optional_parameter(
    vb: &VarBuilder<'_>,
    shape: impl Into<Shape>,
    name: &str,
    init: Init,
) -> Result<Option<Tensor>> {
    let shape = shape.into();
    match vb.get_with_hints(shape.clone(), name, init) {
        Ok(tensor) => Ok(Some(tensor)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(named(error, &path_of(vb, name), &shape)),
    }
}

fn is_missing(error: &candle_core::Error) -> bool {
    use candle_core::Error as Candle;
    match error {
        Candle::WithBacktrace { inner, .. }
        | Candle::Context { inner, .. }
        | Candle::WithPath { inner, .. } => is_missing(inner),
        error => matches!(error, Candle::CannotFindTensor { .. }),
    }
}

fn path_of(vb: &VarBuilder<'_>, name: &str) -> String {
    match vb.prefix() {
        prefix if prefix.is_empty() => name.to_owned(),
        prefix => format!("{prefix}.{name}"),
    }
}

fn named(error: candle_core::Error, path: &str, expected: &Shape) -> Error {
    use candle_core::Error as Candle;
    match error {
        Candle::WithBacktrace { inner, .. }
        | Candle::Context { inner, .. }
        | Candle::WithPath { inner, .. } => named(*inner, path, expected),
        Candle::CannotFindTensor { .. } => Error::pack(format!(
            "the parameter {path} of shape {:?} is missing; choose the weights of this network, or its right config",
            expected.dims()
        )),
        Candle::UnexpectedShape { got, .. } => Error::pack(format!(
            "the parameter {path} has the shape {:?} where {:?} is expected; choose the weights of this network, \
             or its right config",
            got.dims(),
            expected.dims()
        )),
        other => other.into(),
    }
}

/// PyTorch's batch norms count their batches; the count is no weight and no network reads it.
fn is_counter(name: &str) -> bool {
    name.ends_with(".num_batches_tracked")
}

fn finite_f32(name: &str, tensor: &Tensor) -> Result<Tensor> {
    if !tensor.dtype().is_float() {
        return Err(Error::pack(format!(
            "the parameter {name} is of type {} and not of floats; import the weights again",
            tensor.dtype().as_str()
        )));
    }
    let tensor = tensor
        .to_device(&Device::Cpu)?
        .to_dtype(DType::F32)
        .map_err(|_| {
            Error::pack(format!(
                "the parameter {name} is of type {}, which is not supported; store it as f32, f16 or bf16",
                tensor.dtype().as_str()
            ))
        })?
        .contiguous()?;
    let finite = match &*tensor.storage_and_layout().0 {
        Storage::Cpu(CpuStorage::F32(values)) => values.iter().all(|value| value.is_finite()),
        _ => false,
    };
    if finite {
        Ok(tensor)
    } else {
        Err(Error::pack(format!(
            "the parameter {name} holds values that are not finite numbers; the weights are damaged, install them again"
        )))
    }
}
