//! `models` and `doctor`: what is there and whether it works.

use std::path::PathBuf;

use serde::Serialize;

use super::Done;
use super::args::{DoctorArgs, ModelsCommand, ModelsRunArgs};
use super::console::{Align, Table, print, print_json};
use super::session::Session;
use crate::engine::Engine;
use crate::engine::doctor;
use crate::engine::models::{self as manager, Available, ImportRequest, Installed};
use crate::engine::run_network::{RunRequest, run_network};
use crate::error::{Error, Result};
use crate::networks::weights::Pack;
use crate::playback;
use crate::words;

/// A pack with its state, as `models list --json` prints it.
#[derive(Debug, Serialize)]
struct PackLine {
    #[serde(flatten)]
    pack: Installed,
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct Verdict {
    name: String,
    #[serde(serialize_with = "crate::files::serialize_path")]
    folder: PathBuf,
    ok: bool,
    problem: Option<String>,
}

pub(super) fn models(session: &Session, command: ModelsCommand) -> Result<Done> {
    match command {
        ModelsCommand::List {
            available: true,
            json,
        } => list_sources(session, json),
        ModelsCommand::List { json, .. } => list(session, json),
        ModelsCommand::Verify { packs, json } => verify(session, &packs, json),
        ModelsCommand::Import { file, network, name } => {
            let request = ImportRequest {
                network: Some(network),
                file: &file,
                name,
                licence: None,
                origin: None,
            };
            let engine = session.engine()?;
            let pack = manager::import(engine.pack(), &session.folders, &request, &session.monitor)?;
            installed(session, &pack)
        }
        ModelsCommand::Download { name } => download(session, &name),
        ModelsCommand::Remove { name } => remove(session, &name),
        ModelsCommand::Run(args) => run(session, &args),
    }
}

/// Fetches a source, or a downloaded pack anew.
fn download(session: &Session, name: &str) -> Result<Done> {
    let pack = match manager::find_source(&session.folders, name) {
        Ok(source) => {
            let engine = session.engine()?;
            manager::download(engine.pack(), &session.folders, &source, &session.monitor)?
        }
        Err(unknown) => {
            let packs = manager::installed(&session.folders);
            if !packs.iter().any(|pack| pack.name == name) {
                return Err(unknown);
            }
            manager::repair(&session.folders, name, &session.monitor)?
        }
    };
    installed(session, &pack)
}

/// Removes a pack, or what came of a download.
fn remove(session: &Session, name: &str) -> Result<Done> {
    let failed = match manager::remove(&session.folders, name) {
        Ok(folder) => {
            print(&format!("removed {name} from {}\n", folder.display()))?;
            return Ok(Done::Found);
        }
        Err(error) => error,
    };
    if let Ok(source) = manager::find_source(&session.folders, name) {
        let bytes = manager::discard_download(&session.folders, &source)?;
        if bytes > 0 {
            let size = words::bytes(bytes);
            print(&format!("removed {size} that had come of {name}\n"))?;
            return Ok(Done::Found);
        }
    }
    Err(failed)
}

fn list(session: &Session, json: bool) -> Result<Done> {
    let in_use = session.common.one_pack()?.unwrap_or(&session.settings.pack);
    let lines: Vec<PackLine> = manager::installed(&session.folders)
        .into_iter()
        .map(|pack| PackLine {
            state: match () {
                () if pack.problem.is_some() => "damaged",
                () if pack.name == in_use => "in use",
                () => "installed",
            },
            pack,
        })
        .collect();
    // One damaged pack does not hide the others.
    for problem in lines.iter().filter_map(|line| line.pack.problem.as_ref()) {
        super::console::complain(problem);
    }
    if json {
        print_json(&lines)?;
    } else {
        let mut table = Table::default();
        for PackLine { pack, state } in &lines {
            table.row([
                pack.name.clone(),
                pack.version.clone(),
                (*state).to_owned(),
                format!("{:.1} MB", pack.bytes as f64 / 1e6),
                pack.licence.clone(),
                pack.sha256.chars().take(12).collect(),
                pack.folder.display().to_string(),
                pack.provenance.clone(),
            ]);
        }
        let mut columns = [Align::Left; 8];
        columns[3] = Align::Right;
        print(&table.lines(&columns))?;
    }
    Ok(if lines.is_empty() {
        Done::Nothing
    } else {
        Done::Found
    })
}

fn list_sources(session: &Session, json: bool) -> Result<Done> {
    let sources = manager::available(&session.folders)?;
    if json {
        print_json(&sources)?;
    } else {
        let size = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let mut table = Table::default();
        for Available { source, came_bytes } in &sources {
            table.row([
                source.name.clone(),
                source.network.to_string(),
                source.bytes.map(size).unwrap_or_default(),
                match came_bytes {
                    0 => String::new(),
                    bytes => format!("{} came", size(*bytes)),
                },
                source.licence.clone(),
                source
                    .sha256
                    .as_deref()
                    .map(|sum| sum.chars().take(12).collect())
                    .unwrap_or_default(),
                source.origin.clone(),
            ]);
        }
        let mut columns = [Align::Left; 7];
        (columns[2], columns[3]) = (Align::Right, Align::Right);
        print(&table.lines(&columns))?;
    }
    Ok(Done::Found)
}

fn installed(session: &Session, pack: &Pack) -> Result<Done> {
    session.finish();
    print(&format!(
        "{} is installed in {}; use it with --pack {0}, or choose it in the settings\n",
        pack.manifest.name,
        pack.folder.display()
    ))?;
    Ok(Done::Found)
}

fn verify(session: &Session, named: &[String], json: bool) -> Result<Done> {
    let roots = Engine::pack_roots(&session.folders);
    let packs: Vec<Result<Pack>> = if named.is_empty() {
        Pack::list(&roots)
    } else {
        named.iter().map(|name| Pack::find(name, &roots)).collect()
    };
    let mut verdicts = Vec::new();
    let mut failures = 0;
    for pack in packs {
        session.monitor.check()?;
        let watched = |pack: Pack| (pack.verify_watched(&mut |_| session.monitor.check()), pack);
        match pack.map(watched) {
            Ok((Err(error), _)) if error.is_cancelled() => return Err(error),
            Ok((result, pack)) => {
                failures += usize::from(result.is_err());
                verdicts.push(Verdict {
                    name: pack.manifest.name,
                    folder: pack.folder,
                    ok: result.is_ok(),
                    problem: result.err().map(|error| error.to_string()),
                });
            }
            Err(error) => {
                failures += 1;
                super::console::complain(&error.to_string());
            }
        }
    }
    if json {
        print_json(&verdicts)?;
    } else {
        let mut table = Table::default();
        for verdict in &verdicts {
            let word = if verdict.ok { "ok" } else { "damaged" };
            table.row([
                verdict.name.clone(),
                word.to_owned(),
                verdict
                    .problem
                    .clone()
                    .unwrap_or_else(|| verdict.folder.display().to_string()),
            ]);
        }
        print(&table.lines(&[Align::Left, Align::Left, Align::Left]))?;
    }
    match (failures, verdicts.len()) {
        (0, 0) => Ok(Done::Nothing),
        (0, _) => Ok(Done::Found),
        _ => Err(Error::pack(format!(
            "{failures} of the packs cannot be used; put their files back as they were, or remove them"
        ))),
    }
}

fn run(session: &Session, args: &ModelsRunArgs) -> Result<Done> {
    let request = RunRequest {
        network: args.network,
        weights: &args.weights,
        input: &args.input,
        out: &args.out,
        repeat: args.repeat as usize,
        device: session.common.device.unwrap_or(session.settings.device),
    };
    let report = run_network(&request, &session.monitor)?;
    session.finish();
    if args.json {
        print_json(&report)?;
    } else {
        for (at, time) in report.runs_ms.iter().enumerate() {
            print(&format!("run {}: {time:.1} ms on {}\n", at + 1, report.device))?;
        }
    }
    Ok(Done::Found)
}

pub(super) fn doctor(session: &Session, args: DoctorArgs) -> Result<Done> {
    let checks = doctor::doctor(&session.folders, &playback::outputs())?;
    if args.json {
        print_json(&checks)?;
    } else {
        let mut table = Table::default();
        for check in &checks {
            table.row([
                check.area.clone(),
                if check.ok { "ok" } else { "--" }.to_owned(),
                check.name.clone(),
                check.detail.clone(),
            ]);
        }
        print(&table.lines(&[Align::Left, Align::Left, Align::Left, Align::Left]))?;
    }
    Ok(Done::Found)
}
