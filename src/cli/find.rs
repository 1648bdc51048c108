//! `suggest` and `index`.

use super::Done;
use super::args::{IndexArgs, SuggestArgs, VoiceArgs};
use super::console::{Align, Table, one_line, print, print_json};
use super::session::Session;
use crate::engine::embed::VoiceSource;
use crate::engine::index::{self, IndexReport};
use crate::engine::suggest::{self, SuggestReport, SuggestRequest, Suggestion};
use crate::error::{Error, ErrorKind, Result};
use crate::words;

impl VoiceArgs {
    pub(super) fn source(&self) -> VoiceSource {
        match &self.voice {
            Some(file) => VoiceSource::File(file.clone()),
            None if self.no_separate => VoiceSource::Raw,
            None => VoiceSource::Separated,
        }
    }
}

pub(super) fn suggest(session: &Session, args: SuggestArgs) -> Result<Done> {
    let request = SuggestRequest {
        top: args.top as usize,
        start_s: args.voice.start,
        voice: args.voice.source(),
        media: args.media,
        balance: args.balance,
        tags: args.tag,
        text: args.text,
    };
    let report = suggest::suggest(&session.engine()?, &request, &session.monitor)?;
    session.trim_cache();
    session.finish();
    if args.json {
        print_json(&report)?;
    } else {
        print(&as_text(&report))?;
    }
    Ok(if report.suggestions.is_empty() {
        Done::Nothing
    } else {
        Done::Found
    })
}

fn as_text(report: &SuggestReport) -> String {
    let query = &report.query;
    let heard = match (query.voice, query.picture) {
        (true, true) => "voice and picture",
        (true, false) => "voice alone",
        (false, _) => "picture alone",
    };
    let mut text = format!(
        "{} {}-{}, by {heard}; pack {} on {}, {:.1} s\n",
        one_line(&query.media.to_string_lossy()),
        words::clock(query.start_s),
        words::clock(query.start_s + query.duration_s),
        report.pack,
        report.device,
        report.timings_ms.total / 1e3,
    );
    if report.suggestions.is_empty() {
        return text + "No track of the library fits the filters.\n";
    }
    let mut table = Table::default();
    table.row(["", "score", "from", "length", "id", "title", "why"].map(str::to_owned));
    for suggestion in &report.suggestions {
        table.row([
            suggestion.rank.to_string(),
            format!("{:.3}", suggestion.score),
            words::clock(suggestion.start_s),
            words::clock(suggestion.duration_s),
            suggestion.track_id.to_string(),
            suggestion.title.clone(),
            reason(suggestion),
        ]);
    }
    text += &table.lines(&[
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Left,
        Align::Left,
    ]);
    text
}

fn reason(suggestion: &Suggestion) -> String {
    let why = &suggestion.why;
    let shares = why
        .voice_share
        .zip(why.picture_share)
        .map(|(voice, picture)| format!("voice {:.0} %, picture {:.0} %", voice * 100.0, picture * 100.0));
    let vocals = suggestion.has_vocals.then(|| "singing".to_owned());
    let words = (!why.words.is_empty()).then(|| why.words.clone());
    let parts: Vec<String> = [shares, words, vocals].into_iter().flatten().collect();
    parts.join("; ")
}

pub(super) fn index(session: &Session, args: IndexArgs) -> Result<Done> {
    let report = index::index(&session.engine()?, &args.paths, args.songs, &session.monitor)?;
    session.finish();
    let there = report.indexed + report.unchanged;
    if args.json {
        print_json(&report)?;
    } else if there > 0 || report.failed.is_empty() {
        print(&summary(&report))?;
    }
    match (there, report.failed.len()) {
        (0, 0) => Ok(Done::Nothing),
        (0, failed) => Err(Error::new(ErrorKind::Input, nothing_indexed(failed))),
        _ => Ok(Done::Found),
    }
}

fn nothing_indexed(failed: usize) -> String {
    if failed == 1 {
        "the file could not be indexed; the line above says why".to_owned()
    } else {
        format!("none of the {failed} files could be indexed; the lines above say why")
    }
}

fn summary(report: &IndexReport) -> String {
    let tracks = |count: usize| {
        if count == 1 {
            "1 track".to_owned()
        } else {
            format!("{count} tracks")
        }
    };
    if report.indexed + report.unchanged + report.failed.len() == 0 {
        return "No sound or video file was found.\n".to_owned();
    }
    let mut text = format!("{} indexed ({} windows)", tracks(report.indexed), report.windows);
    if report.unchanged > 0 {
        text += &format!(", {} unchanged", report.unchanged);
    }
    if !report.failed.is_empty() {
        text += &format!(", {} failed", report.failed.len());
    }
    text + "\n"
}
