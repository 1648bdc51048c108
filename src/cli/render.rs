//! `separate`, `features` and `export`: commands that write files.

use std::path::{Path, PathBuf};

use super::Done;
use super::args::{ExportArgs, FeaturesArgs, Loudness, SeparateArgs};
use super::console::{one_line, print};
use super::session::{Session, keep_sources};
use crate::engine::Engine;
use crate::engine::export::{self, ExportRequest};
use crate::engine::features;
use crate::engine::separate::{self, SeparateOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::library::TrackId;
use crate::mix::{CandidateSettings, MixSettings};

pub(super) fn separate(session: &Session, args: SeparateArgs) -> Result<Done> {
    for stem in ["voice.wav", "bgm.wav"] {
        keep_sources(&args.out.join(stem), &[&args.media])?;
    }
    let stems = separate::separate_file(
        &session.engine()?,
        &args.media,
        &args.out,
        &SeparateOptions::default(),
        &session.monitor,
    )?;
    session.finish();
    print(&format!("{}\n{}\n", shown(&stems.voice), shown(&stems.bgm)))?;
    Ok(Done::Found)
}

pub(super) fn features(session: &Session, args: FeaturesArgs) -> Result<Done> {
    keep_sources(&args.out, &[&args.media])?;
    features::write_features(
        &session.engine()?,
        &args.media,
        args.voice.start,
        &args.voice.source(),
        &args.out,
        &session.monitor,
    )?;
    session.finish();
    print(&format!("{}\n", shown(&args.out)))?;
    Ok(Done::Found)
}

pub(super) fn export(session: &Session, args: ExportArgs) -> Result<Done> {
    if !(args.at >= 0.0 && args.at.is_finite()) {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "--at {}: give the place in the track as seconds from 0 on",
                args.at
            ),
        ));
    }
    let engine = session.engine()?;
    let track = track_file(&engine, &args.track)?;
    let request = ExportRequest {
        video: args.video,
        track,
        settings: MixSettings {
            ducking: args.duck,
            original_muted: args.bgm == "replace",
            candidate: CandidateSettings {
                in_point_s: args.at,
                ..CandidateSettings::default()
            },
            ..MixSettings::default()
        },
        fit_level: true,
        loudness_lufs: match args.loudness {
            None => session.settings.loudness_lufs.map(f64::from),
            Some(Loudness::Off) => None,
            Some(Loudness::Lufs(lufs)) => Some(lufs),
        },
        out: args.out,
    };
    let report = export::export(&engine, &request, &session.monitor)?;
    session.trim_cache();
    session.finish();
    let loudness = report
        .loudness_lufs
        .map_or_else(|| "silent".to_owned(), |lufs| format!("{lufs:.1} LUFS"));
    print(&format!(
        "{}: {:.1} s, picture {}, {loudness}\n",
        shown(&report.out),
        report.duration_s,
        report.picture,
    ))?;
    Ok(Done::Found)
}

/// The file of `--track`: a file of that name, else the track of that number in the library.
fn track_file(engine: &Engine, named: &Path) -> Result<PathBuf> {
    let number = named.to_str().and_then(|text| text.parse().ok()).map(TrackId);
    let (Some(id), false) = (number, named.exists()) else {
        return Ok(named.to_owned());
    };
    let track = if engine.library_path().exists() {
        engine.library()?.track(id)?
    } else {
        None
    };
    track.map(|track| track.path).ok_or_else(|| {
        Error::library(format!(
            "--track {}: the library has no track of this number; undertone suggest lists them",
            id.0
        ))
    })
}

fn shown(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}
