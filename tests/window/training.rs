//! The training panel through a whole run.

use super::*;

/// Takes an option of a drop-down.
fn choose(window: &mut Window, name: &str, option: &str) {
    window
        .get_by_role_and_label(egui::accesskit::Role::ComboBox, name)
        .click();
    window.run_steps(4);
    click(window, option);
    window.run_steps(4);
}

#[test]
fn training_without_a_corpus_says_what_is_missing() {
    let home = tempfile::tempdir().expect("temporary folder");
    let mut window = window(home.path(), [1280.0, 720.0]);
    click(&mut window, "Training");
    window
        .get_by_label("Corpus folder")
        .set_text_value_accesskit(home.path().to_str().expect("text"));
    window.run_steps(3);
    click(&mut window, "Start training");
    until(&mut window, "the problem is shown", |window| {
        shows(window, "there is no corpus.json")
    });

    // A corpus of one is too small, and no run is left that could be resumed.
    let one = home.path().join("one");
    std::fs::create_dir(&one).expect("folder");
    synthesise(&Synthetic::default(), &one.join("a.mkv")).expect("a video");
    let json = r#"{"name": "one", "items": [{"id": "a", "video": "a.mkv", "split": "train"}]}"#;
    std::fs::write(one.join("corpus.json"), json).expect("write");
    window
        .get_by_label("Corpus folder")
        .set_text_value_accesskit(one.to_str().expect("text"));
    until(&mut window, "it was looked over", |window| {
        shows(window, "1 video · 1 understood")
    });
    click(&mut window, "Start training");
    until(&mut window, "the problem is shown", |window| {
        shows(window, "one usable item")
    });
    until(&mut window, "nothing runs", |window| shows(window, "Ready"));
    assert!(!shows(&window, "paused") && !shows(&window, "Resume"));
}

/// Pick finished videos, see what was understood, train, pause, resume, keep the model and roll back.
#[test]
fn a_model_is_trained_in_the_panel() {
    let home = tempfile::tempdir().expect("temporary folder");
    let videos = home.path().join("finished");
    std::fs::create_dir(&videos).expect("folder");
    for at in 0..5 {
        let video = Synthetic {
            tone_hz: Some(200.0 + 90.0 * f64::from(at)),
            duration_s: 1.5,
            ..Synthetic::default()
        };
        synthesise(&video, &videos.join(format!("clip {at}.mkv"))).expect("a video");
    }
    std::fs::write(videos.join("broken.mp4"), "not a video").expect("write");
    let mut window = window(home.path(), [1280.0, 720.0]);
    click(&mut window, "Training");
    click(&mut window, "Pick finished videos…");
    until(&mut window, "the path field is open", |window| {
        window.query_by_label("Path").is_some()
    });
    window.run_steps(6);
    window.get_by_label("Path").type_text(&videos.to_string_lossy());
    window.run_steps(2);
    click(&mut window, "Choose");
    until(&mut window, "the videos are understood", |window| {
        shows(window, "6 videos · 5 understood · 1 needs a look")
    });
    click(&mut window, "5 videos understood");
    until(&mut window, "each is listed", |window| {
        shows(window, "clip 0: 0:01") && shows(window, "held out")
    });
    click(&mut window, "5 videos understood");
    window.run_steps(20);
    choose(&mut window, "Until", "a number of epochs");
    assert!(window.query_all_by_label("Epochs").next().is_some());
    choose(&mut window, "Until", "recall stops rising");
    assert!(window.query_all_by_label("Epochs").next().is_none());

    click(&mut window, "Start training");
    until(&mut window, "it trains", |window| shows(window, "Pause"));
    click(&mut window, "Pause");
    until(&mut window, "it is paused", |window| shows(window, "Resume mine"));
    click(&mut window, "Resume mine");
    until(&mut window, "the curves are there", |window| {
        shows(window, "Recall on held-out videos")
    });
    click(&mut window, "5 videos understood");
    until(&mut window, "what was heard in each is listed", |window| {
        shows(window, "music separated")
    });
    click(&mut window, "5 videos understood");
    until(&mut window, "it is trained", |window| {
        shows(window, "Keep model") && shows(window, "before,")
    });
    // However much stands above it, it is in view.
    window.run_steps(20);
    let keep = window.get_by_label("Keep model").rect();
    let status_line = 720.0 - 28.0;
    assert!(keep.bottom() < status_line, "{keep:?}");
    click(&mut window, "Keep model");
    until(&mut window, "the model is in use", |window| {
        shows(window, "This model is in use")
    });
    click(&mut window, "Roll back to compact");
    until(&mut window, "the old model is back", |window| {
        shows(window, "Discard model") && shows(window, "model 0")
    });
    click(&mut window, "Discard model");
    until(&mut window, "the model is gone", |_| {
        !home.path().join("data/packs/mine").exists()
    });
    assert!(!shows(&window, "Keep model"));
}
