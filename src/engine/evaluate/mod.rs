//! The paper's Table 1 for any corpus: packs and floors on its test items, the first 32 s of each, one candidate an item.

mod request;
mod rows;

use std::path::PathBuf;

use super::corpus::{Inspected, Usable, inspect};
use super::fine_tune::{FineTuneRequest, Start, fine_tune};
use super::{Engine, EngineOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::training::corpus::Split;
pub use request::{EvaluateReport, EvaluateRequest, EvaluateRow, Floor, Protocol};
use rows::{floor_row, pack_row};

/// Evaluates packs and floors on the test items of a corpus. Every row of a pack is ranked with that pack's own networks.
///
/// # Errors
/// When the corpus has no test item that can be used, a pack cannot be used, or a protocol or floor needs what no item
/// has; cancelled.
pub fn evaluate(engine: &Engine, request: &EvaluateRequest, monitor: &Monitor) -> Result<EvaluateReport> {
    let mut corpus = inspect(&request.corpus, &monitor.part(0.0, 0.1))?;
    let tested: Vec<Usable> = corpus.split(Split::Test).cloned().collect();
    if tested.is_empty() {
        return Err(Error::input(
            &request.corpus,
            "has no test item that can be used; look at it with corpus check",
        ));
    }
    let protocols = protocols(request, &tested)?;
    let mut report = EvaluateReport {
        corpus: corpus.name.clone(),
        rows: Vec::new(),
        missing_rows: Vec::new(),
        rejected: std::mem::take(&mut corpus.rejected),
    };
    let mut packs = request.packs.clone();
    if request.train {
        packs.extend(trained_rows(
            engine,
            request,
            &corpus,
            &mut report,
            &monitor.part(0.1, 0.6),
        )?);
    }
    if packs.is_empty() && request.floors.is_empty() {
        packs.push(engine.options().pack.clone());
    }
    let ranking = monitor.part(if request.train { 0.6 } else { 0.1 }, 1.0);
    let count = packs.len() * protocols.len();
    let mut number = 0;
    for pack in &packs {
        let own = Engine::open(EngineOptions {
            pack: pack.clone(),
            ..engine.options().clone()
        })?;
        for &protocol in &protocols {
            let part = ranking.part(number as f32 / count as f32, (number + 1) as f32 / count as f32);
            let (row, rejected) = pack_row(&own, &tested, protocol, request.seed, &part)?;
            report.rows.push(row);
            for item in rejected {
                if !report.rejected.contains(&item) {
                    report.rejected.push(item);
                }
            }
            number += 1;
        }
    }
    for &floor in &request.floors {
        for &protocol in &protocols {
            report
                .rows
                .push(floor_row(floor, &tested, protocol, request.seed)?);
        }
    }
    Ok(report)
}

/// Those asked for, or all that every test item allows.
fn protocols(request: &EvaluateRequest, tested: &[Usable]) -> Result<Vec<Protocol>> {
    let clean = |item: &Usable| item.voice.is_some() && item.bgm.is_some();
    if request.protocols.is_empty() {
        let mut protocols = vec![Protocol::Separated];
        if tested.iter().all(clean) {
            protocols.push(Protocol::Clean);
        }
        return Ok(protocols);
    }
    if request.protocols.contains(&Protocol::Clean) && !tested.iter().any(clean) {
        return Err(Error::input(
            &request.corpus,
            "has no test item with both a clean voice and a clean track, which --protocol clean needs; choose separated",
        ));
    }
    Ok(request.protocols.clone())
}

/// The rows of Table 1 that this version trains: their names and what they go without.
const TRAINED: [(&str, Option<&str>); 5] = [
    ("mrcmv", None),
    ("without-sa", Some("sa")),
    ("without-cma", Some("cma")),
    ("without-gate", Some("gate")),
    ("without-pseudo-label", Some("pseudo-label")),
];
const BASELINES: [&str; 2] = ["cmmr", "cbvmr"];

/// Trains the rows that are not there yet, all from weights drawn alike, and returns the folders of all.
fn trained_rows(
    engine: &Engine,
    request: &EvaluateRequest,
    corpus: &Inspected,
    report: &mut EvaluateReport,
    monitor: &Monitor,
) -> Result<Vec<String>> {
    let plain: String = corpus
        .name
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect();
    let mut packs = Vec::new();
    for (number, (row, switch)) in TRAINED.into_iter().enumerate() {
        let out: PathBuf = engine.options().folders.packs().join(format!("{plain}-{row}"));
        if !out.join("pack.json").exists() {
            let asked = FineTuneRequest {
                without: switch.map(str::to_owned).into_iter().collect(),
                start: Start::Fresh,
                seed: request.seed,
                resume: true,
                ..FineTuneRequest::new(&request.corpus, &out)
            };
            let count = TRAINED.len() as f32;
            let part = monitor.part(number as f32 / count, (number + 1) as f32 / count);
            fine_tune(engine, &asked, &|_| {}, &part)?;
        }
        let folder = out.to_str().ok_or_else(|| {
            Error::new(
                ErrorKind::Input,
                "the folder of the user's packs is not plain text; set UNDERTONE_HOME to another",
            )
        })?;
        packs.push(folder.to_owned());
    }
    report.missing_rows = BASELINES
        .into_iter()
        .map(|row| (row.to_owned(), "this version does not train it".to_owned()))
        .collect();
    Ok(packs)
}
