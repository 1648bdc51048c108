//! Tells the program which revision it was built from; every run of training keeps it beside its curves.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rerun-if-changed=src");
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
    // A commit changes this file, whatever branch it is on.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
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
