//! What is written: where it was asked for, or not at all.

use super::*;

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
