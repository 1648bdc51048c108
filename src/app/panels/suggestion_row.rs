//! One suggested track: what, how well, from where, and why.

use eframe::egui::{
    self, Align2, Color32, EventFilter, FontId, Id, Painter, Rect, Role, Sense, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};

use super::Commands;
use crate::app::command::Command;
use crate::app::session::{State, WINDOW_S};
use crate::app::theme::{self, Tokens};
use crate::app::widgets::icon::{self, Icon, icon_button_at};
use crate::app::widgets::{score_bar, waveform};
use crate::engine::suggest::Suggestion;
use crate::library::{Track, TrackId};
use crate::mix::heard_at_s;
use crate::words;

pub(super) const HEIGHT: f32 = 93.0;
/// Where the row's content starts, right of the rank.
const INDENT: f32 = 36.0;
const EDGE: f32 = 14.0;

/// Draws the row; returns whether it has the keyboard's focus.
pub(super) fn row_ui(ui: &mut Ui, rect: Rect, at: usize, state: &State, commands: &mut Commands) -> bool {
    let Some(suggestion) = state.suggestions.rows.get(at) else {
        return false;
    };
    let id = TrackId(suggestion.track_id);
    let track = state.library.track(id);
    let selected = state.suggestions.selected == Some(at);
    let picked = state
        .history
        .edit()
        .pick
        .as_ref()
        .is_some_and(|pick| pick.track_id == suggestion.track_id);

    let response = ui.interact(rect, Id::unique(("suggestion", at)), Sense::click());
    response.widget_info(|| {
        WidgetInfo::selected(Role::ListBoxOption, true, selected, spoken(at, suggestion, track))
    });
    if response.double_clicked() {
        commands.push(Command::Use(at));
    } else if response.clicked() {
        commands.push(Command::Audition(at));
    }
    let focus = response.has_focus();
    if focus {
        let arrows = EventFilter {
            vertical_arrows: true,
            horizontal_arrows: true,
            ..EventFilter::default()
        };
        ui.ctx()
            .memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    }

    let sounds = state
        .candidate()
        .is_some_and(|candidate| candidate.track_id == suggestion.track_id);
    paint(
        ui,
        rect,
        &Row {
            at,
            suggestion,
            track,
            selected,
            picked,
            sounds,
            hovered: response.hovered(),
        },
        state,
    );
    theme::focus_ring(ui, rect, &response);
    buttons_ui(ui, rect, at, suggestion, track, commands);
    response.context_menu(|ui| menu_ui(ui, at, id, track, commands));
    focus
}

/// The whole row in words, as a screen reader says it and a test finds it.
fn spoken(at: usize, suggestion: &Suggestion, track: Option<&Track>) -> String {
    let artist = track
        .and_then(|track| track.artist.as_deref())
        .map(|artist| format!(" by {artist}"));
    format!(
        "{} {}{}, score {:.2}, from {}, {}, {}",
        at + 1,
        suggestion.title,
        artist.unwrap_or_default(),
        suggestion.score,
        words::clock(suggestion.start_s),
        suggestion.why.words,
        score_bar::words(&suggestion.why)
    )
}

struct Row<'a> {
    at: usize,
    suggestion: &'a Suggestion,
    track: Option<&'a Track>,
    selected: bool,
    picked: bool,
    sounds: bool,
    hovered: bool,
}

fn paint(ui: &Ui, rect: Rect, row: &Row<'_>, state: &State) {
    let tokens = theme::tokens(ui);
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    if row.selected {
        painter.rect_filled(rect, 0.0, tokens.selected);
        let edge = Rect::from_min_size(rect.min, vec2(3.0, rect.height()));
        painter.rect_filled(edge, 0.0, tokens.accent);
    } else if row.hovered {
        painter.rect_filled(rect, 0.0, tokens.raised);
    }
    painter.hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, tokens.line));
    let (left, right) = (rect.left() + INDENT, rect.right() - EDGE);

    let line = rect.top() + 18.0;
    if row.picked {
        icon::paint(
            &painter,
            pos2(rect.left() + 18.0, line),
            Icon::Tick,
            tokens.accent,
        );
    } else {
        let rank = (row.at + 1).to_string();
        painter.text(
            pos2(rect.left() + 18.0, line),
            Align2::CENTER_CENTER,
            rank,
            theme::body(),
            tokens.dim,
        );
    }
    title(&painter, left, line, right - 94.0, row, tokens);
    let score = format!("{:.2}", row.suggestion.score).replace('-', "−");
    painter.text(
        pos2(right, line),
        Align2::RIGHT_CENTER,
        score,
        theme::body(),
        tokens.muted,
    );

    let wave = Rect::from_min_max(
        pos2(left, rect.top() + 30.0),
        pos2(right - 36.0, rect.top() + 50.0),
    );
    moment(&painter, wave, row, state, tokens);

    let line = rect.top() + 61.0;
    let moment = format!("from {}", words::clock(row.suggestion.start_s));
    play_sign(&painter, pos2(left + 3.0, line), tokens.accent);
    let end = painter
        .text(
            pos2(left + 11.0, line),
            Align2::LEFT_CENTER,
            moment,
            theme::small(),
            tokens.accent,
        )
        .right();
    let grey = row.suggestion.why.words.replace(", ", " · ");
    text_within(
        &painter,
        pos2(end + 10.0, line),
        right,
        &grey,
        theme::small(),
        tokens.muted,
    );

    let line = rect.top() + 78.0;
    let bar = Rect::from_min_size(pos2(left, line - 2.5), vec2(96.0, 5.0));
    score_bar::paint(&painter, bar, &row.suggestion.why, tokens);
    let shares = score_bar::words(&row.suggestion.why);
    let length = words::clock(row.suggestion.duration_s);
    let singing = if row.suggestion.has_vocals {
        " · singing"
    } else {
        ""
    };
    let text = format!("{shares}  ·  {length}{singing}");
    text_within(
        &painter,
        pos2(bar.right() + 8.0, line),
        right,
        &text,
        theme::small(),
        tokens.dim,
    );
}

fn play_sign(painter: &Painter, at: egui::Pos2, colour: Color32) {
    let points = vec![at + vec2(-2.5, -3.5), at + vec2(3.5, 0.0), at + vec2(-2.5, 3.5)];
    painter.add(egui::Shape::convex_polygon(points, colour, Stroke::NONE));
}

/// Title and artist on one line, cut where the buttons begin.
fn title(painter: &Painter, left: f32, middle: f32, right: f32, row: &Row<'_>, tokens: &Tokens) {
    let mut job = egui::text::LayoutJob::default();
    let format = |font, colour| egui::TextFormat {
        font_id: font,
        color: colour,
        ..egui::TextFormat::default()
    };
    job.append(&row.suggestion.title, 0.0, format(theme::strong(), tokens.text));
    if let Some(artist) = row.track.and_then(|track| track.artist.as_deref()) {
        job.append(artist, 6.0, format(theme::body(), tokens.muted));
    }
    job.wrap = egui::text::TextWrapping::truncate_at_width(right - left);
    let galley = painter.layout_job(job);
    painter.galley(pos2(left, middle - galley.size().y / 2.0), galley, tokens.text);
}

/// The track's waveform with its best moment as a box, and where it plays.
fn moment(painter: &Painter, wave: Rect, row: &Row<'_>, state: &State, tokens: &Tokens) {
    let length_s = row.suggestion.duration_s.max(0.001);
    let x = |time_s: f64| wave.left() + wave.width() * (time_s / length_s).clamp(0.0, 1.0) as f32;
    let end_s = row.suggestion.start_s + WINDOW_S;
    let frame = Rect::from_x_y_ranges(x(row.suggestion.start_s)..=x(end_s), wave.y_range());
    painter.rect_filled(frame, 3.0, tokens.tint());
    let lit = row.selected || row.sounds;
    let peaks = row.track.map_or(&[][..], |track| &track.peaks);
    let colour = if lit { tokens.accent } else { tokens.wave };
    let inner = wave.shrink2(vec2(0.0, 1.5));
    waveform::paint(
        painter,
        inner,
        |from, to| waveform::of_track(peaks, from, to),
        |_| colour,
    );
    painter.rect_stroke(
        frame,
        3.0,
        Stroke::new(1.0, tokens.tint_edge()),
        StrokeKind::Inside,
    );
    if row.sounds
        && let Some(candidate) = state.candidate()
        && let Some(heard_s) = heard_at_s(candidate.in_point_s, length_s, state.transport.position_s)
    {
        painter.vline(
            x(heard_s),
            wave.expand2(vec2(0.0, 1.0)).y_range(),
            Stroke::new(1.5, tokens.text),
        );
    }
}

fn text_within(painter: &Painter, at: egui::Pos2, right: f32, text: &str, font: FontId, colour: Color32) {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width((right - at.x).max(0.0));
    let galley = painter.layout_job(job);
    painter.galley(pos2(at.x, at.y - galley.size().y / 2.0), galley, colour);
}

fn buttons_ui(
    ui: &mut Ui,
    rect: Rect,
    at: usize,
    suggestion: &Suggestion,
    track: Option<&Track>,
    commands: &mut Commands,
) {
    let right = rect.right() - EDGE;
    let place = |from_right: f32| {
        Rect::from_center_size(pos2(right - from_right, rect.top() + 18.0), vec2(24.0, 24.0))
    };
    let id = TrackId(suggestion.track_id);
    let favourite = track.is_some_and(|track| track.favourite);
    let (icon, label) = if favourite {
        (
            Icon::HeartFull,
            format!("Remove {} from the favourites", suggestion.title),
        )
    } else {
        (Icon::Heart, format!("Make {} a favourite", suggestion.title))
    };
    if icon_button_at(ui, place(78.0), at, icon, &label).clicked() {
        commands.push(Command::SetFavourite(id, !favourite));
    }
    let more = icon_button_at(
        ui,
        place(54.0),
        at,
        Icon::More,
        &format!("More about {}", suggestion.title),
    );
    egui::Popup::menu(&more)
        .align(egui::RectAlign::BOTTOM_END)
        .show(|ui| menu_ui(ui, at, id, track, commands));
}

fn menu_ui(ui: &mut Ui, at: usize, id: TrackId, track: Option<&Track>, commands: &mut Commands) {
    ui.set_min_width(240.0);
    let mut item = |ui: &mut Ui, label: &str, command: Command| {
        if ui.button(label).clicked() {
            commands.push(command);
            ui.close();
        }
    };
    item(ui, "Listen", Command::Audition(at));
    item(ui, "Use this music", Command::Use(at));
    let favourite = track.is_some_and(|track| track.favourite);
    let label = if favourite {
        "Remove from the favourites"
    } else {
        "Make it a favourite"
    };
    item(ui, label, Command::SetFavourite(id, !favourite));
    item(ui, "Hide from suggestions", Command::SetHidden(id, true));
    if let Some(track) = track {
        ui.separator();
        if let Some(licence) = &track.licence {
            ui.label(theme::small_text(licence).color(theme::tokens(ui).muted));
        }
        ui.label(theme::small_text(track.path.display().to_string()).color(theme::tokens(ui).dim));
    }
}
