//! Every stage of a query as a safetensors file (`features` of the contract).

use std::path::Path;

use super::Engine;
use super::embed::VoiceSource;
use crate::error::Result;
use crate::jobs::Monitor;

/// Writes `log_mel_voice`, `vggish_voice`, `slow`, `fast`, `query_embedding` of `media`, and for sound alone the BGM side
/// as well, to `out`.
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
    let _ = (engine, media, start_s, voice, out, monitor);
    crate::error::unbuilt("features")
}
