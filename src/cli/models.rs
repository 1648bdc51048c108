//! `models` and `doctor`: what is there and whether it works.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Done;
use super::args::{DoctorArgs, ModelsCommand, ModelsRunArgs};
use super::console::{Align, Table, print, print_json};
use super::session::Session;
use crate::engine::Engine;
use crate::engine::doctor;
use crate::engine::models::{self as manager, ImportRequest};
use crate::engine::run_network::{RunRequest, run_network};
use crate::error::{Error, Result};
use crate::networks::weights::Pack;
use crate::playback;

#[derive(Debug, Serialize)]
struct PackLine {
    name: String,
    version: String,
    method: String,
    without: Vec<String>,
    licence: String,
    provenance: String,
    bytes: u64,
    #[serde(serialize_with = "crate::files::serialize_path")]
    folder: PathBuf,
    networks: Vec<String>,
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
                network,
                file: &file,
                name,
                licence: None,
                origin: None,
            };
            let pack = manager::import(&session.engine()?, &request, &session.monitor)?;
            installed(session, &pack)
        }
        ModelsCommand::Download { name } => {
            let source = manager::find_source(&session.folders, &name)?;
            let pack = manager::download(&session.engine()?, &source, &session.monitor)?;
            installed(session, &pack)
        }
        ModelsCommand::Remove { name } => {
            let pack = manager::remove(&session.folders, &name)?;
            print(&format!(
                "removed {} from {}\n",
                pack.manifest.name,
                pack.folder.display()
            ))?;
            Ok(Done::Found)
        }
        ModelsCommand::Run(args) => run(session, &args),
    }
}

fn list(session: &Session, json: bool) -> Result<Done> {
    let mut lines = Vec::new();
    for pack in Pack::list(&Engine::pack_roots(&session.folders)) {
        match pack {
            Ok(pack) => lines.push(line_of(pack)),
            // One damaged pack does not hide the others.
            Err(error) => super::console::complain(&error.to_string()),
        }
    }
    if json {
        print_json(&lines)?;
    } else {
        let mut table = Table::default();
        for line in &lines {
            table.row([
                line.name.clone(),
                line.version.clone(),
                format!("{:.1} MB", line.bytes as f64 / 1e6),
                line.licence.clone(),
                line.folder.display().to_string(),
                line.provenance.clone(),
            ]);
        }
        print(&table.lines(&[
            Align::Left,
            Align::Left,
            Align::Right,
            Align::Left,
            Align::Left,
            Align::Left,
        ]))?;
    }
    Ok(if lines.is_empty() {
        Done::Nothing
    } else {
        Done::Found
    })
}

fn list_sources(session: &Session, json: bool) -> Result<Done> {
    let sources = manager::sources(&session.folders)?;
    if json {
        print_json(&sources)?;
    } else {
        let mut table = Table::default();
        for source in &sources {
            let size = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
            table.row([
                source.name.clone(),
                source.network.to_string(),
                source.bytes.map(size).unwrap_or_default(),
                source.licence.clone(),
                source.origin.clone(),
            ]);
        }
        print(&table.lines(&[Align::Left, Align::Left, Align::Right, Align::Left, Align::Left]))?;
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

fn line_of(pack: Pack) -> PackLine {
    PackLine {
        bytes: size_of_files(&pack.folder),
        name: pack.manifest.name,
        version: pack.manifest.version,
        method: pack.manifest.method,
        without: pack.manifest.without,
        licence: pack.manifest.licence,
        provenance: pack.manifest.provenance,
        networks: pack.manifest.networks.into_keys().collect(),
        folder: pack.folder,
    }
}

fn size_of_files(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
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
        match pack.map(|pack| (pack.verify(), pack)) {
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
