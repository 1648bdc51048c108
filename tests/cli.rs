//! The program as a script sees it: exit codes, sentences and JSON, on media that GStreamer synthesises.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use undertone::library::Library;
use undertone::media::testing::{Synthetic, synthesise};

const PROGRAM: &str = env!("CARGO_BIN_EXE_undertone");

fn program(home: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("UNDERTONE_HOME", home).args(["--device", "cpu"]);
    command
}

/// Runs the program with `args` (any mix of text and paths).
macro_rules! run {
    ($home:expr, $($arg:expr),+ $(,)?) => {
        program($home).args([$(AsRef::<OsStr>::as_ref(&$arg)),+]).output().expect("the program runs")
    };
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit 0 or 1, as wanted, and one JSON document on stdout.
fn answer(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document and nothing else")
}

/// Exit 2, nothing on stdout, and a last line on stderr that is one sentence with all of `words`.
fn refused(output: &Output, words: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(text(&output.stdout), "");
    let sentence = stderr.lines().last().unwrap_or_default();
    assert!(sentence.starts_with("undertone: "), "{stderr}");
    for word in words {
        assert!(sentence.contains(word), "no \"{word}\" in: {stderr}");
    }
    for word in ["panicked", "backtrace", "RUST_", "Error {", "not built"] {
        assert!(!stderr.contains(word), "{stderr}");
    }
}

/// A folder with a few media, made once.
struct Media {
    folder: tempfile::TempDir,
}

impl Media {
    fn get() -> &'static Self {
        static MEDIA: OnceLock<Media> = OnceLock::new();
        MEDIA.get_or_init(|| {
            let media = Self {
                folder: tempfile::tempdir().expect("temporary folder"),
            };
            let base = Synthetic {
                duration_s: 1.0,
                ..Synthetic::default()
            };
            let silent = Synthetic {
                tone_hz: None,
                ..base.clone()
            };
            let sound = Synthetic {
                picture: None,
                ..base.clone()
            };
            let make =
                |what: &Synthetic, name: &str| synthesise(what, &media.path(name)).expect("synthesised");
            make(&base, "clip.webm");
            make(&base, "clip.mp4");
            make(&silent, "picture.webm");
            make(&sound, "voice.wav");
            std::fs::create_dir(media.path("music")).expect("folder");
            for (name, tone_hz) in [("low.ogg", 110.0), ("middle.wav", 440.0), ("high.ogg", 1760.0)] {
                let track = Synthetic {
                    tone_hz: Some(tone_hz),
                    ..sound.clone()
                };
                make(&track, &format!("music/{name}"));
            }
            media
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn new_home() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

/// A home whose library holds the music of [`Media`].
fn home_with_music() -> &'static Path {
    static HOME: OnceLock<tempfile::TempDir> = OnceLock::new();
    HOME.get_or_init(|| {
        let home = new_home();
        let report = answer(
            &run!(
                home.path(),
                "index",
                Media::get().path("music"),
                "--songs",
                "no",
                "--json"
            ),
            0,
        );
        assert_eq!(
            (&report["indexed"], &report["failed"]),
            (&3.into(), &Value::Array(Vec::new())),
            "{report}"
        );
        home
    })
    .path()
}

fn shipped_pack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/compact")
}

fn copy_of_pack(to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(shipped_pack()).expect("the shipped pack") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
    }
}

/// Everything under a folder, with sizes.
fn listing(folder: &Path) -> Vec<(OsString, u64)> {
    let mut found: Vec<(OsString, u64)> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let entry = entry.expect("an entry");
            (entry.file_name(), entry.metadata().expect("metadata").len())
        })
        .collect();
    found.sort();
    found
}

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
}

#[test]
fn media_that_cannot_be_used_are_refused_in_one_sentence() {
    let folder = new_home();
    let path = |name: &str| folder.path().join(name);
    let home = home_with_music();
    std::fs::write(path("notes.mp4"), "Dear diary, ".repeat(500)).expect("write");
    std::fs::write(path("empty.mkv"), "").expect("write");
    let whole = std::fs::read(Media::get().path("clip.mp4")).expect("read");
    std::fs::write(path("half.mp4"), &whole[..whole.len() / 2]).expect("write");
    std::fs::write(path("start.webm"), &whole[..9]).expect("write");
    let before = listing(folder.path());
    let out = path("out.webm");
    let track = Media::get().path("music/low.ogg");
    for (name, word) in [
        ("notes.mp4", "video or sound"),
        ("empty.mkv", "empty"),
        ("half.mp4", ""),
        ("start.webm", ""),
        ("gone.mp4", "no such file"),
    ] {
        refused(&run!(home, "suggest", path(name)), &[name, word]);
        refused(
            &run!(home, "separate", path(name), "--out", path("stems")),
            &[name, word],
        );
        refused(
            &run!(home, "features", path(name), "--out", path("f.safetensors")),
            &[name, word],
        );
        refused(
            &run!(home, "export", path(name), "--track", track, "--out", out),
            &[name, word],
        );
    }
    refused(&run!(home, "suggest", folder.path()), &["folder"]);
    refused(
        &run!(home, "suggest", Media::get().path("clip.webm"), "--start", "7"),
        &["clip.webm", "start"],
    );
    refused(
        &run!(home, "suggest", Media::get().path("clip.webm"), "--start", "-1"),
        &["clip.webm", "start"],
    );
    let _ = std::fs::remove_dir(path("stems"));
    assert_eq!(listing(folder.path()), before, "nothing was written");
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = new_home();
    let path = folder.path().join("private.webm");
    std::fs::copy(Media::get().path("clip.webm"), &path).expect("copied");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("permissions");
    if std::fs::File::open(&path).is_ok() {
        eprintln!("skipped: this user may read every file");
        return;
    }
    refused(
        &run!(home_with_music(), "suggest", path),
        &["private.webm", "permission"],
    );
}

#[cfg(unix)]
#[test]
fn names_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = new_home();
    let music = folder.path().join(OsStr::from_bytes(b"m\xfcsic"));
    std::fs::create_dir(&music).expect("folder");
    let track = music.join(OsStr::from_bytes(b"caf\xe9.ogg"));
    std::fs::copy(Media::get().path("music/low.ogg"), &track).expect("copied");
    let clip = folder.path().join(OsStr::from_bytes(b"cl\xefp.webm"));
    std::fs::copy(Media::get().path("picture.webm"), &clip).expect("copied");
    let home = folder.path().join("home");
    assert_eq!(answer(&run!(&home, "index", music, "--json"), 0)["indexed"], 1);
    assert_eq!(answer(&run!(&home, "index", music, "--json"), 0)["unchanged"], 1);
    let report = answer(&run!(&home, "suggest", clip, "--json"), 0);
    assert!(
        report["suggestions"][0]["path"]
            .as_str()
            .expect("a path")
            .ends_with("caf\u{fffd}.ogg")
    );
}

#[test]
fn a_missing_plug_in_is_named() {
    let output = program(home_with_music())
        .env(
            "GST_PLUGIN_FEATURE_RANK",
            "vp8dec:NONE,avdec_vp8:NONE,vavp8dec:NONE,v4l2vp8dec:NONE",
        )
        .arg("suggest")
        .arg(Media::get().path("picture.webm"))
        .output()
        .expect("the program runs");
    refused(&output, &["picture.webm", "VP8"]);
}

#[test]
fn index_does_only_what_changed() {
    let folder = new_home();
    let (home, music) = (folder.path().join("home"), folder.path().join("music"));
    std::fs::create_dir(&music).expect("folder");
    let nothing = run!(&home, "index", music, "--json");
    assert_eq!(answer(&nothing, 1)["indexed"], 0);
    for name in ["low.ogg", "high.ogg"] {
        std::fs::copy(Media::get().path("music").join(name), music.join(name)).expect("copied");
    }
    std::fs::write(music.join("broken.mp3"), b"ID3 and nothing else").expect("write");
    let output = run!(&home, "index", music, "--songs", "no", "--json");
    let report = answer(&output, 0);
    assert_eq!(
        (&report["indexed"], &report["windows"]),
        (&2.into(), &2.into()),
        "{report}"
    );
    assert!(
        report["failed"][0]["path"]
            .as_str()
            .expect("a path")
            .ends_with("broken.mp3")
    );
    assert!(text(&output.stderr).contains("undertone: ") && text(&output.stderr).contains("broken.mp3"));
    std::fs::copy(Media::get().path("music/middle.wav"), music.join("low.ogg")).expect("changed");
    let report = answer(&run!(&home, "index", music, "--songs", "no", "--json"), 0);
    assert_eq!(
        (&report["indexed"], &report["unchanged"]),
        (&1.into(), &1.into()),
        "{report}"
    );
    refused(
        &run!(&home, "index", music.join("broken.mp3")),
        &["none of the 1 files"],
    );
    refused(
        &run!(&home, "index", music.join("gone")),
        &["gone", "no such file"],
    );
    refused(&run!(&home, "index"), &["PATH"]);
}

#[test]
fn an_empty_library_says_what_to_do() {
    let home = new_home();
    let output = run!(home.path(), "suggest", Media::get().path("clip.webm"));
    refused(&output, &["no music yet", "undertone index"]);
    assert!(
        !home.path().join("data/library.sqlite").exists(),
        "a question makes no file"
    );
}

#[test]
fn a_library_that_cannot_be_used_stays_as_it_is() {
    let folder = new_home();
    let path = folder.path().join("l.sqlite");
    drop(Library::open(&path).expect("a library"));
    let connection = rusqlite::Connection::open(&path).expect("open");
    connection.pragma_update(None, "user_version", 99).expect("set");
    drop(connection);
    let clip = Media::get().path("clip.webm");
    let music = Media::get().path("music");
    let newer = std::fs::read(&path).expect("read");
    refused(
        &run!(folder.path(), "--library", path, "suggest", clip),
        &["l.sqlite", "version 99", "version 1"],
    );
    refused(
        &run!(folder.path(), "index", music, "--library", path),
        &["l.sqlite", "version 99"],
    );
    assert_eq!(std::fs::read(&path).expect("read"), newer);
    std::fs::write(&path, "not a database").expect("write");
    refused(
        &run!(folder.path(), "index", music, "--library", path),
        &["l.sqlite", "not a library"],
    );
    assert_eq!(std::fs::read(&path).expect("read"), b"not a database");
}

#[test]
fn a_pack_that_cannot_be_used_is_refused() {
    let folder = new_home();
    let pack = folder.path().join("pack");
    copy_of_pack(&pack);
    let manifest = std::fs::read_to_string(pack.join("pack.json")).expect("read");
    let clip = Media::get().path("picture.webm");
    // Other weights under the same name.
    let weights = pack.join("slowfast.safetensors");
    let mut bytes = std::fs::read(&weights).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, &bytes).expect("write");
    // From a moment that nobody asked about yet: what the right weights made of another is kept.
    refused(
        &run!(
            home_with_music(),
            "suggest",
            clip,
            "--start",
            "0.3",
            "--pack",
            pack
        ),
        &["slowfast.safetensors", "checksum"],
    );
    let output = run!(folder.path(), "models", "verify", pack);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stdout).contains("slowfast.safetensors"),
        "{}",
        text(&output.stdout)
    );
    // The right weights under another shape.
    let mut config: Value = serde_json::from_str(&manifest).expect("JSON");
    config["networks"]["mrcmv"]["config"]["d_e"] = 7.into();
    std::fs::write(pack.join("pack.json"), config.to_string()).expect("write");
    refused(
        &run!(folder.path(), "index", Media::get().path("music"), "--pack", pack),
        &["pack"],
    );
    refused(
        &run!(folder.path(), "suggest", clip, "--pack", "no-such-pack"),
        &["no-such-pack", "compact"],
    );
    std::fs::write(pack.join("pack.json"), "{").expect("write");
    refused(
        &run!(folder.path(), "suggest", clip, "--pack", pack),
        &["pack.json"],
    );
}

#[test]
fn files_are_written_where_they_were_asked_for() {
    let folder = new_home();
    let clip = Media::get().path("clip.webm");
    let stems = folder.path().join("stems");
    let output = run!(home_with_music(), "separate", clip, "--out", stems);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(listing(&stems).len(), 2);
    let features = folder.path().join("f.safetensors");
    let output = run!(
        home_with_music(),
        "features",
        Media::get().path("voice.wav"),
        "--no-separate",
        "--out",
        features
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let bytes = std::fs::read(&features).expect("read");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    assert_eq!(tensors.tensor("vggish_bgm").expect("there").shape(), [1, 72, 128]);
    assert_eq!(
        tensors.tensor("log_mel_voice").expect("there").shape(),
        [72, 96, 64]
    );
    let mixed = folder.path().join("mixed.webm");
    let output = run!(
        home_with_music(),
        "export",
        clip,
        "--track",
        "1",
        "--loudness",
        "-16",
        "--out",
        mixed
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("picture copied"),
        "{}",
        text(&output.stdout)
    );
    let before = std::fs::read(&clip).expect("read");
    refused(
        &run!(home_with_music(), "export", clip, "--track", "1", "--out", clip),
        &["clip.webm", "another name"],
    );
    refused(
        &run!(home_with_music(), "export", clip, "--track", "77", "--out", mixed),
        &["77", "library"],
    );
    refused(
        &run!(
            home_with_music(),
            "export",
            clip,
            "--track",
            "1",
            "--out",
            folder.path().join("a.txt")
        ),
        &["a.txt", ".mkv"],
    );
    assert_eq!(std::fs::read(&clip).expect("read"), before);
}

/// As on a full disk: no file may grow beyond a few kilobytes.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_partial_file() {
    let folder = new_home();
    let limited = |args: &[&OsStr]| {
        Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"", PROGRAM])
            .env("UNDERTONE_HOME", folder.path().join("home"))
            .args(args)
            .output()
            .expect("the program runs")
    };
    let clip = Media::get().path("clip.webm");
    let out = folder.path().join("out");
    std::fs::create_dir(&out).expect("folder");
    let output = limited(&["separate".as_ref(), clip.as_ref(), "--out".as_ref(), out.as_ref()]);
    refused(&output, &["disk is full"]);
    let wav = out.join("a.wav");
    let music = Media::get().path("music");
    let track = music.join("low.ogg");
    let output = limited(&[
        "export".as_ref(),
        clip.as_ref(),
        "--track".as_ref(),
        track.as_ref(),
        "--out".as_ref(),
        wav.as_ref(),
    ]);
    refused(&output, &["disk is full"]);
    assert_eq!(listing(&out), []);
    let output = limited(&["index".as_ref(), music.as_ref()]);
    refused(&output, &["disk is full"]);
}

#[test]
fn two_programs_share_a_library() {
    let folder = new_home();
    let music = Media::get().path("music");
    let start = || {
        program(folder.path())
            .args([OsStr::new("index"), music.as_ref(), "--json".as_ref()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs")
    };
    let programs: [Child; 2] = [start(), start()];
    for program in programs {
        let report = answer(&program.wait_with_output().expect("ended"), 0);
        let sum =
            report["indexed"].as_u64().expect("a count") + report["unchanged"].as_u64().expect("a count");
        assert_eq!(sum, 3, "{report}");
    }
    assert_eq!(
        answer(&run!(folder.path(), "index", music, "--json"), 0)["unchanged"],
        3
    );
}

#[test]
fn a_kill_loses_nothing_that_was_reported() {
    let folder = new_home();
    let (home, music) = (folder.path().join("home"), folder.path().join("music"));
    std::fs::create_dir(&music).expect("folder");
    let count = 6;
    for i in 0..count {
        std::fs::copy(Media::get().path("music/low.ogg"), music.join(format!("{i}.ogg"))).expect("copied");
    }
    let mut child = program(&home)
        .args([OsStr::new("index"), music.as_ref()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr"))
        .lines()
        .map_while(Result::ok);
    let mut reported: Vec<String> = lines
        .by_ref()
        .filter(|line| line.contains("Indexed"))
        .take(2)
        .collect();
    child.kill().expect("killed");
    reported.extend(lines.filter(|line| line.contains("Indexed")));
    child.wait().expect("ended");
    let stored: Vec<String> = Library::open(&home.join("data/library.sqlite"))
        .and_then(|library| library.tracks())
        .expect("a sound library")
        .into_iter()
        .map(|track| format!("{}.ogg", track.title))
        .collect();
    assert!(reported.len() >= 2);
    for line in &reported {
        assert!(
            stored.iter().any(|name| line.ends_with(name)),
            "{line} is not among {stored:?}"
        );
    }
    let report = answer(&run!(&home, "index", music, "--json"), 0);
    assert_eq!(
        (&report["unchanged"], &report["indexed"]),
        (&stored.len().into(), &(count - stored.len()).into())
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_and_leaves_nothing() {
    let folder = new_home();
    let long = folder.path().join("long.wav");
    let what = Synthetic {
        duration_s: 240.0,
        picture: None,
        sample_rate: 8000,
        channels: 1,
        ..Synthetic::default()
    };
    synthesise(&what, &long).expect("synthesised");
    let out = folder.path().join("stems");
    std::fs::create_dir(&out).expect("folder");
    let mut child = program(&folder.path().join("home"))
        .args([
            OsStr::new("separate"),
            long.as_ref(),
            "--out".as_ref(),
            out.as_ref(),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stderr = BufReader::new(child.stderr.take().expect("stderr"));
    let mut first = String::new();
    stderr.read_line(&mut first).expect("progress");
    let asked = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(asked.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("text");
    assert_eq!(child.wait().expect("ended").code(), Some(2), "{first}{rest}");
    assert!(rest.ends_with("undertone: cancelled\n"), "{first}{rest}");
    assert_eq!(listing(&out), []);
}

#[test]
fn usage_and_help() {
    let home = new_home();
    let version = run!(home.path(), "--version");
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(
        text(&version.stdout),
        format!("undertone {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = text(&run!(home.path(), "--help").stdout);
    for command in [
        "suggest", "index", "separate", "features", "train", "evaluate", "corpus", "export", "models",
        "doctor",
    ] {
        assert!(help.contains(command), "{command}");
    }
    refused(&run!(home.path(), "suggest", "--top", "3"), &["MEDIA"]);
    refused(
        &run!(home.path(), "suggest", "a.mp4", "--balance", "2"),
        &["balance"],
    );
    let window = Command::new(PROGRAM)
        .arg("no-such-file.mp4")
        .output()
        .expect("the program runs");
    refused(&window, &["no-such-file.mp4"]);
    refused(&run!(home.path(), "models"), &["a command is missing"]);
    let doctor = run!(home.path(), "doctor", "--json");
    let checks = answer(&doctor, 0);
    assert!(
        checks
            .as_array()
            .expect("a list")
            .iter()
            .any(|check| check["area"] == "gstreamer")
    );
    let packs = answer(&run!(home.path(), "models", "list", "--json"), 0);
    assert!(
        packs
            .as_array()
            .expect("a list")
            .iter()
            .any(|pack| pack["name"] == "compact")
    );
    assert_eq!(run!(home.path(), "models", "verify").status.code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let home = new_home();
    let mut child = program(home.path())
        .args(["models", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ended");
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
}
