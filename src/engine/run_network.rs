//! One network on given tensors, so that anyone can compare numbers and time (`models run` of the contract).

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use candle_core::{Device, Tensor};
use serde::Serialize;

use crate::device::{self, DeviceChoice};
use crate::error::{Error, Result};
use crate::files::atomic_write;
use crate::jobs::Monitor;
use crate::networks::cbvmr::{Cbvmr, Norming, picture_statistics};
use crate::networks::cmmr::Cmmr;
use crate::networks::mrcmv::{Mrcmv, QueryInput};
use crate::networks::slowfast::SlowFast;
use crate::networks::spleeter::{self, Spleeter};
use crate::networks::vggish::Vggish;
use crate::networks::weights::{Network, adopt, checkpoint};

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct RunRequest<'a> {
    /// Which network.
    pub network: Network,
    /// A pack's file or an official checkpoint.
    pub weights: &'a Path,
    /// Safetensors with the network's inputs, f32.
    pub input: &'a Path,
    /// Where the outputs go, as safetensors.
    pub out: &'a Path,
    /// How often to run it; the last run's outputs are written.
    pub repeat: usize,
    /// Where to compute.
    pub device: DeviceChoice,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// Milliseconds of each run, without loading.
    pub runs_ms: Vec<f64>,
    /// Device used.
    pub device: String,
    /// Whose weights they were.
    pub origin: String,
}

type Tensors = HashMap<String, Tensor>;

/// Runs the network. Names and shapes of inputs and outputs (f32, B and N free):
/// `slowfast`: `slow` `[B,3,8,224,224]`, `fast` `[B,3,64,224,224]` -> `slow` `[B,8,2048]`, `fast` `[B,64,256]`;
/// `vggish`: `patches` `[N,1,96,64]` and, for a network that takes it and may do without, `chroma` `[N,12]` -> `embedding`
/// `[N,128]`;
/// `spleeter`: `magnitude` `[B,2,512,1024]` -> one tensor per stem under the stem's name;
/// `mrcmv`: `slow`, `fast`, `vggish_voice`, `vggish_bgm` `[B,72,128]` -> `query_embedding`, `bgm_embedding` `[B,512]`;
/// `cmmr`: `slow`, `fast`, `vggish_bgm` -> `query_embedding`, `bgm_embedding`, `query_tags`, `bgm_tags`;
/// `cbvmr`: `slow`, `fast`, `music_statistics` `[B,1140]` -> `query_embedding`, `bgm_embedding`.
///
/// # Errors
/// When weights or input cannot be read or do not fit the network; cancelled; disk full.
pub fn run_network(request: &RunRequest<'_>, monitor: &Monitor) -> Result<RunReport> {
    monitor.progress("Reading the weights", None);
    let weights = adopt(request.network, checkpoint::read(request.weights)?)?;
    let selected = device::select(request.device)?;
    let device = &selected.device;
    let input = Input {
        path: request.input,
        tensors: read_tensors(request.input, device)?,
        device,
    };
    let run: Box<dyn Fn(&Input<'_>) -> Result<Tensors>> = match request.network {
        Network::SlowFast => {
            let network = weights.build(device, SlowFast::new)?;
            Box::new(move |input| {
                let (slow, fast) = network.forward(&input.rank5("slow")?, &input.rank5("fast")?)?;
                Ok(Tensors::from([
                    ("slow".to_owned(), slow),
                    ("fast".to_owned(), fast),
                ]))
            })
        }
        Network::Vggish => {
            let network = weights.build(device, Vggish::new)?;
            Box::new(move |input| {
                let chroma = input.has("chroma").then(|| input.get("chroma")).transpose()?;
                Ok(Tensors::from([(
                    "embedding".to_owned(),
                    network.rows(&input.get("patches")?, chroma.as_ref())?,
                )]))
            })
        }
        Network::Spleeter => {
            let network = weights.build(device, Spleeter::new)?;
            let config: spleeter::Config = weights.config()?;
            Box::new(move |input| {
                let stems = network.forward(&input.get("magnitude")?)?;
                Ok(config.stems.iter().cloned().zip(stems).collect())
            })
        }
        Network::Mrcmv => {
            let network = weights.build(device, Mrcmv::new)?;
            Box::new(move |input| {
                let query = QueryInput {
                    picture: Some((input.get("slow")?, input.get("fast")?)),
                    voice: Some(input.get("vggish_voice")?),
                };
                let query = network.query(&query, 0.0)?.embedding;
                let bgm = network.bgm(&input.get("vggish_bgm")?)?;
                Ok(Tensors::from([
                    ("query_embedding".to_owned(), query),
                    ("bgm_embedding".to_owned(), bgm),
                ]))
            })
        }
        Network::Cmmr => {
            let network = weights.build(device, Cmmr::new)?;
            Box::new(move |input| {
                let query = network.video(&input.get("slow")?, &input.get("fast")?)?;
                let bgm = network.music(&input.get("vggish_bgm")?)?;
                Ok(Tensors::from([
                    ("query_embedding".to_owned(), query.embedding),
                    ("query_tags".to_owned(), query.tags),
                    ("bgm_embedding".to_owned(), bgm.embedding),
                    ("bgm_tags".to_owned(), bgm.tags),
                ]))
            })
        }
        Network::Cbvmr => {
            let network = weights.build(device, Cbvmr::new)?;
            Box::new(move |input| {
                let picture = picture_statistics(&input.get("slow")?, &input.get("fast")?)?;
                let query = network.video(&picture, Norming::Running)?;
                let bgm = network.music(&input.get("music_statistics")?, Norming::Running)?;
                Ok(Tensors::from([
                    ("query_embedding".to_owned(), query.embedding),
                    ("bgm_embedding".to_owned(), bgm.embedding),
                ]))
            })
        }
    };
    let repeat = request.repeat.max(1);
    let mut runs_ms = Vec::with_capacity(repeat);
    let mut outputs = Tensors::new();
    for at in 0..repeat {
        monitor.check()?;
        monitor.progress("Running the network", Some(at as f32 / repeat as f32));
        let began = Instant::now();
        outputs = run(&input)?;
        device.synchronize()?;
        runs_ms.push(began.elapsed().as_secs_f64() * 1e3);
    }
    write_tensors(request.out, &outputs)?;
    Ok(RunReport {
        runs_ms,
        device: selected.name.to_owned(),
        origin: weights.origin.to_owned(),
    })
}

struct Input<'a> {
    path: &'a Path,
    tensors: Tensors,
    device: &'a Device,
}

impl Input<'_> {
    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn get(&self, name: &str) -> Result<Tensor> {
        let tensor = self.tensors.get(name).ok_or_else(|| {
            let mut names: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
            names.sort_unstable();
            Error::input(
                self.path,
                format!("has no tensor {name} (it has {}); add it", names.join(", ")),
            )
        })?;
        Ok(tensor.to_device(self.device)?)
    }

    fn rank5(&self, name: &str) -> Result<Tensor> {
        let tensor = self.get(name)?;
        match tensor.rank() {
            5 => Ok(tensor),
            _ => Err(Error::input(
                self.path,
                format!(
                    "has a tensor {name} of shape {:?}; give batch, channel, time, height, width",
                    tensor.dims()
                ),
            )),
        }
    }
}

fn read_tensors(path: &Path, device: &Device) -> Result<Tensors> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, "read", source))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, device).map_err(|source| {
        Error::input(path, "is no safetensors file; write the inputs in that form").with_source(source)
    })?;
    tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.to_dtype(candle_core::DType::F32)?)))
        .collect()
}

fn write_tensors(path: &Path, tensors: &Tensors) -> Result<()> {
    let tensors: Result<Tensors> = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.clone(), tensor.to_device(&Device::Cpu)?.contiguous()?)))
        .collect();
    let bytes = safetensors::serialize(&tensors?, None).map_err(|source| {
        Error::internal("the outputs could not be written as safetensors").with_source(source)
    })?;
    atomic_write(path, &bytes)
}
