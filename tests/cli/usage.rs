//! Help, usage and readers that go away.

use super::*;

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
    // As README.md says it.
    let own = run!(home.path(), "help", "suggest");
    assert_eq!(own.status.code(), Some(0));
    assert!(text(&own.stdout).contains("--balance"));
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
