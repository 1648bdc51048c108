//! The timeline: pictures, the three sounds with their switches, the window asked for, ducking and the playhead.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, Painter, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};

use super::Commands;
use crate::app::command::Command;
use crate::app::session::{Candidate, Clip, ClipSound, Lane, State};
use crate::app::theme::{self, Tokens};
use crate::app::widgets::icon::letter_switch;
use crate::app::widgets::{level_meter, waveform};
use crate::library::TrackId;
use crate::mix::DuckingCurve;
use crate::words;

/// Width of the column with names and switches.
const NAMES: f32 = 118.0;
const RULER: f32 = 30.0;
const STRIP: f32 = 34.0;
/// Below this height of the panel, the pictures give way.
const STRIP_FROM: f32 = 200.0;
/// Depth that the ducking curve shows, dB.
const DUCK_DB: f32 = 18.0;

/// Where a time is on the screen.
#[derive(Clone, Copy)]
struct Scale {
    area: Rect,
    duration_s: f64,
}

impl Scale {
    fn x(&self, time_s: f64) -> f32 {
        let part = if self.duration_s > 0.0 {
            (time_s / self.duration_s) as f32
        } else {
            0.0
        };
        self.area.left() + self.area.width() * part
    }

    fn time_s(&self, x: f32) -> f64 {
        let part = ((x - self.area.left()) / self.area.width()).clamp(0.0, 1.0);
        f64::from(part) * self.duration_s
    }
}

pub(super) fn timeline_ui(ui: &mut Ui, state: &State, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let panel = ui.max_rect();
    ui.expand_to_include_rect(panel);
    ui.painter()
        .hline(panel.x_range(), panel.top(), Stroke::new(1.0, tokens.line));
    let Some(clip) = state.clip.as_ref().filter(|clip| clip.info.is_some()) else {
        let text = if state.clip.is_some() {
            ""
        } else {
            "Voice, original music and candidate appear here"
        };
        ui.painter().text(
            panel.center(),
            Align2::CENTER_CENTER,
            text,
            theme::body(),
            tokens.muted,
        );
        return;
    };
    let area = Rect::from_min_max(
        pos2(panel.left() + NAMES, panel.top()),
        panel.max - vec2(12.0, 6.0),
    );
    let scale = Scale {
        area,
        duration_s: state.transport.duration_s.max(clip.duration_s()),
    };

    let strip = if panel.height() >= STRIP_FROM && !clip.thumbnails.is_empty() {
        STRIP
    } else {
        0.0
    };
    let top = panel.top() + RULER + strip;
    let lane_height = ((area.bottom() - top) / 3.0).max(24.0);
    pointer_ui(ui, scale, commands);
    ruler(ui.painter(), scale, panel.top(), tokens);
    window_bar(ui.painter(), scale, state, panel.top(), tokens);
    thumbnails(
        ui,
        clip,
        Rect::from_x_y_ranges(area.x_range(), panel.top() + RULER..=top - 4.0),
    );
    let candidate = state.candidate();
    for (at, lane) in Lane::ALL.into_iter().enumerate() {
        let lane_top = top + lane_height * at as f32;
        let rect =
            Rect::from_x_y_ranges(area.x_range(), lane_top..=lane_top + lane_height).shrink2(vec2(0.0, 3.0));
        let names = Rect::from_x_y_ranges(panel.left() + 10.0..=area.left() - 8.0, rect.y_range());
        lane_names(ui, lane, names, state, candidate.as_ref(), commands);
        lane_content(ui, lane, rect, scale, clip, state, candidate.as_ref());
    }
    marks(ui.painter(), scale, state, tokens);
    let x = scale.x(state.transport.position_s);
    ui.painter()
        .vline(x, panel.y_range(), Stroke::new(2.0, tokens.accent));
}

/// Click and drag move the clock.
fn pointer_ui(ui: &mut Ui, scale: Scale, commands: &mut Commands) {
    let response = ui.interact(
        scale.area,
        ui.scope_id().with("timeline"),
        Sense::click_and_drag(),
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, "Timeline"));
    theme::focus_ring(ui, scale.area, &response);
    if let Some(at) = response
        .interact_pointer_pos()
        .filter(|_| response.dragged() || response.clicked())
    {
        commands.push(Command::Seek(scale.time_s(at.x)));
    }
    if response.double_clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        commands.push(Command::SetWindow(scale.time_s(at.x)));
    }
    response.context_menu(|ui| {
        ui.set_min_width(260.0);
        for command in [
            Command::WindowFromPlayhead,
            Command::WindowFromMark,
            Command::MarkIn,
            Command::MarkOut,
            Command::ClearMarks,
        ] {
            let listed = crate::app::command::LISTED
                .iter()
                .find(|listed| listed.command == command);
            if ui.button(listed.map_or("", |listed| listed.label)).clicked() {
                commands.push(command);
                ui.close();
            }
        }
    });
}

/// Seconds between two labels, so that they stand at least this many points apart.
fn ruler_step_s(duration_s: f64, width: f32) -> f64 {
    const STEPS: [f64; 14] = [
        1.0, 2.0, 4.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
    ];
    let least = f64::from(72.0 / width.max(1.0)) * duration_s;
    STEPS.into_iter().find(|step| *step >= least).unwrap_or(3600.0)
}

fn ruler(painter: &Painter, scale: Scale, top: f32, tokens: &Tokens) {
    let step_s = ruler_step_s(scale.duration_s, scale.area.width());
    let mut at_s = 0.0;
    while at_s < scale.duration_s {
        let x = scale.x(at_s);
        painter.vline(x, top + 10.0..=top + 24.0, Stroke::new(1.0, tokens.line));
        if x + 40.0 < scale.area.right() {
            let text = words::clock(at_s);
            painter.text(
                pos2(x + 5.0, top + 17.0),
                Align2::LEFT_CENTER,
                text,
                theme::small(),
                tokens.muted,
            );
        }
        at_s += step_s;
    }
}

/// The 32 s that music is suggested for.
fn window_bar(painter: &Painter, scale: Scale, state: &State, top: f32, tokens: &Tokens) {
    let start = scale.x(state.history.edit().window_start_s);
    let end = scale.x(state.window_end_s());
    let bar = Rect::from_x_y_ranges(start..=end.max(start + 3.0), top + 2.0..=top + 6.0);
    painter.rect_filled(bar, 2.0, tokens.accent.gamma_multiply(0.5));
}

fn thumbnails(ui: &Ui, clip: &Clip, strip: Rect) {
    let count = clip.thumbnails.len();
    if strip.height() < 8.0 || count == 0 {
        return;
    }
    let painter = ui.painter().with_clip_rect(strip.intersect(ui.clip_rect()));
    let size = clip.thumbnails[0].size_vec2();
    let tile = (strip.height() * size.x / size.y.max(1.0)).max(8.0);
    let tiles = (strip.width() / tile).ceil() as usize;
    for at in 0..tiles {
        let left = strip.left() + at as f32 * tile;
        let part = (left + tile / 2.0 - strip.left()) / strip.width();
        let texture = &clip.thumbnails[((part * count as f32) as usize).min(count - 1)];
        let rect = Rect::from_min_size(pos2(left, strip.top()), vec2(tile, strip.height()));
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture.id(), rect, whole, Color32::WHITE.gamma_multiply(0.85));
    }
}

fn lane_colour(lane: Lane, tokens: &Tokens) -> Color32 {
    match lane {
        Lane::Voice => tokens.voice,
        Lane::Original => tokens.original,
        Lane::Candidate => tokens.accent,
    }
}

fn lane_names(
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
    if letter_switch(ui, at(0.0), "S", &format!("Solo {}", lane.word()), solo).clicked() {
        commands.push(Command::SetSolo(lane.solo()));
    }
    if letter_switch(ui, at(22.0), "M", &format!("Mute {}", lane.word()), muted).clicked() {
        commands.push(Command::SetMuted(lane, !muted));
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

fn lane_content(
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
    let silent = match lane {
        Lane::Voice => mix.voice_muted,
        Lane::Original => mix.original_muted,
        Lane::Candidate => mix.candidate_muted,
    } || (state.solo != crate::mix::Solo::None && state.solo != lane.solo());
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
            None => say("Arrow down listens to the first suggestion", tokens.muted),
        },
        Lane::Voice | Lane::Original => match &clip.sound {
            ClipSound::Separated(stems) => {
                let peaks = if lane == Lane::Voice {
                    &stems.voice_peaks
                } else {
                    &stems.original_peaks
                };
                waveform::paint(
                    ui.painter(),
                    rect,
                    |from, to| waveform::between(peaks, from, to),
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
    let place = |part: f32| (candidate.in_point_s + f64::from(part) * scale.duration_s) / length_s;
    waveform::paint(
        ui.painter(),
        rect,
        |from, to| {
            // The track starts over where the clip outlasts it.
            let from_part = place(from).rem_euclid(1.0) as f32;
            waveform::of_track(peaks, from_part, from_part + (place(to) - place(from)) as f32)
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
        let step = (f64::from(part) * scale.duration_s / DuckingCurve::STEP_S) as usize;
        let gain_db = curve.gain_db[step.min(curve.gain_db.len() - 1)];
        let down = (-gain_db / DUCK_DB).clamp(0.0, 1.0);
        pos2(
            rect.left() + rect.width() * part,
            lane.top() + lane.height() * down,
        )
    });
    painter.add(Shape::line(points.collect(), Stroke::new(1.5, tokens.text)));
}

fn marks(painter: &Painter, scale: Scale, state: &State, tokens: &Tokens) {
    let marks = state.history.edit().marks;
    if let (Some(in_s), Some(out_s)) = (marks.in_s, marks.out_s) {
        let span = Rect::from_x_y_ranges(scale.x(in_s)..=scale.x(out_s), scale.area.y_range());
        painter.rect_filled(span, 0.0, tokens.accent.gamma_multiply(0.06));
    }
    for (at_s, letter) in [(marks.in_s, "I"), (marks.out_s, "O")] {
        let Some(at_s) = at_s else { continue };
        let x = scale.x(at_s);
        painter.vline(x, scale.area.y_range(), Stroke::new(1.0, tokens.muted));
        let flag = if letter == "I" {
            pos2(x, scale.area.top() + 8.0)
        } else {
            pos2(x - 12.0, scale.area.top() + 8.0)
        };
        let flag = Rect::from_min_size(flag, vec2(12.0, 14.0));
        painter.rect(
            flag,
            CornerRadius::same(2),
            tokens.muted,
            Stroke::NONE,
            StrokeKind::Inside,
        );
        painter.text(
            flag.center(),
            Align2::CENTER_CENTER,
            letter,
            egui::FontId::proportional(10.0),
            tokens.panel,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_on_the_ruler_keep_their_distance() {
        for (duration_s, width, expected) in
            [(33.0, 670.0, 4.0), (600.0, 670.0, 120.0), (7200.0, 670.0, 900.0)]
        {
            assert_eq!(ruler_step_s(duration_s, width), expected);
        }
    }

    #[test]
    fn times_and_places_match() {
        let scale = Scale {
            area: Rect::from_min_size(pos2(100.0, 0.0), vec2(200.0, 10.0)),
            duration_s: 50.0,
        };
        assert_eq!(scale.x(25.0), 200.0);
        assert_eq!(scale.time_s(200.0), 25.0);
        assert_eq!(scale.time_s(0.0), 0.0);
    }
}
