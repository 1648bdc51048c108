//! Arguments in, exit code out.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use undertone::{app, cli};

/// Keeps the memory of large tensors for the next ones, where the system's allocator gives it back and fetches it page by
/// page: a fifth of VGGish's time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let code = match cli::run(std::env::args_os().collect()) {
        cli::Outcome::Exit(code) => code,
        cli::Outcome::Window {
            media,
            demo,
            device,
            pack,
            library,
        } => {
            let choices = app::Choices {
                device,
                pack,
                library,
            };
            app::run(media, demo, choices).map_or_else(|error| cli::fail(&error), |()| 0)
        }
    };
    ExitCode::from(code)
}
