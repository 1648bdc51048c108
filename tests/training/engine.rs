//! Fine-tuning and evaluation through the engine, with the compact pack on synthesised videos.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use undertone::device::DeviceChoice;
use undertone::engine::evaluate::{EvaluateRequest, Floor, Protocol, evaluate};
use undertone::engine::fine_tune::{
    EpochReport, FineTuneRequest, Method, News, Scope, Source, Understood, fine_tune,
};
use undertone::engine::index::{Songs, index};
use undertone::engine::reembed::reembed;
use undertone::engine::{Engine, EngineOptions};
use undertone::error::Result;
use undertone::jobs::{CancelToken, Monitor, Report};
use undertone::media::testing::{Synthetic, synthesise};
use undertone::media::{AudioFormat, WavWriter};
use undertone::networks::weights::{Pack, Parameters};
use undertone::settings::Folders;

pub(super) fn engine(home: &Path) -> Result<Engine> {
    engine_with(home, "compact")
}

pub(super) fn engine_with(home: &Path, pack: &str) -> Result<Engine> {
    Engine::open(EngineOptions {
        device: DeviceChoice::Cpu,
        pack: pack.to_owned(),
        library: None,
        folders: Folders::under(home),
    })
}

/// Three chords at once, so that no two items sound alike.
pub(super) fn chord(path: &Path, item: usize, seconds: usize) -> Result<()> {
    let mut file = WavWriter::create(path, AudioFormat::VGGISH)?;
    let samples: Vec<f32> = (0..16_000 * seconds)
        .map(|at| {
            let time_s = at as f32 / 16_000.0;
            let partial =
                |step: f32| (std::f32::consts::TAU * (110.0 + 37.0 * item as f32) * step * time_s).sin();
            0.1 * (partial(1.0) + partial(1.5) + partial(3.1))
        })
        .collect();
    file.write(&samples)?;
    file.finish()
}

/// `train` training items and two test items, with clean stems or without.
pub(super) fn corpus(folder: &Path, train: usize, stems: bool) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).expect("folder");
    let mut items = Vec::new();
    for item in 0..train + 2 {
        let name = |what: &str| format!("{item}.{what}");
        let video = Synthetic {
            tone_hz: Some(200.0 + 90.0 * item as f64),
            ..Synthetic::default()
        };
        synthesise(&video, &folder.join(name("mkv")))?;
        chord(&folder.join(name("voice.wav")), item, 2)?;
        chord(&folder.join(name("bgm.wav")), item + 10, 1)?;
        let mut json = serde_json::json!({
            "id": name("video"),
            "video": name("mkv"),
            "split": if item < train { "train" } else { "test" },
            "tags": [if item % 2 == 0 { "calm" } else { "battle" }],
        });
        if stems {
            json["voice"] = name("voice.wav").into();
            json["bgm"] = name("bgm.wav").into();
        }
        items.push(json);
    }
    let text = serde_json::json!({"name": "tones", "items": items}).to_string();
    std::fs::write(folder.join("corpus.json"), text).expect("write");
    Ok(folder.to_owned())
}

pub(super) fn request(corpus: &Path, out: PathBuf, epochs: usize) -> FineTuneRequest {
    FineTuneRequest {
        epochs: Some(epochs),
        ..FineTuneRequest::new(corpus, &out)
    }
}

pub(super) fn mrcmv_sha256(pack: &Path) -> Result<String> {
    let pack = Pack::open(pack)?;
    pack.verify()?;
    Ok(pack.manifest.networks["mrcmv"].sha256.clone())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one training run, told from start to end")]
fn a_pack_is_trained_resumed_and_evaluated() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let corpus = corpus(&home.path().join("corpus"), 4, true)?;
    let at = |name: &str| home.path().join(name);
    let silent = Monitor::silent();

    let seen: Mutex<Vec<EpochReport>> = Mutex::default();
    let understood: Mutex<Vec<Understood>> = Mutex::default();
    let on_news = |news: News| match news {
        News::Understood(item) => understood.lock().expect("lock").push(item),
        News::Epoch(epoch) => seen.lock().expect("lock").push(epoch),
    };
    let report = fine_tune(&engine, &request(&corpus, at("whole"), 2), &on_news, &silent)?;
    assert_eq!(
        (report.pairing.as_str(), report.used),
        ("leak-free", 4),
        "{:?}",
        report.rejected
    );
    assert!(report.rejected.is_empty(), "{:?}", report.rejected);
    assert_eq!(*seen.lock().expect("lock"), report.epochs);
    let understood = understood.lock().expect("lock");
    assert_eq!(understood.len(), 4);
    for item in &*understood {
        assert_eq!((item.cuts, item.picture, item.held_out), (1, true, false));
        // What is called a voice here is a chord, and the separator may take it for music.
        assert!(item.voices <= item.cuts);
        assert_eq!((item.voice_from, item.music_from), (Source::Clean, Source::Clean));
    }
    assert_eq!(
        report.epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(),
        [0, 1, 2]
    );

    // One epoch and a resumed second end in the same bytes.
    let parts = at("parts");
    fine_tune(&engine, &request(&corpus, parts.clone(), 1), &|_| {}, &silent)?;
    assert_ne!(mrcmv_sha256(&parts)?, mrcmv_sha256(&at("whole"))?);
    let again = fine_tune(&engine, &request(&corpus, parts.clone(), 2), &|_| {}, &silent);
    assert!(
        again
            .expect_err("a run is there")
            .to_string()
            .contains("--resume")
    );
    let resumed = FineTuneRequest {
        resume: true,
        ..request(&corpus, parts.clone(), 2)
    };
    fine_tune(&engine, &resumed, &|_| {}, &silent)?;
    assert_eq!(mrcmv_sha256(&parts)?, mrcmv_sha256(&at("whole"))?);

    // Only the heads are new, and the classifiers of eq. 7 are left behind.
    let (base, trained) = (engine.pack(), Pack::open(&at("whole"))?);
    for (network, entry) in &base.manifest.networks {
        let same = trained.manifest.networks[network].sha256 == entry.sha256;
        assert_eq!(same, network != "mrcmv", "{network}");
    }
    assert_eq!(
        trained.parameters("mrcmv")?.names(),
        base.parameters("mrcmv")?.names()
    );

    let asked = EvaluateRequest {
        packs: vec![parts.to_string_lossy().into_owned()],
        floors: vec![Floor::Chance, Floor::TagRandom],
        ..EvaluateRequest::new(&corpus)
    };
    let table = evaluate(&engine, &asked, &silent)?;
    assert_eq!(
        table,
        evaluate(&engine, &asked, &silent)?,
        "the same question has the same answer"
    );
    let rows: Vec<(&str, Protocol, usize)> = table
        .rows
        .iter()
        .map(|row| (row.pack.as_str(), row.protocol, row.queries))
        .collect();
    assert_eq!(
        rows,
        [
            ("parts", Protocol::Separated, 2),
            ("parts", Protocol::Clean, 2),
            ("chance", Protocol::Separated, 2),
            ("chance", Protocol::Clean, 2),
            ("tag-random", Protocol::Separated, 2),
            ("tag-random", Protocol::Clean, 2),
        ],
        "{:?}",
        table.rejected
    );
    let json = serde_json::to_value(&table).expect("JSON");
    let row = &json["rows"][0];
    for key in [
        "pack",
        "method",
        "without",
        "protocol",
        "queries",
        "r1",
        "r5",
        "r10",
        "r25",
        "median_rank",
        "ci95",
        "vggish_distance",
    ] {
        assert!(row.get(key).is_some(), "{key}");
    }
    assert_eq!(
        (&row["r5"], &row["vggish_distance"]),
        (&100.0.into(), &serde_json::Value::Null)
    );
    assert!(
        row["vggish_distance_reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("AudioSet"))
    );
    assert_eq!(row["ci95"]["r5"], serde_json::json!([100.0, 100.0]));
    Ok(())
}

#[test]
fn without_clean_stems_the_trace_is_masked_and_called_so() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let corpus = corpus(&home.path().join("corpus"), 2, false)?;
    let silent = Monitor::silent();
    let out = home.path().join("masked");
    let asked = FineTuneRequest {
        without: vec!["gate".to_owned(), "pseudo-label".to_owned()],
        ..request(&corpus, out.clone(), 1)
    };
    let report = fine_tune(&engine, &asked, &|_| {}, &silent)?;
    assert_eq!(report.pairing, "masked");
    let pack = Pack::open(&out)?;
    assert_eq!(pack.manifest.without, ["gate", "pseudo-label"]);
    assert!(
        !pack
            .parameters("mrcmv")?
            .names()
            .iter()
            .any(|name| name.starts_with("gate"))
    );

    let paper = FineTuneRequest {
        leak_free: false,
        ..request(&corpus, home.path().join("paper"), 1)
    };
    assert_eq!(fine_tune(&engine, &paper, &|_| {}, &silent)?.pairing, "paper");

    let clean = EvaluateRequest {
        protocols: vec![Protocol::Clean],
        ..EvaluateRequest::new(&corpus)
    };
    let error = evaluate(&engine, &clean, &silent).expect_err("no clean stems");
    assert!(error.to_string().contains("--protocol clean needs"), "{error}");
    Ok(())
}

/// A corpus without tags learns CMMR from the tags of a tagged one, and only from them.
#[test]
fn tags_are_taught_by_a_tagged_corpus() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let corpus = corpus(&home.path().join("corpus"), 3, true)?;
    let silent = Monitor::silent();
    let cmmr = |out: &str| FineTuneRequest {
        method: Method::Cmmr,
        ..request(&corpus, home.path().join(out), 2)
    };
    fine_tune(&engine, &cmmr("tagged"), &|_| {}, &silent)?;

    let text = std::fs::read_to_string(corpus.join("corpus.json")).expect("read");
    let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for item in json["items"].as_array_mut().expect("items") {
        item["tags"] = serde_json::json!([]);
    }
    std::fs::write(corpus.join("corpus.json"), json.to_string()).expect("write");
    let error = fine_tune(&engine, &cmmr("untagged"), &|_| {}, &silent).expect_err("no tags");
    assert!(error.to_string().contains("no training item has tags"), "{error}");
    let tagged = home.path().join("tagged");
    let tagged = engine_with(home.path(), tagged.to_str().expect("text"))?;
    fine_tune(&tagged, &cmmr("taught"), &|_| {}, &silent)?;
    let taught = Pack::open(&home.path().join("taught"))?;
    assert_eq!(
        taught.manifest.networks["cmmr"].config["tags"],
        serde_json::json!(["battle", "calm"])
    );
    Ok(())
}

#[test]
fn everything_learns_together() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let corpus = corpus(&home.path().join("corpus"), 2, false)?;
    let base = engine.pack();
    let out = home.path().join("all");
    let asked = FineTuneRequest {
        scope: Scope::All,
        ..request(&corpus, out.clone(), 1)
    };
    let report = fine_tune(&engine, &asked, &|_| {}, &Monitor::silent())?;
    assert_eq!(report.used, 2, "{:?}", report.rejected);
    let trained = Pack::open(&out)?;
    trained.verify()?;
    for network in ["mrcmv", "slowfast", "vggish_voice", "vggish_bgm", "spleeter"] {
        let same = trained.manifest.networks[network].sha256 == base.manifest.networks[network].sha256;
        assert_eq!(same, network == "spleeter", "{network}");
    }
    let (before, after) = (base.parameters("slowfast")?, trained.parameters("slowfast")?);
    assert_eq!(before.names(), after.names());
    let changed = |parameter: &str| {
        let values = |parameters: &Parameters| super::values(parameters.get(parameter).expect("parameter"));
        values(&before) != values(&after)
    };
    assert!(changed("blocks.0.multipathway_blocks.1.conv.weight"));
    // The statistics of batch norm stay as they came.
    assert!(!changed("blocks.0.multipathway_blocks.1.norm.running_mean"));
    Ok(())
}

/// Rows of a table differ by the module that is left out and not by where the others begin.
#[test]
fn without_a_module_the_others_begin_as_in_the_pack() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let corpus = corpus(&home.path().join("corpus"), 2, true)?;
    let out = home.path().join("without");
    let asked = FineTuneRequest {
        without: vec!["cma".to_owned()],
        ..request(&corpus, out.clone(), 1)
    };
    fine_tune(&engine, &asked, &|_| {}, &Monitor::silent())?;
    let (before, after) = (
        engine.pack().parameters("mrcmv")?,
        Pack::open(&out)?.parameters("mrcmv")?,
    );
    let values =
        |parameters: &Parameters, name: &str| super::values(parameters.get(name).expect("parameter"));
    // One step of the paper's rate moves them little; drawn anew they lie thirty times farther apart.
    for name in ["bgm_fc.weight", "sa_voice.wq.weight", "gate.bias"] {
        let (before, after) = (values(&before, name), values(&after, name));
        let moved: f32 = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).sum();
        assert!(moved / (before.len() as f32) < 1e-3, "{name}: {moved}");
    }
    assert!(after.names().iter().all(|name| !name.starts_with("cma_")));
    Ok(())
}

/// A clean voice that is silent means that nobody speaks; a clean track that is silent is no track.
#[test]
fn a_silent_stem_costs_no_more_than_itself() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let corpus = corpus(&home.path().join("corpus"), 3, true)?;
    let file = corpus.join("corpus.json");
    let mut silent = WavWriter::create(&corpus.join("silent.wav"), AudioFormat::VGGISH)?;
    silent.write(&vec![0.0; 16_000])?;
    silent.finish()?;
    let text = std::fs::read_to_string(&file).expect("read");
    let train = |stem: &str, out: &str| {
        std::fs::write(&file, text.replace(stem, "silent.wav")).expect("write");
        let warned: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&warned);
        let monitor = Monitor::new(CancelToken::default(), move |report| {
            if let Report::Warning(text) = report {
                heard.lock().expect("lock").push(text);
            }
        });
        let understood: Mutex<Vec<Understood>> = Mutex::default();
        let on_news = |news: News| {
            if let News::Understood(item) = news {
                understood.lock().expect("lock").push(item);
            }
        };
        let report = fine_tune(
            &engine,
            &request(&corpus, home.path().join(out), 1),
            &on_news,
            &monitor,
        )?;
        assert_eq!(
            (report.used, report.rejected.len()),
            (3, 0),
            "{:?}",
            report.rejected
        );
        let item = understood.lock().expect("lock")[1].clone();
        let warned = warned.lock().expect("lock").join("; ");
        Ok::<_, undertone::error::Error>((report.pairing, item, warned))
    };
    let (pairing, item, warned) = train("1.voice.wav", "speechless")?;
    assert_eq!((pairing.as_str(), item.voices), ("leak-free", 0));
    assert_eq!(item.music_from, Source::Clean);
    assert!(warned.contains("1.video: its clean voice is silent"), "{warned}");

    let (pairing, item, warned) = train("1.bgm.wav", "trackless")?;
    assert_eq!(pairing, "masked");
    assert_eq!(item.music_from, Source::Separated);
    assert!(warned.contains("1.video: its clean track is silent"), "{warned}");
    Ok(())
}

#[test]
fn a_library_follows_a_new_model_without_listening_again() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let silent = Monitor::silent();
    let corpus = corpus(&home.path().join("corpus"), 2, false)?;
    let music: Vec<PathBuf> = (0..2)
        .map(|item| corpus.join(format!("{item}.bgm.wav")))
        .collect();
    index(&engine, &music, Songs::No, &silent)?;
    let out = home.path().join("mine");
    fine_tune(&engine, &request(&corpus, out.clone(), 3), &|_| {}, &silent)?;

    let mine = engine_with(home.path(), out.to_str().expect("text"))?;
    assert_eq!(
        engine.pack().listening_id(),
        mine.pack().listening_id(),
        "only the heads are new"
    );
    // Files that are gone cannot be listened to.
    let library = mine.library()?;
    for file in &music {
        std::fs::rename(file, file.with_extension("away")).expect("rename");
    }
    assert_eq!(reembed(&mine, &library, &silent)?, 2);
    assert_eq!(reembed(&mine, &library, &silent)?, 0);
    for file in &music {
        std::fs::rename(file.with_extension("away"), file).expect("rename");
    }
    let (old, new) = (
        library.embeddings(&engine.pack().embedding_id())?,
        library.embeddings(&mine.pack().embedding_id())?,
    );
    assert_eq!(old.windows, new.windows);
    assert_ne!(old.data, new.data);
    let again = index(&mine, &music, Songs::No, &silent)?;
    assert_eq!((again.indexed, again.unchanged), (0, 2));
    Ok(())
}
