//! `train`, `evaluate` and `corpus`.

use std::path::Path;

use super::Done;
use super::args::{CorpusCommand, Descent, EvaluateArgs, Redraw, Separation, TrainArgs};
use super::console::{Align, Table, complain, one_line, print, print_json};
use super::session::Session;
use crate::engine::corpus::{self, GenerateRequest, ImportRequest};
use crate::engine::evaluate::{self, Ask, EvaluateReport, EvaluateRequest, EvaluateRow, Protocol};
use crate::engine::fine_tune::{self, EpochReport, FineTuneRequest, Method, News};
use crate::error::{Error, ErrorKind, Result};
use crate::training::{ObjectiveConfig, OptimizerConfig, RateSchedule};

pub(super) fn train(session: &Session, args: TrainArgs) -> Result<Done> {
    let request = request_of(args)?;
    let on_news = |news: News| {
        let News::Epoch(epoch) = news else {
            return;
        };
        session.monitor.progress(
            &epoch_line(&epoch),
            Some(epoch.epoch as f32 / epoch.epochs.max(1) as f32),
        );
    };
    let report = fine_tune::fine_tune(&session.engine()?, &request, &on_news, &session.monitor)?;
    session.finish();
    complain_of(&report.rejected);
    let mut text = format!(
        "{}: trained on {} items, {} pairs",
        shown(&report.pack),
        report.used,
        report.pairing
    );
    if report.recognised > 0 {
        text += &format!(", the music of {} from the library", report.recognised);
    }
    if let (Some(before), Some(after)) = (report.before, report.after) {
        text += &format!(
            ", validation R@10 {:.1} % before and {:.1} % after",
            before.r10, after.r10
        );
    }
    print(&(text + "\n"))?;
    Ok(Done::Found)
}

fn request_of(args: TrainArgs) -> Result<FineTuneRequest> {
    let mut training = args.method.training();
    training.objective = match (args.objective, args.temperature) {
        (Separation::Triplet, None) => ObjectiveConfig::Triplet,
        (Separation::Triplet, Some(_)) => {
            return Err(unfitting("--temperature goes with --objective contrastive"));
        }
        (Separation::Contrastive, None) => ObjectiveConfig::contrastive(),
        (Separation::Contrastive, Some(temperature)) => ObjectiveConfig::Contrastive { temperature },
    };
    // Its loss is a mean, which the paper's rate for sums would not move.
    let contrastive = args.objective == Separation::Contrastive;
    training.optimizer = match args.optimizer {
        None if contrastive => OptimizerConfig::adam_w(),
        None => training.optimizer,
        Some(Descent::Sgd) => OptimizerConfig::default(),
        Some(Descent::Adamw) => OptimizerConfig::adam_w(),
    };
    if let Some(rate) = args.rate {
        training.optimizer = training.optimizer.at_rate(rate);
    }
    if let Some(decay) = args.weight_decay {
        match &mut training.optimizer {
            OptimizerConfig::AdamW { weight_decay, .. } => *weight_decay = decay,
            OptimizerConfig::Sgd { .. } => {
                return Err(unfitting("--weight-decay goes with --optimizer adamw"));
            }
        }
    }
    training.rate_schedule = args.schedule;
    if args.schedule == RateSchedule::Cosine && args.epochs.is_none() {
        return Err(unfitting(
            "--schedule cosine needs to know the last epoch; add --epochs",
        ));
    }
    training.batch_size = args.batch.map_or(training.batch_size, |batch| batch as usize);
    training.lambda = args.lambda.unwrap_or(training.lambda);
    training.margin.start = args.margin.unwrap_or(training.margin.start);
    let plain = FineTuneRequest::new(&args.corpus, &args.out);
    Ok(FineTuneRequest {
        method: args.method,
        without: args.without,
        scope: args.scope,
        leak_free: args.leak_free,
        epochs: args.epochs.map(|epochs| epochs as usize),
        seed: args.seed.unwrap_or(training.seed),
        resume: args.resume,
        start: args.start,
        norm: args.norm,
        cuts: args.cuts as usize,
        renderings: args.renderings as usize,
        redraw: match args.redraw {
            None => plain.redraw,
            Some(Redraw::Never) => None,
            Some(Redraw::Every(_)) if args.method != Method::Mrcmv => {
                return Err(unfitting(
                    "--redraw goes with --method mrcmv; the baselines keep the windows they began with",
                ));
            }
            Some(Redraw::Every(epochs)) => Some(epochs),
        },
        patience: args.patience.map(|patience| patience as usize),
        training: Some(training),
        ..plain
    })
}

/// Two options that do not go together.
fn unfitting(problem: &str) -> Error {
    Error::new(ErrorKind::Input, problem)
}

fn epoch_line(epoch: &EpochReport) -> String {
    let mut line = format!(
        "Epoch {} of {}: loss {:.4}",
        epoch.epoch, epoch.epochs, epoch.loss
    );
    if let Some(r10) = epoch.validation_r10 {
        line += &format!(", R@10 {r10:.1} %");
    }
    line
}

pub(super) fn evaluate(session: &Session, args: EvaluateArgs) -> Result<Done> {
    let request = EvaluateRequest {
        packs: session.common.pack.clone(),
        floors: args.floor,
        protocols: args.protocol,
        asks: args.ask,
        train: args.train,
        epochs: args.epochs.map(|epochs| epochs as usize),
        seed: args.seed,
        ..EvaluateRequest::new(&args.corpus)
    };
    let pack = request.packs.first().unwrap_or(&session.settings.pack);
    let report = evaluate::evaluate(&session.engine_with(pack)?, &request, &session.monitor)?;
    session.finish();
    complain_of(&report.rejected);
    complain_of(&report.missing_rows);
    if args.json {
        print_json(&report)?;
    } else {
        print(&table_of(&report))?;
    }
    Ok(if report.rows.is_empty() {
        Done::Nothing
    } else {
        Done::Found
    })
}

fn table_of(report: &EvaluateReport) -> String {
    let mut table = Table::default();
    let head = [
        "pack", "method", "without", "protocol", "asked by", "queries", "R@1", "R@5", "R@10", "R@25",
        "median", "VGGish",
    ];
    table.row(head.map(str::to_owned));
    for row in &report.rows {
        table.row([
            row.pack.clone(),
            row.method.clone(),
            row.without.join(" "),
            match row.protocol {
                Protocol::Separated => "separated".to_owned(),
                Protocol::Clean => "clean".to_owned(),
            },
            match (row.method.as_str(), row.ask) {
                ("mrcmv", Ask::Both) => "both",
                ("mrcmv", Ask::Voice) => "voice",
                ("mrcmv" | "cmmr" | "cbvmr", _) => "picture",
                _ => "",
            }
            .to_owned(),
            row.queries.to_string(),
            recall(row, "r1", row.r1),
            recall(row, "r5", row.r5),
            recall(row, "r10", row.r10),
            recall(row, "r25", row.r25),
            format!("{:.1}", row.median_rank),
            row.vggish_distance
                .map_or_else(|| "-".to_owned(), |distance| format!("{distance:.3}")),
        ]);
    }
    let mut align = [Align::Right; 12];
    align[..5].fill(Align::Left);
    format!("{}\n{}", one_line(&report.corpus), table.lines(&align))
}

fn recall(row: &EvaluateRow, name: &str, value: f64) -> String {
    row.ci95.get(name).map_or_else(
        || format!("{value:.1}"),
        |[low, high]| format!("{value:.1} [{low:.1}, {high:.1}]"),
    )
}

pub(super) fn corpus(session: &Session, command: CorpusCommand) -> Result<Done> {
    match command {
        CorpusCommand::Check { folder, json } => check(session, &folder, json),
        CorpusCommand::Import {
            name,
            lists,
            videos,
            out,
            json,
        } => {
            let request = ImportRequest {
                name,
                lists,
                videos,
                out,
            };
            import(session, &request, json)
        }
        CorpusCommand::Generate {
            out,
            train,
            test,
            seed,
            null,
            json,
        } => {
            let request = GenerateRequest {
                out,
                train,
                test,
                seed,
                null,
            };
            generate(session, &request, json)
        }
    }
}

fn check(session: &Session, folder: &Path, json: bool) -> Result<Done> {
    let report = corpus::check_corpus(folder, &session.monitor)?;
    session.finish();
    if json {
        print_json(&report)?;
    } else {
        complain_of(&report.rejected);
        for item in &report.items {
            if let Some(remark) = &item.remark {
                complain(&format!("{}: {remark}", item.id));
            }
        }
        print(&format!(
            "{}: {} train, {} val, {} test, {} rejected\n",
            one_line(&report.name),
            report.train,
            report.val,
            report.test,
            report.rejected.len()
        ))?;
    }
    Ok(if report.items.is_empty() {
        Done::Nothing
    } else {
        Done::Found
    })
}

fn import(session: &Session, request: &ImportRequest, json: bool) -> Result<Done> {
    let report = corpus::import_corpus(request)?;
    session.finish();
    if json {
        print_json(&report)?;
    } else {
        print(&format!(
            "{}: {} train, {} test, {} videos missing\n",
            shown(&report.corpus),
            report.train,
            report.test,
            report.missing.len()
        ))?;
    }
    Ok(if report.train + report.test == 0 {
        Done::Nothing
    } else {
        Done::Found
    })
}

fn generate(session: &Session, request: &GenerateRequest, json: bool) -> Result<Done> {
    let report = corpus::generate_corpus(request, &session.monitor)?;
    session.finish();
    if json {
        print_json(&report)?;
    } else {
        let best = &report.ceiling;
        print(&format!(
            "{}: {} train, {} val, {} test, {} of them there before\ngenerator {}\n\
             ceiling on test, ranked by the stories as told: R@1 {:.1}, R@5 {:.1}, R@10 {:.1}, R@25 {:.1}\n",
            shown(&report.corpus),
            report.train,
            report.val,
            report.test,
            report.kept,
            report.generator,
            best.r1,
            best.r5,
            best.r10,
            best.r25
        ))?;
    }
    Ok(if report.train + report.test == 0 {
        Done::Nothing
    } else {
        Done::Found
    })
}

/// Says on stderr which items or rows were passed over.
fn complain_of(rejected: &[(String, String)]) {
    for (id, reason) in rejected {
        complain(&format!("{id}: {reason}"));
    }
}

fn shown(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}
