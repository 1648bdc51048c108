//! A library under another pack: where only the matching network is another, embeddings are made from the VGGish rows that
//! the library keeps, and no file is listened to again.

use candle_core::Tensor;

use super::Engine;
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::library::{Heard, Library, StoredWindow};
use crate::signal::mel;

/// Windows that go through the network, and into the library, at once.
const WINDOWS_AT_ONCE: usize = 512;

/// Gives every track that was heard as the pack in use hears it embeddings of that pack, and returns how many there
/// were. What is done when it is cancelled stays.
///
/// # Errors
/// When the library cannot be read or written, or the pack cannot be used; cancelled.
pub fn reembed(engine: &Engine, library: &Library, monitor: &Monitor) -> Result<usize> {
    let pack = engine.pack();
    if pack.manifest.method != "mrcmv" {
        return Ok(0);
    }
    let embedding_id = pack.embedding_id();
    let tracks = library.heard_alike(&pack.listening_id(), &embedding_id)?;
    let mut waiting: Vec<(Heard, Vec<StoredWindow>)> = Vec::new();
    let mut windows = 0;
    for (number, heard) in tracks.iter().enumerate() {
        monitor.check()?;
        monitor.progress(
            "Embedding the library with the new model",
            Some(number as f32 / tracks.len() as f32),
        );
        let kept = library.windows(heard.track, &heard.embedding_id)?;
        windows += kept.len();
        waiting.push((heard.clone(), kept));
        if windows >= WINDOWS_AT_ONCE {
            embed(engine, &mut waiting)?;
            library.put_carried(&embedding_id, &waiting)?;
            waiting.clear();
            windows = 0;
        }
    }
    embed(engine, &mut waiting)?;
    library.put_carried(&embedding_id, &waiting)?;
    Ok(tracks.len())
}

/// Replaces the embedding of every window by that of the pack in use.
fn embed(engine: &Engine, tracks: &mut [(Heard, Vec<StoredWindow>)]) -> Result<()> {
    let rows: Vec<f32> = tracks
        .iter()
        .flat_map(|(_, windows)| windows)
        .flat_map(|window| window.vggish.iter().copied())
        .collect();
    let count: usize = tracks.iter().map(|(_, windows)| windows.len()).sum();
    if count == 0 {
        return Ok(());
    }
    let width = rows.len() / (count * mel::PATCHES);
    if rows.len() != count * mel::PATCHES * width {
        return Err(Error::library(
            "the library keeps rows of another shape than this version; index your music again (undertone index FOLDER)",
        ));
    }
    let rows = Tensor::from_vec(rows, (count, mel::PATCHES, width), &engine.device().device)?;
    let embeddings: Vec<Vec<f32>> = engine.mrcmv()?.bgm(&rows)?.to_vec2()?;
    let all = tracks.iter_mut().flat_map(|(_, windows)| windows);
    for (window, embedding) in all.zip(embeddings) {
        window.embedding = embedding;
    }
    Ok(())
}
