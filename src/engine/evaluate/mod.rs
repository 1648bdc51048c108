//! The paper's Table 1 for any corpus: packs and floors on its test items, the first 32 s of each, one candidate an item.

mod request;
mod rows;

use std::path::Path;

use super::corpus::{Inspected, Usable, inspect};
use super::fine_tune::{FineTuneRequest, Method, Start, fine_tune};
use super::{Engine, EngineOptions};
use crate::checksum::sha256_of;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::training::corpus::Split;
pub use request::{Ask, EvaluateReport, EvaluateRequest, EvaluateRow, Floor, Protocol};
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
    for item in &tested {
        if let Some(remark) = &item.remark {
            monitor.warn(format!("{}: {remark}", item.id));
        }
    }
    let protocols = protocols(request, &tested)?;
    let mut report = EvaluateReport {
        corpus: corpus.name.clone(),
        rows: Vec::new(),
        missing_rows: Vec::new(),
        rejected: std::mem::take(&mut corpus.rejected),
    };
    let lacking = tested.iter().filter(|item| !has_clean_stems(item)).count();
    if request.protocols.is_empty() && (1..tested.len()).contains(&lacking) {
        let reason = format!(
            "{lacking} of {} test items have no clean voice or no clean track; --protocol clean evaluates the others",
            tested.len()
        );
        report.missing_rows.push(("clean".to_owned(), reason));
    }
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
    let floors = floors(request, &tested);
    if packs.is_empty() && floors.is_empty() {
        packs.push(engine.options().pack.clone());
    }
    let asks = if request.asks.is_empty() {
        vec![Ask::Both]
    } else {
        request.asks.clone()
    };
    let rows: Vec<(Protocol, Ask)> = protocols
        .iter()
        .flat_map(|&protocol| asks.iter().map(move |&ask| (protocol, ask)))
        .collect();
    let ranking = monitor.part(if request.train { 0.6 } else { 0.1 }, 1.0);
    let count = packs.len() * rows.len();
    for (at, pack) in packs.iter().enumerate() {
        let own = Engine::open(EngineOptions {
            pack: pack.clone(),
            ..engine.options().clone()
        })?;
        for (row, &(protocol, ask)) in rows.iter().enumerate() {
            if ask == Ask::Voice && own.pack().manifest.method != "mrcmv" {
                let reason = "it asks with the picture alone, so there is no row by the voice";
                report
                    .missing_rows
                    .push((own.pack().manifest.name.clone(), reason.to_owned()));
                continue;
            }
            let number = at * rows.len() + row;
            let part = ranking.part(number as f32 / count as f32, (number + 1) as f32 / count as f32);
            let (row, rejected) = pack_row(&own, &tested, (protocol, ask), request.seed, &part)?;
            report.rows.push(row);
            for item in rejected {
                if !report.rejected.contains(&item) {
                    report.rejected.push(item);
                }
            }
        }
    }
    for floor in floors {
        for &protocol in &protocols {
            report
                .rows
                .push(floor_row(floor, &tested, protocol, request.seed)?);
        }
    }
    Ok(report)
}

/// Those asked for; the whole table has all that the test items allow.
fn floors(request: &EvaluateRequest, tested: &[Usable]) -> Vec<Floor> {
    if !request.train || !request.floors.is_empty() {
        return request.floors.clone();
    }
    let tagged = tested.iter().any(|item| !item.tags.is_empty());
    let tag_random = tagged.then_some(Floor::TagRandom);
    std::iter::once(Floor::Chance).chain(tag_random).collect()
}

/// Those asked for, or all that every test item allows.
fn protocols(request: &EvaluateRequest, tested: &[Usable]) -> Result<Vec<Protocol>> {
    if request.protocols.is_empty() {
        let mut protocols = vec![Protocol::Separated];
        if tested.iter().all(has_clean_stems) {
            protocols.push(Protocol::Clean);
        }
        return Ok(protocols);
    }
    if request.protocols.contains(&Protocol::Clean) && !tested.iter().any(has_clean_stems) {
        return Err(Error::input(
            &request.corpus,
            "has no test item with both a clean voice and a clean track, which --protocol clean needs; choose separated",
        ));
    }
    Ok(request.protocols.clone())
}

fn has_clean_stems(item: &Usable) -> bool {
    item.voice.is_some() && item.bgm.is_some()
}

/// The rows of Table 1 that are trained: their names, methods and what they go without.
const TRAINED: [(&str, Method, Option<&str>); 7] = [
    ("mrcmv", Method::Mrcmv, None),
    ("without-sa", Method::Mrcmv, Some("sa")),
    ("without-cma", Method::Mrcmv, Some("cma")),
    ("without-gate", Method::Mrcmv, Some("gate")),
    ("without-pseudo-label", Method::Mrcmv, Some("pseudo-label")),
    ("cmmr", Method::Cmmr, None),
    ("cbvmr", Method::Cbvmr, None),
];

/// Trains the rows that are not there yet, all from weights drawn alike, and returns the folders of all. The baselines
/// learn what they can on this corpus; where that is nothing, the report says why.
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
    for (number, (row, method, switch)) in TRAINED.into_iter().enumerate() {
        let mut asked = FineTuneRequest {
            method,
            without: switch.map(str::to_owned).into_iter().collect(),
            start: Start::Fresh,
            epochs: request.epochs,
            seed: request.seed,
            resume: true,
            ..FineTuneRequest::new(&request.corpus, Path::new(""))
        };
        // Another corpus, pack, seed or length is another row.
        let about = (
            corpus.identity(),
            engine.pack().embedding_id(),
            asked.seed,
            asked.epochs,
        );
        let mark = sha256_of(format!("{about:?}"));
        asked.out = engine
            .options()
            .folders
            .packs()
            .join(format!("{plain}-{row}-{}", &mark[..8]));
        if !asked.out.join("pack.json").exists() {
            let count = TRAINED.len() as f32;
            let part = monitor.part(number as f32 / count, (number + 1) as f32 / count);
            match fine_tune(engine, &asked, &|_| {}, &part) {
                Ok(_) => {}
                Err(error) if method != Method::Mrcmv && error.kind() == ErrorKind::Input => {
                    report.missing_rows.push((row.to_owned(), error.to_string()));
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        let folder = asked.out.to_str().ok_or_else(|| {
            Error::new(
                ErrorKind::Input,
                "the folder of the user's packs is not plain text; set UNDERTONE_HOME to another",
            )
        })?;
        packs.push(folder.to_owned());
    }
    Ok(packs)
}
