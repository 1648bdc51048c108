//! Our side of `make bench`; bench/run.py is the conductor, and says what a worker answers.
//!
//! `ours ENGINE CASE FOLDER DEVICE` prepares a case with the same weights and inputs as every other worker, runs it once,
//! writes the outputs as FOLDER/NAME.npy, prints `ready`, and then for each line it reads runs the case once and prints the
//! milliseconds. ENGINE is `undertone`, or `candle` for what candle does by itself; DEVICE is `cpu` or `cuda`.

#![allow(clippy::print_stdout, reason = "a worker answers on stdout")]
#![allow(clippy::print_stderr, reason = "and says there why it gave up")]

#[path = "../tests/golden/mod.rs"]
#[allow(
    dead_code,
    reason = "tests compare with fixtures, a worker only makes weights and inputs"
)]
mod golden;

use std::collections::HashMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use candle_core::{Device, Shape, Tensor};
use candle_nn::{VarBuilder, VarMap};
use golden::{noise, weight, weights};
use mimalloc::MiMalloc;
use undertone::device::{DeviceChoice, select};
use undertone::engine::embed::{VoiceSource, embed_bgm, embed_query};
use undertone::engine::{Engine, EngineOptions};
use undertone::error::{Error, Result};
use undertone::jobs::Monitor;
use undertone::media::testing::{Synthetic, synthesise};
use undertone::networks::layers::{Activation, Conv, Geometry};
use undertone::networks::mrcmv::{self, Mrcmv, QueryInput};
use undertone::networks::slowfast::{self, SlowFast};
use undertone::networks::spleeter::{self, Spleeter};
use undertone::networks::vggish::{self, Vggish};
use undertone::networks::weights::{PackAbout, PackWriter};
use undertone::retrieval::{Metric, top_k};
use undertone::settings::Folders;
use undertone::training::losses::{Negatives, triplet};
use undertone::training::{Optimizer, OptimizerConfig, Variables};

/// As the program does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Outputs = Vec<(&'static str, Tensor)>;
type Case = Box<dyn FnMut() -> Result<Outputs>>;

/// Where a case computes and keeps its files.
struct Place<'a> {
    choice: DeviceChoice,
    device: Device,
    folder: &'a Path,
}

impl Place<'_> {
    fn noise(&self, name: &str, shape: impl Into<Shape>) -> Result<Tensor> {
        Ok(noise(name, shape).to_device(&self.device)?)
    }

    fn weights(&self) -> VarBuilder<'static> {
        weights().set_device(self.device.clone())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, case, folder, device, ..] = arguments.as_slice() else {
        println!("usage: ours ENGINE CASE FOLDER DEVICE; `make bench` runs it");
        return ExitCode::SUCCESS;
    };
    match answer(engine, case, Path::new(folder), device) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The conductor takes the last line for the reason.
            eprintln!("{error:?}\n{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(engine: &str, case: &str, folder: &Path, device: &str) -> Result<()> {
    let choice = device.parse()?;
    let device = select(choice)?.device;
    let place = Place {
        choice,
        device: device.clone(),
        folder,
    };
    let (kind, detail) = case.split_once(':').unwrap_or((case, ""));
    let mut run = prepare(engine, kind, detail, &place)?;
    for (name, tensor) in run()? {
        tensor.write_npy(folder.join(format!("{name}.npy")))?;
    }
    device.synchronize()?;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        line.map_err(|source| Error::internal("the conductor went away").with_source(source))?;
        let began = Instant::now();
        run()?;
        // A GPU is still at work when a network returns.
        device.synchronize()?;
        println!("{}", began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}

fn prepare(engine: &str, kind: &str, detail: &str, place: &Place<'_>) -> Result<Case> {
    match (engine, kind) {
        ("candle", "layer") => Layer::parse(detail, place)?.candle(),
        (_, "layer") => Layer::parse(detail, place)?.ours(),
        (_, "matmul") => {
            let size: usize = number(detail)?;
            let (a, b) = (place.noise("a", (size, size))?, place.noise("b", (size, size))?);
            Ok(Box::new(move || Ok(vec![("product", a.matmul(&b)?)])))
        }
        (_, "slowfast") => slowfast_case(place),
        (_, "vggish") => vggish_case(place),
        (_, "spleeter") => spleeter_case(place),
        (_, "top-k") => top_k_case(number(detail)?),
        (_, "train-heads") => train_heads_case(place),
        (_, "train-slowfast") => train_slowfast_case(place),
        (_, "query") => query_case(place, "compact"),
        (_, "query-full") => query_case(place, &full_pack(place.folder)?.display().to_string()),
        (_, "index") => index_case(place),
        _ => Err(Error::internal(format!("there is no case {kind}"))),
    }
}

fn number(text: &str) -> Result<usize> {
    text.parse()
        .map_err(|source| Error::internal(format!("{text} is no number")).with_source(source))
}

/// `N,C,T,H,W-O-kt,kh,kw-stride in time, stride in the plane`, padded as to centre the kernel.
struct Layer {
    x: Tensor,
    weight: Tensor,
    geometry: Geometry,
    stride: usize,
    padding: usize,
}

impl Layer {
    fn parse(text: &str, place: &Place<'_>) -> Result<Self> {
        let parts = text
            .split('-')
            .map(|part| part.split(',').map(number).collect())
            .collect::<Result<Vec<Vec<usize>>>>()?;
        let [input, outputs, kernel, stride] = parts.as_slice() else {
            return Err(Error::internal(format!("{text} is no layer")));
        };
        let (&[outputs], &[time, height, width], &[time_stride, stride]) =
            (outputs.as_slice(), kernel.as_slice(), stride.as_slice())
        else {
            return Err(Error::internal(format!("{text} is no layer")));
        };
        let channels = input.get(1).copied().unwrap_or(1);
        Ok(Self {
            x: place.noise("x", input.as_slice())?,
            weight: weight("layer.weight", &(outputs, channels, time, height, width).into())
                .to_device(&place.device)?,
            geometry: Geometry::volume([time, height, width])
                .with_stride(stride)
                .with_time_stride(time_stride)
                .centred(),
            stride,
            padding: height / 2,
        })
    }

    fn ours(self) -> Result<Case> {
        let conv = Conv::new(&self.weight, None, None, self.geometry, Activation::None)?;
        Ok(Box::new(move || Ok(vec![("y", conv.forward(&self.x)?)])))
    }

    /// Frames as a batch; only for kernels of one frame.
    fn candle(self) -> Result<Case> {
        let (batch, channels, frames, height, width) = self.x.dims5()?;
        let x = self.x.transpose(1, 2)?.contiguous()?;
        let x = x.reshape((batch * frames, channels, height, width))?;
        let weight = self.weight.squeeze(2)?;
        Ok(Box::new(move || {
            let y = x.conv2d(&weight, self.padding, self.stride, 1, 1)?;
            let (_, outputs, height, width) = y.dims4()?;
            let y = y.reshape((batch, frames, outputs, height, width))?;
            Ok(vec![("y", y.transpose(1, 2)?.contiguous()?)])
        }))
    }
}

fn slowfast_case(place: &Place<'_>) -> Result<Case> {
    let network = SlowFast::new(&slowfast::Config::default(), place.weights())?;
    let slow = place.noise("slow", (1, 3, 8, 224, 224))?;
    let fast = place.noise("fast", (1, 3, 64, 224, 224))?;
    Ok(Box::new(move || {
        let (slow, fast) = network.forward(&slow, &fast)?;
        Ok(vec![("slow", slow), ("fast", fast)])
    }))
}

fn vggish_case(place: &Place<'_>) -> Result<Case> {
    let network = Vggish::new(&vggish::Config::default(), place.weights())?;
    let patches = place.noise("patches", (72, 1, 96, 64))?;
    Ok(Box::new(move || {
        Ok(vec![("embedding", network.forward(&patches)?)])
    }))
}

/// The network of one stem.
fn spleeter_case(place: &Place<'_>) -> Result<Case> {
    let config = spleeter::Config {
        stems: vec!["voice".to_owned()],
        ..spleeter::Config::default()
    };
    let network = Spleeter::new(&config, place.weights())?;
    let magnitude = (place.noise("magnitude", (1, 2, 512, 1024))?.abs()? * 4.0)?;
    Ok(Box::new(move || {
        let stems = network.forward(&magnitude)?;
        Ok(stems.into_iter().map(|stem| ("stem", stem)).collect())
    }))
}

/// The 100 nearest of `rows` windows of 512 values.
fn top_k_case(rows: usize) -> Result<Case> {
    const DIM: usize = 512;
    let table: Vec<f32> = noise("table", (rows, DIM)).flatten_all()?.to_vec1()?;
    let query: Vec<f32> = noise("query", DIM).to_vec1()?;
    Ok(Box::new(move || {
        let hits = top_k(&table, &query, 100, Metric::Cosine, &|_| true);
        let scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
        Ok(vec![("scores", Tensor::new(scores, &Device::Cpu)?)])
    }))
}

/// Forward, loss of eq. 6, backward and a step of gradient descent of MRCMV over 16 pairs.
fn train_heads_case(place: &Place<'_>) -> Result<Case> {
    const PAIRS: usize = 16;
    let config = mrcmv::Config::default();
    let mut variables = Variables::drawn(&place.device, 0, |vb| Mrcmv::new(&config, vb).map(drop))?;
    let named: Vec<(String, Tensor)> = variables
        .iter()
        .map(|(name, var)| (name.to_owned(), weight(name, var.shape())))
        .collect();
    for (name, tensor) in &named {
        variables.insert(name, tensor)?;
    }
    let network = Mrcmv::new(&config, variables.builder())?;
    let input = QueryInput {
        picture: Some((
            place.noise("slow", (PAIRS, 8, config.slow_dim))?,
            place.noise("fast", (PAIRS, 64, config.fast_dim))?,
        )),
        voice: Some(place.noise("voice", (PAIRS, 72, config.d))?),
    };
    let music = place.noise("bgm", (PAIRS, 72, config.d))?;
    let each: Vec<usize> = (0..PAIRS).collect();
    let negatives = Negatives::new(&each, &each, &place.device)?;
    // So small a rate that every step has the same work and, within the tolerance, the same loss.
    let mut optimizer = Optimizer::new(OptimizerConfig::Sgd {
        rate: 1e-12,
        momentum: 0.9,
    });
    Ok(Box::new(move || {
        let joint = network.query(&input, 0.0)?.embedding;
        let loss = triplet(&joint, &network.bgm(&music)?, &negatives, 30.0)?;
        optimizer.step(&variables, &loss.backward()?)?;
        Ok(vec![("loss", loss.detach().reshape(1)?)])
    }))
}

/// Forward and backward of SlowFast, all weights trained, for one clip of 112 x 112.
fn train_slowfast_case(place: &Place<'_>) -> Result<Case> {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, candle_core::DType::F32, &place.device);
    let network = SlowFast::new(&slowfast::Config::default(), vb)?;
    for (name, var) in map
        .data()
        .lock()
        .map_err(|_| Error::internal("a network panicked while it was built"))?
        .iter()
    {
        var.set(&weight(name, var.shape()).to_device(&place.device)?)?;
    }
    let slow = place.noise("slow", (1, 3, 8, 112, 112))?;
    let fast = place.noise("fast", (1, 3, 64, 112, 112))?;
    let stem = map
        .data()
        .lock()
        .map_err(|_| Error::internal("a network panicked while it was built"))?
        .get("blocks.0.multipathway_blocks.1.conv.weight")
        .cloned()
        .ok_or_else(|| Error::internal("SlowFast has no fast stem"))?;
    Ok(Box::new(move || {
        let (slow, fast) = network.forward(&slow, &fast)?;
        let gradients = (slow.sum_all()? + fast.sum_all()?)?.backward()?;
        let gradient = gradients
            .get(&stem)
            .ok_or_else(|| Error::internal("no gradient reached the stem"))?;
        Ok(vec![("gradient", gradient.clone())])
    }))
}

/// With nothing of the user's.
fn engine(place: &Place<'_>, pack: &str) -> Result<Engine> {
    Engine::open(EngineOptions {
        device: place.choice,
        pack: pack.to_owned(),
        library: None,
        folders: Folders::under(place.folder),
    })
}

/// A pack of the papers' sizes with drawn weights: what it suggests means nothing, what it costs does.
fn full_pack(folder: &Path) -> Result<PathBuf> {
    fn drawn(build: impl FnOnce(VarBuilder<'_>) -> Result<()>) -> Result<HashMap<String, Tensor>> {
        let variables = Variables::drawn(&Device::Cpu, 0, build)?;
        let named = variables.iter();
        Ok(named
            .map(|(name, var)| (name.to_owned(), var.as_detached_tensor()))
            .collect())
    }
    let about = PackAbout {
        name: "full".to_owned(),
        version: "0".to_owned(),
        licence: "CC0-1.0".to_owned(),
        provenance: "drawn from seed 0".to_owned(),
        method: "mrcmv".to_owned(),
        without: Vec::new(),
    };
    let (spleeter, slowfast) = (spleeter::Config::default(), slowfast::Config::default());
    let (vggish, mrcmv) = (vggish::Config::default(), mrcmv::Config::default());
    let hearing = drawn(|vb| Vggish::new(&vggish, vb).map(drop))?;
    let folder = folder.join("full");
    PackWriter::new(about)?
        .network(
            "spleeter",
            &spleeter,
            &drawn(|vb| Spleeter::new(&spleeter, vb).map(drop))?,
        )?
        .network(
            "slowfast",
            &slowfast,
            &drawn(|vb| SlowFast::new(&slowfast, vb).map(drop))?,
        )?
        .network("vggish_voice", &vggish, &hearing)?
        .network("vggish_bgm", &vggish, &hearing)?
        .network("mrcmv", &mrcmv, &drawn(|vb| Mrcmv::new(&mrcmv, vb).map(drop))?)?
        .write(&folder)?;
    Ok(folder)
}

/// A query by 32 s of 1080p, from the file to the embedding.
fn query_case(place: &Place<'_>, pack: &str) -> Result<Case> {
    let clip = if let Some(clip) = std::env::var_os("UNDERTONE_BENCH_CLIP") {
        PathBuf::from(clip)
    } else {
        let clip = place.folder.join("clip.mp4");
        synthesise(
            &Synthetic {
                duration_s: 32.0,
                picture: Some((1920, 1080)),
                frame_rate: 30,
                ..Synthetic::default()
            },
            &clip,
        )?;
        clip
    };
    let engine = engine(place, pack)?;
    Ok(Box::new(move || {
        let monitor = Monitor::silent();
        embed_query(&engine, &clip, 0.0, &VoiceSource::Separated, 0.0, &monitor)?;
        Ok(Vec::new())
    }))
}

/// The embeddings of a minute of music.
fn index_case(place: &Place<'_>) -> Result<Case> {
    let engine = engine(place, "compact")?;
    let samples: Vec<f32> = noise("music", 60 * 16_000).to_vec1()?;
    Ok(Box::new(move || {
        embed_bgm(&engine, &samples, false, &Monitor::silent())?;
        Ok(Vec::new())
    }))
}
