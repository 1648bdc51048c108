//! The program itself, killed, out of disk and with its corpus edited under it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use undertone::error::Result;

use super::engine::{corpus, mrcmv_sha256};

const PROGRAM: &str = env!("CARGO_BIN_EXE_undertone");
const EPOCHS: &str = "12";

fn train(home: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    arguments(&mut command, home, out, more);
    command
}

fn arguments(command: &mut Command, home: &Path, out: &str, more: &[&str]) {
    command
        .env("UNDERTONE_HOME", home)
        .args([
            "train",
            "--device",
            "cpu",
            "--epochs",
            EPOCHS,
            "--patience",
            "50",
            "--redraw",
            "5",
        ])
        .arg("--corpus")
        .arg(home.join("corpus"))
        .arg("--out")
        .arg(home.join(out))
        .args(more);
}

fn done(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

fn refused(output: &Output, expected: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains(expected), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_run_ends_alike_after_a_kill_an_edit_and_a_full_disk() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let home = folder.path();
    let items = corpus(&home.join("corpus"), 3, false)?.join("corpus.json");
    done(&train(home, "whole", &[]).output().expect("a program"));
    let expected = mrcmv_sha256(&home.join("whole"))?;

    // kill -9 in the midst of the epochs.
    let mut child = train(home, "killed", &[])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a program");
    let news = BufReader::new(child.stderr.take().expect("stderr"));
    let third = news
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("Epoch 3 of"));
    child.kill().expect("kill");
    child.wait().expect("wait");
    assert!(third.is_some(), "it never came to the third epoch");
    assert!(!home.join("killed/pack.json").exists());

    // An edited corpus is another run.
    let text = std::fs::read_to_string(&items).expect("read");
    std::fs::write(&items, text.replace("calm", "quiet")).expect("write");
    let edited = train(home, "killed", &["--resume"]).output().expect("a program");
    refused(&edited, "belongs to a run with another corpus");
    std::fs::write(&items, text).expect("write");
    done(&train(home, "killed", &["--resume"]).output().expect("a program"));
    assert_eq!(mrcmv_sha256(&home.join("killed"))?, expected);

    // No file may grow beyond a megabyte, and a checkpoint is larger.
    let mut full = Command::new("sh");
    full.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh", PROGRAM]);
    arguments(&mut full, home, "full", &[]);
    refused(&full.output().expect("a shell"), "disk is full");
    assert!(!home.join("full/pack.json").exists());
    let left = std::fs::read_dir(home.join("full/run")).expect("list").count();
    assert!(left <= 2, "no half file stays: {left}");
    done(&train(home, "full", &["--resume"]).output().expect("a program"));
    assert_eq!(mrcmv_sha256(&home.join("full"))?, expected);
    Ok(())
}
