//! Arguments in, exit code out.

use std::process::ExitCode;

use undertone::{app, cli};

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
