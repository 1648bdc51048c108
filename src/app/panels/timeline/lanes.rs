//! The three sounds: name, switches, level, waveform, and how the music is ducked.

use eframe::egui::{self, Align2, Color32, Painter, Rect, Shape, Stroke, Ui, pos2, vec2};

use super::scale::Scale;
use crate::app::command::Command;
use crate::app::panels::Commands;
use crate::app::session::{Candidate, Clip, ClipSound, Lane, State};
use crate::app::theme::{self, Tokens};
use crate::app::widgets::icon::letter_switch;
use crate::app::widgets::{level_meter, waveform};
use crate::library::TrackId;
use crate::mix::{DuckingCurve, Solo, heard_at_s};

/// Depth that the ducking curve shows, dB.
const DUCK_DB: f32 = 18.0;

fn lane_colour(lane: Lane, tokens: &Tokens) -> Color32 {
    match lane {
        Lane::Voice => tokens.voice,
        Lane::Original => tokens.original,
        Lane::Candidate => tokens.accent,
    }
}

/// What the lane is, its switches, level and meter.
pub(super) fn lane_names(
    ui: &mut Ui,
    lane: Lane,
    names: Rect,
    state: &State,
    candidate: Option<&Candidate>,
    commands: &mut Commands,
) {
    let tokens = theme::tokens(ui);
    let (text, level) = match lane {
        Lane::Voice => ("Voice", state.transport.levels[0]),
        Lane::Original => ("Original music", state.transport.levels[1]),
        Lane::Candidate => (
            candidate.map_or("Candidate", |candidate| &candidate.title),
            state.transport.levels[2],
        ),
    };
    let middle = names.center().y;
    let painter = ui.painter().with_clip_rect(names.intersect(ui.clip_rect()));
    let mut job = egui::text::LayoutJob::simple_singleline(
        text.to_owned(),
        eframe::egui::FontId::new(11.5, theme::strong().family),
        lane_colour(lane, tokens),
    );
    job.wrap = egui::text::TextWrapping::truncate_at_width(names.width() - 10.0);
    let galley = painter.layout_job(job);
    painter.galley(pos2(names.left(), middle - 16.0), galley, tokens.text);

    let mix = &state.history.edit().mix;
    let muted = match lane {
        Lane::Voice => mix.voice_muted,
        Lane::Original => mix.original_muted,
        Lane::Candidate => mix.candidate_muted,
    };
    let at = |column: f32| Rect::from_min_size(pos2(names.left() + column, middle + 2.0), vec2(18.0, 14.0));
    let solo = state.solo == lane.solo();
    let label = format!("Solo {}", lane.word());
    let command = Command::SetSolo(lane.solo());
    if letter_switch(ui, at(0.0), "S", &label, solo, &command).clicked() {
        commands.push(command);
    }
    let label = format!("Mute {}", lane.word());
    let command = Command::ToggleMute(lane);
    if letter_switch(ui, at(22.0), "M", &label, muted, &command).clicked() {
        commands.push(command);
    }
    gain_ui(
        ui,
        lane,
        Rect::from_min_size(pos2(names.left() + 44.0, middle + 2.0), vec2(46.0, 14.0)),
        state,
        commands,
    );
    let meter = Rect::from_x_y_ranges(names.right() - 3.0..=names.right(), names.shrink(3.0).y_range());
    level_meter::lane_meter(ui, meter, level, lane_colour(lane, tokens));
}

/// The lane's level in dB: drag, double-click to type.
fn gain_ui(ui: &mut Ui, lane: Lane, rect: Rect, state: &State, commands: &mut Commands) {
    let mix = &state.history.edit().mix;
    let mut gain_db = match lane {
        Lane::Voice => mix.voice_gain_db,
        Lane::Original => mix.original_gain_db,
        Lane::Candidate => mix.candidate.gain_db,
    };
    let mut child = ui.new_child(
        egui::UiBuilder::new()
            .max_rect(rect)
            .id_salt(("gain", lane.word())),
    );
    let style = child.style_mut();
    style.spacing.interact_size = rect.size();
    style.spacing.button_padding = vec2(3.0, 0.0);
    style.override_font_id = Some(egui::FontId::proportional(10.0));
    let number = egui::DragValue::new(&mut gain_db)
        .range(-30.0..=12.0)
        .speed(0.1)
        .fixed_decimals(1)
        .suffix(" dB");
    let label = format!("Level of {}", lane.word());
    if child
        .add(number)
        .on_hover_text(&label)
        .accessible_name(label)
        .changed()
    {
        commands.push(Command::SetGain(lane, gain_db));
    }
}

/// The lane's sound over time.
pub(super) fn lane_content(
    ui: &Ui,
    lane: Lane,
    rect: Rect,
    scale: Scale,
    clip: &Clip,
    state: &State,
    candidate: Option<&Candidate>,
) {
    let tokens = theme::tokens(ui);
    let mix = &state.history.edit().mix;
    // As the mix has it: what is solo is heard though it be muted.
    let silent = match (state.solo, lane) {
        (Solo::None, Lane::Voice) => mix.voice_muted,
        (Solo::None, Lane::Original) => mix.original_muted,
        (Solo::None, Lane::Candidate) => mix.candidate_muted,
        (solo, lane) => solo != lane.solo(),
    };
    let colour = lane_colour(lane, tokens).gamma_multiply(if silent { 0.4 } else { 1.0 });
    let say = |text: &str, colour: Color32| {
        let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
        painter.text(
            rect.left_center() + vec2(4.0, 0.0),
            Align2::LEFT_CENTER,
            text,
            theme::small(),
            colour,
        );
    };
    match lane {
        Lane::Candidate => match candidate {
            Some(candidate) => candidate_content(ui, rect, scale, candidate, state, colour),
            None if state.suggestions.rows.is_empty() => {
                say("The music you listen to appears here", tokens.muted);
            }
            None => say("Arrow down listens to the first suggestion", tokens.muted),
        },
        Lane::Voice | Lane::Original => match &clip.sound {
            ClipSound::Separated(stems) if lane == Lane::Voice && stems.levels.lufs.is_none() => {
                say("No voice was heard in this video", tokens.muted);
            }
            ClipSound::Separated(stems) => {
                let peaks = if lane == Lane::Voice {
                    &stems.voice_peaks
                } else {
                    &stems.original_peaks
                };
                // The sound may end before the picture does.
                let length_s = stems.files.duration_s.max(1e-6);
                let place = |part| (scale.time_at(part) / length_s) as f32;
                waveform::paint(
                    ui.painter(),
                    rect,
                    |from, to| waveform::between(peaks, place(from), place(to)),
                    |_| colour,
                );
            }
            ClipSound::Failed(sentence) if lane == Lane::Voice => say(sentence, tokens.error),
            ClipSound::Silent if lane == Lane::Voice => say("This video has no sound", tokens.muted),
            ClipSound::Separating if lane == Lane::Voice => {
                say(
                    "Separating voice and music; the whole sound is heard until then",
                    tokens.muted,
                );
            }
            _ => {}
        },
    }
}

fn candidate_content(
    ui: &Ui,
    rect: Rect,
    scale: Scale,
    candidate: &Candidate,
    state: &State,
    colour: Color32,
) {
    let tokens = theme::tokens(ui);
    let peaks = state
        .library
        .track(TrackId(candidate.track_id))
        .map_or(&[][..], |track| &track.peaks);
    let length_s = candidate.duration_s.max(0.001);
    waveform::paint(
        ui.painter(),
        rect,
        |from, to| {
            let (from_s, to_s) = (scale.time_at(from), scale.time_at(to));
            heard_at_s(candidate.in_point_s, length_s, from_s).map_or(0.0, |heard_s| {
                let part = |track_s: f64| (track_s / length_s) as f32;
                waveform::of_track(peaks, part(heard_s), part(heard_s + to_s - from_s))
            })
        },
        |_| colour,
    );
    if state.candidate_loading {
        let at = rect.left_center() + vec2(4.0, 0.0);
        ui.painter().text(
            at,
            Align2::LEFT_CENTER,
            "Reading the track…",
            theme::small(),
            tokens.muted,
        );
    }
    ducking_line(ui.painter(), rect, scale, &state.ducking, tokens);
}

/// The gain of the music over time: up is unchanged.
fn ducking_line(painter: &Painter, rect: Rect, scale: Scale, curve: &DuckingCurve, tokens: &Tokens) {
    if curve.gain_db.len() < 2 {
        return;
    }
    let columns = (rect.width() / 2.0) as usize;
    let lane = rect.shrink2(vec2(0.0, 5.0));
    let points = (0..=columns).map(|column| {
        let part = column as f32 / columns.max(1) as f32;
        let step = (scale.time_at(part) / DuckingCurve::STEP_S) as usize;
        let gain_db = curve.gain_db[step.min(curve.gain_db.len() - 1)];
        let down = (-gain_db / DUCK_DB).clamp(0.0, 1.0);
        pos2(
            rect.left() + rect.width() * part,
            lane.top() + lane.height() * down,
        )
    });
    painter.add(Shape::line(points.collect(), Stroke::new(1.5, tokens.text)));
}
