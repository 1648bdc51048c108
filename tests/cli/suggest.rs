//! Suggestions and what they are made of.

use super::*;

#[test]
fn suggest_answers_as_the_contract_says() {
    let clip = Media::get().path("clip.webm");
    let report = answer(
        &run!(
            home_with_music(),
            "suggest",
            clip,
            "--no-separate",
            "--top",
            "2",
            "--json"
        ),
        0,
    );
    assert_eq!(report["query"]["media"], clip.to_string_lossy().as_ref());
    assert_eq!(
        (&report["query"]["voice"], &report["query"]["picture"]),
        (&true.into(), &true.into())
    );
    assert!((report["query"]["duration_s"].as_f64().expect("a number") - 1.0).abs() < 0.1);
    assert_eq!(
        (&report["pack"], &report["device"]),
        (&"compact".into(), &"cpu".into())
    );
    assert!(report["timings_ms"]["total"].as_f64().expect("a number") > 0.0);
    let suggestions = report["suggestions"].as_array().expect("a list");
    assert_eq!(suggestions.len(), 2);
    for (suggestion, rank) in suggestions.iter().zip(1..) {
        assert_eq!(suggestion["rank"], rank);
        assert!(Path::new(suggestion["path"].as_str().expect("a path")).is_absolute());
        assert!((-1.0..=1.0).contains(&suggestion["score"].as_f64().expect("a score")));
        let why = &suggestion["why"];
        let sum =
            why["voice_share"].as_f64().expect("a share") + why["picture_share"].as_f64().expect("a share");
        assert!((sum - 1.0).abs() < 1e-5);
    }
    assert!(suggestions[0]["score"].as_f64() >= suggestions[1]["score"].as_f64());
    let human = run!(
        home_with_music(),
        "suggest",
        clip,
        "--no-separate",
        "--text",
        "LOW"
    );
    let table = text(&human.stdout);
    assert_eq!(
        (human.status.code(), table.lines().count()),
        (Some(0), 3),
        "{table}"
    );
    assert!(
        table.contains("voice and picture") && table.contains("low"),
        "{table}"
    );
    let nothing = run!(
        home_with_music(),
        "suggest",
        clip,
        "--no-separate",
        "--tag",
        "polka",
        "--json"
    );
    assert_eq!(answer(&nothing, 1)["suggestions"], Value::Array(Vec::new()));
}

#[test]
fn a_clip_is_looked_at_once() {
    let folder = new_home();
    let clip = folder.path().join("clip.webm");
    std::fs::copy(Media::get().path("clip.webm"), &clip).expect("copied");
    let ask = |clip: &Path, balance: &str| {
        let report = answer(
            &run!(
                home_with_music(),
                "suggest",
                clip,
                "--no-separate",
                "--start",
                "0.25",
                "--balance",
                balance,
                "--json"
            ),
            0,
        );
        let work: f64 = ["decode", "separate", "slowfast", "vggish"]
            .iter()
            .map(|stage| report["timings_ms"][stage].as_f64().expect("a number"))
            .sum();
        let first = &report["suggestions"][0];
        (
            work,
            first["score"].as_f64(),
            first["why"]["voice_share"].as_f64(),
        )
    };
    let (work, score, share) = ask(&clip, "0");
    assert!(work > 0.0);
    assert_eq!(
        ask(&clip, "0"),
        (0.0, score, share),
        "the same answer from what was kept"
    );
    let (work, _, other) = ask(&clip, "0.9");
    assert_eq!(work, 0.0, "another balance needs no network of the senses");
    assert!(other > share, "{other:?} {share:?}");
    // A copy is the same clip; damaged rows are made again.
    let copy = folder.path().join("copy.webm");
    std::fs::copy(&clip, &copy).expect("copied");
    assert_eq!(ask(&copy, "0"), (0.0, score, share));
    let kept = home_with_music().join("cache").join("queries");
    for entry in std::fs::read_dir(&kept).expect("the kept rows") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("read");
        std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("write");
    }
    let (work, again, _) = ask(&clip, "0");
    assert!(work > 0.0 && again == score);
    assert_eq!(ask(&clip, "0"), (0.0, score, share));
}

#[test]
fn one_kind_alone_is_enough_and_said() {
    let check = |media: &Path, voice: bool, picture: bool, said: &str| {
        let output = run!(home_with_music(), "suggest", media, "--no-separate", "--json");
        let query = answer(&output, 0)["query"].clone();
        assert_eq!(
            (&query["voice"], &query["picture"]),
            (&voice.into(), &picture.into())
        );
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    };
    check(&Media::get().path("picture.webm"), false, true, "picture alone");
    check(&Media::get().path("voice.wav"), true, false, "voice alone");
}

#[test]
fn silence_throughout_is_matched_by_the_picture_or_refused() {
    let folder = new_home();
    let silence = |name: &str, picture| {
        let path = folder.path().join(name);
        let what = Synthetic {
            duration_s: 1.0,
            picture,
            // Below what any codec keeps and any person hears.
            tone_hz: Some(0.0),
            ..Synthetic::default()
        };
        synthesise(&what, &path).expect("synthesised");
        path
    };
    let output = run!(
        home_with_music(),
        "suggest",
        silence("a.webm", Some((160, 120))),
        "--no-separate",
        "--json"
    );
    assert_eq!(answer(&output, 0)["query"]["voice"], false);
    let output = run!(
        home_with_music(),
        "suggest",
        silence("a.wav", None),
        "--no-separate"
    );
    refused(&output, &["a.wav", "silent"]);
    // As music, it would be suggested.
    let output = run!(new_home().path(), "index", folder.path().join("a.wav"));
    refused(&output, &["the file could not be indexed"]);
    assert!(text(&output.stderr).contains("a.wav: is silent throughout"));
}
