//! Logging, and what happens when the program itself is wrong.

use std::backtrace::Backtrace;
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::{Path, PathBuf};

use tracing_subscriber::filter::LevelFilter;

use super::console;
use crate::settings::Folders;

/// Makes a panic write its details to the fault log and nothing to the terminal: whoever catches it says one
/// sentence.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed").to_owned();
        tracing::info!("fault on thread {name}: {info}");
        let logged = log_file().filter(|file| append(file, &name, info).is_ok());
        // Only the main thread may have nobody above it.
        if name == "main" {
            let place = logged.map_or_else(
                || "run it again with -v for details".to_owned(),
                |file| format!("the details are in {}", file.display()),
            );
            console::complain(&format!(
                "the program stopped by a fault of its own; {place}, please report them"
            ));
        }
    }));
}

/// Runs a command; a panic in it ends in exit code 2, after the hook has said its sentence.
pub(super) fn guard(command: impl FnOnce() -> u8) -> u8 {
    catch_unwind(AssertUnwindSafe(command)).unwrap_or(2)
}

/// Sends the log to stderr: faults and warnings, and more for each `-v`.
pub(super) fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // A second call, as in tests, keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .without_time()
        .try_init();
}

fn log_file() -> Option<PathBuf> {
    Folders::of_user()
        .ok()
        .map(|folders| folders.data.join("faults.log"))
}

fn append(file: &Path, thread: &str, info: &PanicHookInfo<'_>) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    writeln!(
        log,
        "undertone {}, thread {thread}: {info}\n{}\n",
        env!("CARGO_PKG_VERSION"),
        Backtrace::force_capture()
    )
}
