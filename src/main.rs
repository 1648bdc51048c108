//! Arguments in, exit code out.

use std::process::ExitCode;

use undertone::{app, cli};

fn main() -> ExitCode {
    let code = match cli::run(std::env::args_os().collect()) {
        cli::Outcome::Exit(code) => code,
        cli::Outcome::Window { media, demo } => {
            app::run(media, demo).map_or_else(|error| cli::fail(&error), |()| 0)
        }
    };
    ExitCode::from(code)
}
