//! What is known of each video: what the check saw, what a run heard, and who is left out and why.

use std::collections::HashMap;

use eframe::egui::{self, Ui};

use crate::app::session::State;
use crate::app::theme;
use crate::engine::corpus::CheckedItem;
use crate::engine::fine_tune::{Source, Understood};
use crate::words;

/// What the corpus holds and, once a run has listened to it, what was heard in each video; and what is left out.
pub(super) fn understood_ui(ui: &mut Ui, state: &State) {
    let training = &state.training;
    let checked = training.corpus.as_ref().map_or(&[][..], |corpus| &corpus.items);
    let count = checked.len().max(training.understood.len());
    if count > 0 {
        egui::CollapsingHeader::new(format!("{} understood", words::count(count, "video")))
            .id_salt("understood")
            .show(ui, |ui| {
                for line in understood_lines(checked, &training.understood) {
                    ui.label(theme::small_text(line).color(theme::tokens(ui).muted));
                }
            });
    }
    let rejected = match (&training.report, &training.corpus) {
        (Some(report), _) => &report.rejected,
        (None, Some(corpus)) => &corpus.rejected,
        (None, None) => return,
    };
    if !rejected.is_empty() {
        let title = format!("{} left out, and why", words::count(rejected.len(), "video"));
        egui::CollapsingHeader::new(title)
            .id_salt("rejected")
            .show(ui, |ui| {
                for (id, reason) in rejected {
                    ui.label(theme::small_text(format!("{id}: {reason}")).color(theme::tokens(ui).muted));
                }
            });
    }
}

/// A line for each video; a run of a corpus that was not looked over here has only what it heard.
fn understood_lines(checked: &[CheckedItem], understood: &[Understood]) -> Vec<String> {
    let heard: HashMap<&str, &Understood> = understood.iter().map(|item| (item.id.as_str(), item)).collect();
    if checked.is_empty() {
        return understood
            .iter()
            .map(|item| format!("{}: {}", item.id, heard_words(item).join(", ")))
            .collect();
    }
    checked
        .iter()
        .map(|item| {
            let mut parts = vec![words::clock(item.duration_s)];
            parts.extend(match heard.get(item.id.as_str()) {
                Some(heard) => heard_words(heard),
                None => checked_words(item),
            });
            format!("{}: {}", item.id, parts.join(", "))
        })
        .collect()
}

/// What can be said before a run.
fn checked_words(item: &CheckedItem) -> Vec<String> {
    let mut parts = vec![match item.split.as_str() {
        "train" => format!("{} to learn from", words::count(item.cuts, "cut")),
        "val" => "held out".to_owned(),
        _ => "kept for the test".to_owned(),
    }];
    if !item.picture {
        parts.push("no picture".to_owned());
    }
    if item.clean_voice && item.clean_bgm {
        parts.push("clean stems".to_owned());
    }
    parts.extend(item.remark.clone());
    parts
}

/// What a run heard.
fn heard_words(item: &Understood) -> Vec<String> {
    let mut parts = vec![if item.held_out {
        "held out".to_owned()
    } else {
        words::count(item.cuts, "cut")
    }];
    if !item.picture {
        parts.push("no picture".to_owned());
    }
    let voice = match item.voice_from {
        Source::Separated | Source::Library => "voice separated",
        Source::Clean => "clean voice",
    };
    parts.push(match item.voices {
        0 => "no voice-over".to_owned(),
        all if all == item.cuts => voice.to_owned(),
        some => format!("{voice}, in {some} of {}", item.cuts),
    });
    parts.push(
        match item.music_from {
            Source::Separated => "music separated",
            Source::Clean => "clean music",
            Source::Library => "music known from the library",
        }
        .to_owned(),
    );
    parts
}
