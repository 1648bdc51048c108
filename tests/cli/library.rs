//! A library through changes, a second program, a kill and a cancel.

use super::*;

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
        &["the file could not be indexed"],
    );
    refused(
        &run!(&home, "index", music.join("gone")),
        &["gone", "no such file"],
    );
    refused(&run!(&home, "index"), &["PATH"]);
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
