//! Looking corpora over and importing published ones.

use std::path::{Path, PathBuf};

use undertone::engine::corpus::{ImportRequest, check_corpus, import_corpus};
use undertone::error::Result;
use undertone::jobs::Monitor;
use undertone::media::testing::{Synthetic, synthesise};
use undertone::media::{AudioFormat, WavWriter};

fn wav(path: &Path, amplitude: f32) -> Result<()> {
    let mut file = WavWriter::create(path, AudioFormat::VGGISH)?;
    let samples: Vec<f32> = (0..16_000)
        .map(|at| amplitude * (at as f32 * 0.2).sin())
        .collect();
    file.write(&samples)?;
    file.finish()
}

#[test]
fn check_explains_every_rejected_item() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let at = |name: &str| folder.path().join(name);
    synthesise(&Synthetic::default(), &at("good.mkv"))?;
    let other = Synthetic {
        tone_hz: Some(600.0),
        ..Synthetic::default()
    };
    synthesise(&other, &at("tested.mkv"))?;
    std::fs::copy(at("tested.mkv"), at("copy.mkv")).expect("copy");
    synthesise(
        &Synthetic {
            tone_hz: None,
            ..Synthetic::default()
        },
        &at("mute.mkv"),
    )?;
    std::fs::write(at("text.mp4"), "this is no video").expect("write");
    std::fs::write(at("empty.mp4"), "").expect("write");
    wav(&at("silent.wav"), 0.0)?;
    wav(&at("voice.wav"), 0.3)?;
    std::fs::write(
        at("corpus.json"),
        r#"{"name": "tiny", "items": [
            {"id": "good", "video": "good.mkv", "split": "train", "voice": "voice.wav", "bgm": "voice.wav"},
            {"id": "sound", "video": "voice.wav", "split": "val"},
            {"id": "tested", "video": "tested.mkv", "split": "test", "tags": ["calm"]},
            {"id": "leak", "video": "copy.mkv", "split": "train"},
            {"id": "gone", "video": "gone.mkv", "split": "train"},
            {"id": "text", "video": "text.mp4", "split": "train"},
            {"id": "empty", "video": "empty.mp4", "split": "train"},
            {"id": "mute", "video": "mute.mkv", "split": "train"},
            {"id": "silent", "video": "silent.wav", "split": "train"},
            {"id": "stem", "video": "good.mkv", "split": "train", "voice": "silent.wav"},
            {"id": "good", "video": "good.mkv", "split": "train"},
            {"id": "odd", "video": "good.mkv", "split": "trial"}]}"#,
    )
    .expect("write");
    let report = check_corpus(folder.path(), &Monitor::silent())?;
    assert_eq!((report.train, report.val, report.test), (2, 1, 1));
    let good = &report.items[0];
    assert!(good.picture && good.clean_voice && good.clean_bgm && (good.duration_s - 2.0).abs() < 0.2);
    assert!(!report.items[1].picture);
    assert_eq!(report.rejected.len(), 8);
    let stem = report.items.iter().find(|item| item.id == "stem").expect("used");
    let remark = stem.remark.as_deref().expect("a remark");
    assert!(remark.contains("clean voice is silent"), "{remark}");
    assert!(good.remark.is_none());
    let reason = |id: &str, expected: &str| {
        let (_, reason) = report
            .rejected
            .iter()
            .find(|(other, _)| other == id)
            .expect("rejected");
        assert!(reason.contains(expected), "{id}: {reason}");
        assert!(!reason.contains('\n'));
    };
    reason("leak", "test item tested");
    reason("gone", "no such file");
    reason("text", "text.mp4");
    reason("empty", "empty.mp4");
    reason("mute", "no sound");
    reason("silent", "silent throughout");
    reason("good", "same id");
    reason("odd", "trial");
    Ok(())
}

#[test]
fn a_published_corpus_is_imported_again_as_downloads_come() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (lists, out) = (folder.path().join("lists"), folder.path().join("corpus"));
    let videos = out.join("videos");
    std::fs::create_dir_all(&lists).expect("folder");
    std::fs::create_dir_all(&videos).expect("folder");
    let url = |id: &str| format!("https://v.qq.com/x/page/{id}.html\n");
    std::fs::write(lists.join("training_part_CFM400.txt"), url("a1") + &url("b2")).expect("write");
    std::fs::write(lists.join("test_part_CFM400.txt"), url("c3")).expect("write");
    let import = || {
        import_corpus(&ImportRequest {
            name: "cfm400".to_owned(),
            lists: lists.clone(),
            videos: videos.clone(),
            out: out.clone(),
        })
    };
    let report = import()?;
    assert_eq!((report.train, report.test, report.missing.len()), (0, 0, 3));
    assert!(!report.corpus.exists());
    for id in ["a1", "c3"] {
        synthesise(
            &Synthetic {
                picture: None,
                ..Synthetic::default()
            },
            &videos.join(format!("{id}.wav")),
        )?;
        import()?;
    }
    let report = import()?;
    assert_eq!((report.train, report.test), (1, 1));
    assert_eq!(report.missing, [url("b2").trim()]);
    let text = std::fs::read_to_string(&report.corpus).expect("corpus");
    assert!(text.contains("\"videos/a1.wav\""), "{text}");
    let checked = check_corpus(&out, &Monitor::silent())?;
    // Both files are the same tone, and what is tested must not be learnt.
    assert_eq!((checked.train, checked.test), (0, 1));
    std::fs::write(&report.corpus, r#"{"name": "mine", "items": []}"#).expect("write");
    assert!(
        import()
            .expect_err("another corpus")
            .to_string()
            .contains("another corpus")
    );
    Ok(())
}

/// The lists as published, where they are at hand.
#[test]
fn the_published_lists_are_read() -> Result<()> {
    let lists = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    if !lists.is_dir() {
        eprintln!("skipped: the published lists are not in ../shared/corpora");
        return Ok(());
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    for (name, train, test) in [("hok400", 265, 162), ("cfm400", 270, 131)] {
        let videos = folder.path().join(name);
        std::fs::create_dir_all(&videos).expect("folder");
        let report = import_corpus(&ImportRequest {
            name: name.to_owned(),
            lists: lists.clone(),
            videos,
            out: folder.path().join("out"),
        })?;
        assert_eq!(report.missing.len(), train + test);
    }
    Ok(())
}
