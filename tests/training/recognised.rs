//! Music of finished videos that is a track of the library.

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use undertone::engine::fine_tune::{FineTuneRequest, fine_tune};
use undertone::engine::index::{Songs, index};
use undertone::error::Result;
use undertone::jobs::Monitor;
use undertone::media::{AudioFormat, WavWriter};

use super::engine::engine;

const RATE: usize = 16_000;

/// Four plucked notes a second.
fn tune(seed: u64, seconds: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut samples = Vec::new();
    for _ in 0..seconds * 4 {
        let pitch_hz = 110.0 * 2f32.powf(rng.random_range(0..36) as f32 / 12.0);
        samples.extend((0..RATE / 4).map(|at| {
            let time_s = at as f32 / RATE as f32;
            let partial = |number: f32| (std::f32::consts::TAU * pitch_hz * number * time_s).sin() / number;
            0.25 * (-4.0 * time_s).exp() * (partial(1.0) + partial(2.0) + partial(3.0))
        }));
    }
    samples
}

/// Bursts of noise, a second each and as long apart.
fn narration(seed: u64, seconds: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..seconds * RATE)
        .map(|at| {
            let noise: f32 = rng.random_range(-0.1..0.1);
            if (at / RATE).is_multiple_of(2) { noise } else { 0.0 }
        })
        .collect()
}

fn wav(path: PathBuf, samples: &[f32]) -> Result<PathBuf> {
    let mut file = WavWriter::create(&path, AudioFormat::VGGISH)?;
    file.write(samples)?;
    file.finish()?;
    Ok(path)
}

/// Videos `items` with the music of the tracks of those numbers, from another place in each.
fn corpus(folder: &Path, items: &[u64]) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).expect("folder");
    let mut json = Vec::new();
    for (number, &track) in items.iter().enumerate() {
        let from = (3 + 2 * number) * RATE + 777;
        let mixed: Vec<f32> = tune(track, 40)[from..from + 16 * RATE]
            .iter()
            .zip(narration(100 + track, 16))
            .map(|(music, voice)| 0.5 * music + voice)
            .collect();
        wav(folder.join(format!("{number}.wav")), &mixed)?;
        json.push(serde_json::json!({
            "id": number.to_string(), "video": format!("{number}.wav"), "split": "train",
        }));
    }
    let text = serde_json::json!({"name": "mixes", "items": json}).to_string();
    std::fs::write(folder.join("corpus.json"), text).expect("write");
    Ok(folder.to_owned())
}

#[test]
fn the_librarys_own_file_is_learnt_from() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let silent = Monitor::silent();
    let music = home.path().join("music");
    std::fs::create_dir(&music).expect("folder");
    for track in 0..4 {
        wav(music.join(format!("{track}.wav")), &tune(track, 40))?;
    }
    // Of the last video the library has nothing.
    let corpus = corpus(&home.path().join("corpus"), &[0, 1, 2, 9])?;
    let train = |out: &str, leak_free: bool| {
        let asked = FineTuneRequest {
            epochs: Some(1),
            leak_free,
            ..FineTuneRequest::new(&corpus, &home.path().join(out))
        };
        fine_tune(&engine, &asked, &|_| {}, &silent)
    };
    let before = train("before", true)?;
    assert_eq!((before.used, before.recognised), (4, 0), "{:?}", before.rejected);
    index(&engine, &[music], Songs::No, &silent)?;
    let report = train("after", true)?;
    assert_eq!((report.used, report.recognised), (4, 3), "{:?}", report.rejected);
    // The voice still comes from the mix.
    assert_eq!(report.pairing, "masked");
    assert_eq!(train("paper", false)?.recognised, 0);
    Ok(())
}
