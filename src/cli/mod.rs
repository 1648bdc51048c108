//! The command line: clap, stdout and stderr, and nobody else.
//!
//! Raw arguments become checked ones, those one engine call, and its value the output: results on stdout, progress
//! and the one sentence of an error on stderr. The exit code is 0 done, 1 nothing found, 2 error.

mod args;
mod console;
mod faults;
mod find;
mod models;
mod render;
mod session;
mod train;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use self::args::{Arguments, Command};
use self::session::Session;
use crate::device::DeviceChoice;
use crate::engine::{Engine, EngineOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::settings::{Folders, Settings};

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
        /// Where to compute, in place of the setting.
        device: Option<DeviceChoice>,
        /// Pack name or folder, in place of the setting.
        pack: Option<String>,
        /// Library file, in place of the user's own.
        library: Option<PathBuf>,
    },
}

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// With a result.
    Found,
    /// Without one.
    Nothing,
}

/// Runs the command line `args` (program name first).
pub fn run(args: Vec<OsString>) -> Outcome {
    faults::install();
    decide(args)
}

fn decide(args: Vec<OsString>) -> Outcome {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => return Outcome::Exit(refuse(&error)),
    };
    faults::log_to_stderr(arguments.common.verbose);
    let Arguments {
        file,
        demo,
        common,
        command,
    } = arguments;
    match command {
        None => window(file, demo, common).unwrap_or_else(|error| Outcome::Exit(fail(&error))),
        Some(command) => Outcome::Exit(faults::guard(|| match run_command(file, common, command) {
            Ok(Done::Found) => 0,
            Ok(Done::Nothing) => 1,
            Err(error) => fail(&error),
        })),
    }
}

fn window(media: Option<PathBuf>, demo: bool, common: args::CommonArgs) -> Result<Outcome> {
    if let Some(file) = media.as_deref().filter(|file| !file.exists()) {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "{}: there is no such file or command; check the path, or see undertone --help",
                file.display()
            ),
        ));
    }
    let pack = common.one_pack()?.map(str::to_owned);
    let given = common.device.is_some() || pack.is_some() || common.library.is_some();
    if given {
        refuse_what_cannot_open(&common, pack.as_deref())?;
    }
    Ok(Outcome::Window {
        media,
        demo,
        device: common.device,
        pack,
        library: common.library,
    })
}

/// A wrong word on the command line is answered there, not in a window.
fn refuse_what_cannot_open(common: &args::CommonArgs, pack: Option<&str>) -> Result<()> {
    let folders = Folders::of_user()?;
    let settings = Settings::load(&folders);
    let engine = Engine::open(EngineOptions {
        device: common.device.unwrap_or(settings.device),
        pack: pack.map_or(settings.pack, str::to_owned),
        library: common.library.clone(),
        folders,
    })?;
    if common.library.is_some() {
        engine.library()?;
    }
    Ok(())
}

fn run_command(file: Option<PathBuf>, common: args::CommonArgs, command: Command) -> Result<Done> {
    if let Some(file) = file {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "{}: a file before a command is not understood; see undertone --help",
                file.display()
            ),
        ));
    }
    let session = Session::new(common)?;
    match command {
        Command::Suggest(args) => find::suggest(&session, args),
        Command::Index(args) => find::index(&session, args),
        Command::Separate(args) => render::separate(&session, args),
        Command::Features(args) => render::features(&session, args),
        Command::Export(args) => render::export(&session, args),
        Command::Train(args) => train::train(&session, args),
        Command::Evaluate(args) => train::evaluate(&session, args),
        Command::Corpus(args) => train::corpus(&session, args),
        Command::Models(args) => models::models(&session, args),
        Command::Doctor(args) => models::doctor(&session, args),
    }
}

/// Prints an error as the command line does and returns the exit code 2.
pub fn fail(error: &Error) -> u8 {
    console::complain(&error.to_string());
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        tracing::info!("because: {source}");
        cause = source.source();
    }
    2
}

/// Prints help, the version, or what is wrong with the arguments in one sentence.
fn refuse(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        return console::print(&error.render().to_string()).map_or_else(|error| fail(&error), |()| 0);
    }
    // What clap has to say about a missing command is its whole help.
    let sentence = if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "a command is missing; see undertone --help".to_owned()
    } else {
        usage_sentence(&error.render().to_string())
    };
    console::complain(&sentence);
    2
}

/// clap explains over several lines; what matters stands before the first empty one.
fn usage_sentence(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| !line.trim().is_empty())
        .map(str::trim)
        .collect();
    format!(
        "{}; see undertone --help",
        lines.join(" ").trim_end_matches(['.', ';'])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_errors_are_one_sentence() {
        let check = |line: &str, expected: &str| {
            let error = Arguments::try_parse_from(line.split(' ')).expect_err("invalid");
            let sentence = usage_sentence(&error.render().to_string());
            assert!(
                sentence.starts_with(expected) && !sentence.contains('\n'),
                "{sentence}"
            );
        };
        check(
            "undertone separate a.mp4",
            "the following required arguments were not provided: --out <DIR>;",
        );
        check(
            "undertone suggest",
            "the following required arguments were not provided: <MEDIA>;",
        );
        check(
            "undertone suggest a.mp4 --top none",
            "invalid value 'none' for '--top <N>'",
        );
        check(
            "undertone suggest a.mp4 --device gpu",
            "invalid value 'gpu' for '--device <DEVICE>': there is no device gpu",
        );
        check(
            "undertone index a --songs some",
            "invalid value 'some' for '--songs <WHEN>'",
        );
        check(
            "undertone suggest a.mp4 --colour red",
            "unexpected argument '--colour' found",
        );
    }

    #[test]
    fn no_command_is_the_window() {
        let run = |args: &[&str]| decide(args.iter().map(OsString::from).collect());
        let window = |media: Option<&str>, demo| Outcome::Window {
            media: media.map(PathBuf::from),
            demo,
            device: None,
            pack: None,
            library: None,
        };
        assert_eq!(run(&["undertone"]), window(None, false));
        assert_eq!(run(&["undertone", "--demo"]), window(None, true));
        assert_eq!(
            run(&["undertone", "Cargo.toml"]),
            window(Some("Cargo.toml"), false)
        );
        assert_eq!(run(&["undertone", "no-such-file.mp4"]), Outcome::Exit(2));
        assert_eq!(run(&["undertone", "Cargo.toml", "--demo"]), Outcome::Exit(2));
    }

    #[test]
    fn the_window_takes_device_pack_and_library() {
        let home = tempfile::tempdir().expect("temporary folder");
        let library = home.path().join("music.sqlite");
        let run = |args: &[&str]| {
            let library = [OsString::from("--library"), library.clone().into()];
            let args = ["undertone", "Cargo.toml"].iter().chain(args).map(OsString::from);
            decide(args.chain(library).collect())
        };
        assert_eq!(
            run(&["--device", "cpu", "--pack", "models/compact"]),
            Outcome::Window {
                media: Some("Cargo.toml".into()),
                demo: false,
                device: Some(DeviceChoice::Cpu),
                pack: Some("models/compact".to_owned()),
                library: Some(library.clone()),
            }
        );
        assert_eq!(run(&["--pack", "no-such-pack"]), Outcome::Exit(2));
        assert_eq!(run(&["--pack", "a", "--pack", "b"]), Outcome::Exit(2));
        std::fs::write(&library, b"no library").expect("write");
        assert_eq!(run(&["--device", "cpu"]), Outcome::Exit(2));
    }
}
