//! The timeline: pictures, the three sounds with their switches, the window asked for, ducking and the playhead.

mod lanes;
mod scale;

use eframe::egui::{Align2, EventFilter, Key, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::Commands;
use crate::app::command::{Command, LISTED, Look};
use crate::app::session::{Lane, State};
use crate::app::theme;
use crate::words;
use scale::Scale;

/// Width of the column with names and switches.
const NAMES: f32 = 118.0;
const RULER: f32 = 30.0;
const STRIP: f32 = 34.0;
/// Below this height of the panel, the pictures give way.
const STRIP_FROM: f32 = 200.0;
/// Height of the bar that shows which part of the clip is in sight.
const SCROLL_BAR: f32 = 7.0;

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
    let duration_s = state.clip_length_s();
    let (start_s, span_s) = state.view.shown(duration_s);
    let is_part = state.view.is_part(duration_s);
    let area = Rect::from_min_max(
        pos2(panel.left() + NAMES, panel.top()),
        panel.max - vec2(12.0, if is_part { 6.0 + SCROLL_BAR } else { 6.0 }),
    );
    let scale = Scale {
        area,
        start_s,
        span_s,
        duration_s,
    };

    let strip = if panel.height() >= STRIP_FROM && !clip.thumbnails.is_empty() {
        STRIP
    } else {
        0.0
    };
    let top = panel.top() + RULER + strip;
    let lane_height = ((area.bottom() - top) / 3.0).max(24.0);
    pointer_ui(ui, scale, state, commands);
    let painter = ui
        .painter()
        .with_clip_rect(Rect::from_x_y_ranges(area.x_range(), panel.y_range()).intersect(ui.clip_rect()));
    scale::ruler(&painter, scale, panel.top(), tokens);
    scale::window_bar(&painter, scale, state, panel.top(), tokens);
    scale::thumbnails(
        &painter,
        clip,
        scale,
        Rect::from_x_y_ranges(area.x_range(), panel.top() + RULER..=top - 4.0),
    );
    let candidate = state.candidate();
    for (at, lane) in Lane::ALL.into_iter().enumerate() {
        let lane_top = top + lane_height * at as f32;
        let rect =
            Rect::from_x_y_ranges(area.x_range(), lane_top..=lane_top + lane_height).shrink2(vec2(0.0, 3.0));
        let names = Rect::from_x_y_ranges(panel.left() + 10.0..=area.left() - 8.0, rect.y_range());
        lanes::lane_names(ui, lane, names, state, candidate.as_ref(), commands);
        lanes::lane_content(ui, lane, rect, scale, clip, state, candidate.as_ref());
    }
    scale::marks(&painter, scale, state, tokens);
    if is_part {
        let bar = Rect::from_x_y_ranges(
            area.x_range(),
            panel.bottom() - SCROLL_BAR - 3.0..=panel.bottom() - 3.0,
        );
        scroll_bar_ui(ui, bar, scale, commands);
    }
    if scale.shows(state.transport.position_s) {
        let x = scale.x(state.transport.position_s);
        ui.painter()
            .vline(x, panel.y_range(), Stroke::new(2.0, tokens.accent));
    }
}

/// Click and drag move the clock, the wheel moves and magnifies what is shown, arrows on the focused timeline step.
fn pointer_ui(ui: &mut Ui, scale: Scale, state: &State, commands: &mut Commands) {
    let response = ui.interact(
        scale.area,
        ui.scope_id().with("timeline"),
        Sense::click_and_drag(),
    );
    response.widget_info(|| WidgetInfo {
        value: Some(state.transport.position_s),
        ..WidgetInfo::labeled(Role::Slider, true, "Timeline")
    });
    theme::focus_ring(ui, scale.area, &response);
    if response.has_focus() {
        let arrows = EventFilter {
            horizontal_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        for (key, command) in [
            (Key::ArrowLeft, Command::PreviousFrame),
            (Key::ArrowRight, Command::NextFrame),
        ] {
            if ui.input(|input| input.key_pressed(key)) {
                commands.push(command);
            }
        }
    }
    let pointer = response.interact_pointer_pos();
    if let Some(at) = pointer.filter(|_| response.dragged() || response.clicked()) {
        commands.push(Command::Seek(scale.time_s(at.x)));
    }
    if response.double_clicked()
        && let Some(at) = pointer
    {
        commands.push(Command::SetWindow(scale.time_s(at.x)));
    }
    if let Some(at) = response.hover_pos() {
        let (zoom, scroll) = ui.input(|input| (input.zoom_delta(), input.smooth_scroll_delta()));
        let by = if scroll.x.abs() > scroll.y.abs() {
            scroll.x
        } else {
            scroll.y
        };
        if zoom != 1.0 {
            commands.push(Command::Look(Look::Zoom {
                at_s: scale.time_s(at.x),
                factor: f64::from(zoom),
            }));
        } else if by != 0.0 && scale.span_s < scale.duration_s {
            let by_s = -f64::from(by / scale.area.width().max(1.0)) * scale.span_s;
            commands.push(Command::Look(Look::Along(by_s)));
        }
    }
    response.context_menu(|ui| {
        ui.set_min_width(260.0);
        for command in [
            Command::WindowFromPlayhead,
            Command::WindowFromMark,
            Command::MarkIn,
            Command::MarkOut,
            Command::ClearMarks,
            Command::Look(Look::Closer),
            Command::Look(Look::Wider),
            Command::Look(Look::Whole),
        ] {
            let listed = LISTED.iter().find(|listed| listed.command == command);
            let button = eframe::egui::Button::new(listed.map_or("", |listed| listed.label));
            if ui.add_enabled(command.enabled(state), button).clicked() {
                commands.push(command);
                ui.close();
            }
        }
    });
}

/// Which part is in sight; dragged, it moves.
fn scroll_bar_ui(ui: &mut Ui, bar: Rect, scale: Scale, commands: &mut Commands) {
    let tokens = theme::tokens(ui);
    let response = ui.interact(bar, ui.scope_id().with("timeline scroll"), Sense::drag());
    let words = format!(
        "Shown from {} to {}",
        words::clock(scale.start_s),
        words::clock(scale.start_s + scale.span_s)
    );
    response.widget_info(|| WidgetInfo::labeled(Role::ScrollBar, true, &words));
    let whole_s = scale.duration_s.max(1e-6);
    let x = |time_s: f64| bar.left() + bar.width() * (time_s / whole_s) as f32;
    let mut grip = Rect::from_x_y_ranges(x(scale.start_s)..=x(scale.start_s + scale.span_s), bar.y_range());
    grip.max.x = grip.max.x.max(grip.min.x + 12.0);
    let colour = if response.hovered() || response.dragged() {
        tokens.muted
    } else {
        tokens.dim
    };
    ui.painter().rect_filled(bar, 3.5, tokens.track);
    ui.painter().rect_filled(grip, 3.5, colour);
    if response.dragged() {
        let by_s = f64::from(response.drag_delta().x / bar.width().max(1.0)) * whole_s;
        commands.push(Command::Look(Look::Along(by_s)));
    }
}
