//! Tells the program which revision it was built from; every run of training keeps it beside its curves.
//!
//! It is asked for whenever the sources change, and not after a commit alone: what was built before the commit says, truly,
//! that it came from changes to the one before, and nobody waits for a build that changes nothing else.

use std::process::Command;

fn main() {
    for sources in ["build.rs", "Cargo.toml", "Cargo.lock", "src"] {
        println!("cargo::rerun-if-changed={sources}");
    }
    println!(
        "cargo::rustc-env=UNDERTONE_REVISION={}",
        revision().unwrap_or_default()
    );
}

/// The commit, with "-dirty" behind it where the tree has changes; nothing where there is no git, or this folder is no
/// repository of its own.
fn revision() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let mark = if changes.is_empty() { "" } else { "-dirty" };
    Some(commit + mark)
}

/// What git answers, without the end of its line.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    Some(String::from_utf8(text).ok()?.trim_end().to_owned())
}
