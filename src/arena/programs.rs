//! Other programs that make sound, run without a word.

use std::process::{Command, ExitStatus, Stdio};

/// Whether a program starts at all.
pub(super) fn is_installed(program: &str) -> bool {
    quietly(Command::new(program).arg("--version")).is_some()
}

/// Whether it ran and ended well.
pub(super) fn succeeds(command: &mut Command) -> bool {
    quietly(command).is_some_and(|status| status.success())
}

fn quietly(command: &mut Command) -> Option<ExitStatus> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()
}
