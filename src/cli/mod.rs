//! The command line: clap, stdout and stderr, and nobody else. Each command is one engine call.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the arguments asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A command ran; the process ends with this code: 0 done, 1 nothing found, 2 error.
    Exit(u8),
    /// No command: open the window.
    Window {
        /// The file to load.
        media: Option<PathBuf>,
        /// Load the demo instead.
        demo: bool,
    },
}

/// Runs the command line `args` (program name first).
pub fn run(args: Vec<OsString>) -> Outcome {
    let _ = args;
    Outcome::Exit(2)
}

/// Prints an error as the command line does and returns the exit code 2.
pub fn fail(error: &crate::error::Error) -> u8 {
    let _ = error;
    2
}
