//! Every stage of a query as a safetensors file (`features` of the contract).

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::Engine;
use super::embed::{VoiceSource, embed_bgm, embed_query};
use crate::error::{Error, Result};
use crate::files::{AtomicFile, atomic_write};
use crate::jobs::Monitor;
use crate::media::{self, AudioFormat};
use crate::signal::chroma::DEGREES;
use crate::signal::mel;

/// Writes `log_mel_voice`, `vggish_voice`, `slow`, `fast`, `query_embedding` of `media`, and for sound alone the BGM side
/// (`log_mel_bgm`, where the pack takes it `chroma_bgm`, `vggish_bgm`, `bgm_embedding`) as well, to `out`. A stage that the
/// media cannot feed is left out.
///
/// # Errors
/// As [`super::embed::embed_query`]; disk full.
pub fn write_features(
    engine: &Engine,
    media: &Path,
    start_s: f64,
    voice: &VoiceSource,
    out: &Path,
    monitor: &Monitor,
) -> Result<()> {
    // Whether the folder takes a file at all, before any work; dropped, it leaves nothing.
    AtomicFile::create(out).map(drop)?;
    let query = embed_query(engine, media, start_s, voice, 0.0, &monitor.part(0.0, 0.6))?;
    let mut tensors = HashMap::new();
    let patch = [mel::PATCHES, mel::PATCH_FRAMES, mel::BANDS];
    if let Some(log_mel) = query.log_mel_voice {
        insert(&mut tensors, "log_mel_voice", log_mel, &patch)?;
    }
    if let Some(rows) = query.vggish_voice {
        insert(&mut tensors, "vggish_voice", rows, &[mel::PATCHES, 128])?;
    }
    if let Some(slow) = query.slow {
        let shape = [8, slow.len() / 8];
        insert(&mut tensors, "slow", slow, &shape)?;
    }
    if let Some(fast) = query.fast {
        let shape = [64, fast.len() / 64];
        insert(&mut tensors, "fast", fast, &shape)?;
    }
    let width = query.embedding.len();
    insert(&mut tensors, "query_embedding", query.embedding, &[width])?;
    if media::probe(media)?.video.is_empty() {
        let sound = media::decode_audio(media, AudioFormat::VGGISH, 0.0, None, &monitor.part(0.6, 0.7))?;
        let windows = embed_bgm(engine, &sound, true, &monitor.part(0.7, 1.0))?;
        let count = windows.len();
        let (mut log_mel, mut chroma, mut vggish, mut embedding) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for window in windows {
            if let Some(given) = window.given {
                log_mel.extend(given.log_mel);
                chroma.extend(given.chroma);
            }
            vggish.extend(window.vggish);
            embedding.extend(window.embedding);
        }
        insert(
            &mut tensors,
            "log_mel_bgm",
            log_mel,
            &[count, patch[0], patch[1], patch[2]],
        )?;
        if !chroma.is_empty() {
            insert(
                &mut tensors,
                "chroma_bgm",
                chroma,
                &[count, mel::PATCHES, DEGREES],
            )?;
        }
        insert(&mut tensors, "vggish_bgm", vggish, &[count, mel::PATCHES, 128])?;
        insert(&mut tensors, "bgm_embedding", embedding, &[count, width])?;
    }
    let bytes = safetensors::serialize(&tensors, None).map_err(|source| {
        Error::internal("the features could not be written as safetensors").with_source(source)
    })?;
    atomic_write(out, &bytes)
}

fn insert(
    tensors: &mut HashMap<String, Tensor>,
    name: &str,
    values: Vec<f32>,
    shape: &[usize],
) -> Result<()> {
    tensors.insert(name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu)?);
    Ok(())
}
