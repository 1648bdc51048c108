//! Media, libraries and packs that cannot be used: one sentence, exit 2, nothing lost.

use super::*;

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
