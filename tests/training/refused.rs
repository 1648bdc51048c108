//! What cannot be trained on is refused in a sentence, and leaves nothing.

use std::path::Path;

use undertone::engine::Engine;
use undertone::engine::fine_tune::{FineTuneRequest, Method, fine_tune};
use undertone::error::Result;
use undertone::jobs::Monitor;
use undertone::media::testing::{Synthetic, synthesise};
use undertone::media::{AudioFormat, WavWriter, decode_audio};

use crate::engine::{engine, engine_with, request};

/// A corpus of `items`, each a file of `folder` and what more is said of it.
fn corpus(folder: &Path, items: &[(&str, &str)]) {
    let items: Vec<String> = items
        .iter()
        .map(|(file, more)| format!(r#"{{"id": "{file}", "video": "{file}", "split": "train"{more}}}"#))
        .collect();
    let text = format!(r#"{{"name": "small", "items": [{}]}}"#, items.join(", "));
    std::fs::create_dir_all(folder).expect("folder");
    std::fs::write(folder.join("corpus.json"), text).expect("write");
}

fn film(path: &Path, tone_hz: f64) -> Result<()> {
    let film = Synthetic {
        tone_hz: Some(tone_hz),
        ..Synthetic::default()
    };
    synthesise(&film, path)
}

/// Eight seconds of the demo's sound, a voice over music, without its picture.
fn narration(path: &Path, start_s: f64) -> Result<()> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/arena_clip.webm");
    let format = AudioFormat::VGGISH;
    let samples = decode_audio(&demo, format, start_s, Some(8.0), &Monitor::silent())?;
    let mut file = WavWriter::create(path, format)?;
    file.write(&samples)?;
    file.finish()
}

fn refused(engine: &Engine, asked: &FineTuneRequest, expected: &str) {
    let error = fine_tune(engine, asked, &|_| {}, &Monitor::silent())
        .expect_err(expected)
        .to_string();
    assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    assert!(!asked.out.exists(), "nothing is left that could be resumed");
}

#[test]
fn too_few_items() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let (folder, out) = (home.path().join("corpus"), home.path().join("out"));
    corpus(&folder, &[]);
    refused(&engine, &request(&folder, out.clone(), 1), "nothing to train on");

    film(&folder.join("a.mkv"), 200.0)?;
    film(&folder.join("b.mkv"), 290.0)?;
    corpus(&folder, &[("a.mkv", "")]);
    refused(&engine, &request(&folder, out.clone(), 1), "one usable item");

    let track = r#", "bgm": "a.mkv""#;
    corpus(&folder, &[("a.mkv", track), ("b.mkv", track)]);
    refused(&engine, &request(&folder, out, 1), "one music track");
    Ok(())
}

#[test]
fn sounds_for_a_method_of_pictures_and_heads_of_another_slowfast() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let at = |name: &str| home.path().join(name);
    let sounds = at("sounds");
    corpus(&sounds, &[("a.wav", ""), ("b.wav", "")]);
    narration(&sounds.join("a.wav"), 0.0)?;
    narration(&sounds.join("b.wav"), 16.0)?;
    let blind = FineTuneRequest {
        method: Method::Cbvmr,
        ..request(&sounds, at("blind"), 1)
    };
    refused(&engine, &blind, "nothing to train on");
    // It is the method, not the sounds.
    let heard = request(&sounds, at("heard"), 1);
    assert_eq!(fine_tune(&engine, &heard, &|_| {}, &Monitor::silent())?.used, 2);

    let other = at("other");
    std::fs::create_dir(&other).expect("folder");
    let compact = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/compact");
    for entry in std::fs::read_dir(&compact).expect("list").flatten() {
        std::fs::copy(entry.path(), other.join(entry.file_name())).expect("copy");
    }
    let text = std::fs::read_to_string(other.join("pack.json")).expect("read");
    let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    json["networks"]["mrcmv"]["config"]["slow_dim"] = 99.into();
    std::fs::write(other.join("pack.json"), json.to_string()).expect("write");
    let misfit = engine_with(home.path(), other.to_str().expect("text"))?;
    refused(&misfit, &request(&sounds, at("misfit"), 1), "rows of 99");
    Ok(())
}
