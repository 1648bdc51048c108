//! Sounds that are drawn anew in every epoch.

use std::sync::{Arc, Mutex};

use undertone::engine::fine_tune::{EpochReport, FineTuneRequest, News, fine_tune};
use undertone::error::Result;
use undertone::jobs::{CancelToken, Monitor, Report};

use super::engine::{corpus, engine, mrcmv_sha256};

#[test]
fn every_epoch_hears_other_mixes_and_a_resumed_run_the_same() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let corpus = corpus(&home.path().join("corpus"), 3, true)?;
    let train = |out: &str, epochs: usize, redraw: Option<usize>, resume: bool| {
        let out = home.path().join(out);
        let asked = FineTuneRequest {
            epochs: Some(epochs),
            redraw,
            resume,
            ..FineTuneRequest::new(&corpus, &out)
        };
        let report = fine_tune(&engine, &asked, &|_| {}, &Monitor::silent())?;
        assert_eq!(report.pairing, "leak-free");
        let left = std::fs::read_dir(out.join("run")).expect("list").flatten();
        assert!(
            !left.into_iter().any(|entry| entry.path().is_dir()),
            "no draw stays"
        );
        mrcmv_sha256(&out)
    };
    let whole = train("whole", 3, Some(1), false)?;
    assert_ne!(train("kept", 3, None, false)?, whole, "the draws are others");
    // Whoever finds a run reads how it was asked, and from which sources the program was built.
    let text = std::fs::read_to_string(home.path().join("whole/run/config.json")).expect("read");
    let written: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&written["about"]["redraw"], &written["training"]["epochs"]),
        (&1.into(), &3.into())
    );
    let revision = option_env!("UNDERTONE_REVISION").filter(|revision| !revision.is_empty());
    assert_eq!(written["revision"].as_str(), revision);
    let plain = |revision: &str| revision.trim_end_matches("-dirty").len() == 40;
    assert!(revision.is_none_or(plain), "{revision:?}");
    // Every item once in two epochs: what was drawn for an epoch that a resumed run did not see is drawn again.
    let slow = train("slow", 5, Some(2), false)?;
    train("slow parts", 4, Some(2), false)?;
    assert_eq!(train("slow parts", 5, Some(2), true)?, slow);
    // The first epoch is the one of a run that draws once.
    assert_eq!(
        train("parts", 1, Some(1), false)?,
        train("first", 1, None, false)?
    );
    train("parts", 2, Some(1), true)?;
    assert_eq!(train("parts", 3, Some(1), true)?, whole);
    Ok(())
}

/// Its corpus may change under a run: what was heard stays, and what is new is not taken for it.
#[test]
fn an_item_that_vanishes_is_learnt_from_as_it_was_heard() -> Result<()> {
    let home = tempfile::tempdir().expect("temporary folder");
    let engine = engine(home.path())?;
    let corpus = corpus(&home.path().join("corpus"), 3, true)?;
    let warned: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&warned);
    let monitor = Monitor::new(CancelToken::default(), move |report| {
        if let Report::Warning(text) = report {
            heard.lock().expect("lock").push(text);
        }
    });
    let on_news = |news: News| {
        if matches!(news, News::Epoch(EpochReport { epoch: 1, .. })) {
            std::fs::remove_file(corpus.join("1.mkv")).expect("remove");
            std::fs::write(corpus.join("2.voice.wav"), "another take").expect("write");
        }
    };
    let asked = FineTuneRequest {
        epochs: Some(3),
        redraw: Some(1),
        ..FineTuneRequest::new(&corpus, &home.path().join("mine"))
    };
    let report = fine_tune(&engine, &asked, &on_news, &monitor)?;
    assert_eq!((report.used, report.epochs.len()), (3, 4));
    let warned = warned.lock().expect("lock").join("\n");
    for item in ["1.video", "2.video"] {
        let expected = format!("{item} is learnt from as it was heard before: ");
        assert!(warned.contains(&expected), "{warned}");
    }
    Ok(())
}
