//! Icons as shapes, so that no font has to have them, and buttons that show nothing else.

use eframe::egui::{
    Color32, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use crate::app::command::Command;
use crate::app::theme;

/// A sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Icon {
    Play,
    Pause,
    ToStart,
    ToEnd,
    Plus,
    Close,
    Heart,
    HeartFull,
    More,
    Undo,
    Redo,
    Contrast,
    Menu,
    Speaker,
    Tick,
    Chevron,
}

/// A button of 28 points that shows only a sign; `label` names it and is its tooltip.
pub(in crate::app) fn icon_button(ui: &mut Ui, icon: Icon, label: &str, enabled: bool) -> Response {
    sized_icon_button(ui, icon, label, enabled, vec2(28.0, 28.0))
}

/// As [`icon_button`] at another size.
pub(in crate::app) fn sized_icon_button(
    ui: &mut Ui,
    icon: Icon,
    label: &str,
    enabled: bool,
    size: Vec2,
) -> Response {
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    finish(ui, icon, label, enabled, rect, &response);
    response.on_hover_text(label)
}

/// As [`icon_button`] at a given place; `salt` tells apart buttons of one label.
pub(in crate::app) fn icon_button_at(
    ui: &mut Ui,
    rect: Rect,
    salt: usize,
    icon: Icon,
    label: &str,
) -> Response {
    let id = ui.scope_id().with((label, salt));
    let response = ui.interact(rect, id, Sense::click());
    finish(ui, icon, label, true, rect, &response);
    response.on_hover_text(label)
}

/// As [`icon_button`] at another size, with the shortcut of `command` in the tooltip.
pub(in crate::app) fn command_button(
    ui: &mut Ui,
    icon: Icon,
    label: &str,
    enabled: bool,
    size: f32,
    command: &Command,
) -> Response {
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(size), sense);
    finish(ui, icon, label, enabled, rect, &response);
    with_keys(response, label, command)
}

/// `label` as a tooltip, and the shortcut of `command` behind it.
pub(in crate::app) fn with_keys(response: Response, label: &str, command: &Command) -> Response {
    let Some(keys) = command.keys(&response.ctx) else {
        return response.on_hover_text(label);
    };
    response.on_hover_ui(|ui| {
        ui.horizontal(|ui| {
            ui.label(label);
            ui.label(theme::small_text(keys).color(theme::tokens(ui).muted));
        });
    })
}

fn finish(ui: &Ui, icon: Icon, label: &str, enabled: bool, rect: Rect, response: &Response) {
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    if !ui.is_rect_visible(rect) {
        return;
    }
    let tokens = theme::tokens(ui);
    if enabled && (response.hovered() || response.has_focus()) {
        ui.painter()
            .rect_filled(rect.shrink(1.0), theme::RADIUS, tokens.hover);
    }
    theme::focus_ring(ui, rect, response);
    let colour = match icon {
        _ if !enabled => tokens.track,
        Icon::HeartFull => tokens.accent,
        _ if response.hovered() => tokens.text,
        _ => tokens.muted,
    };
    paint(ui.painter(), rect.center(), icon, colour);
}

/// Draws a sign of about 14 points around `at`.
pub(in crate::app) fn paint(painter: &Painter, at: Pos2, icon: Icon, colour: Color32) {
    let stroke = Stroke::new(1.5, colour);
    let point = |x: f32, y: f32| pos2(at.x + x, at.y + y);
    let filled = |points: Vec<Pos2>| Shape::convex_polygon(points, colour, Stroke::NONE);
    let bar = |x: f32| Rect::from_center_size(point(x, 0.0), vec2(3.0, 12.0));
    match icon {
        Icon::Play => {
            painter.add(filled(vec![point(-4.0, -6.5), point(7.0, 0.0), point(-4.0, 6.5)]));
        }
        Icon::Pause => {
            painter.rect_filled(bar(-3.0), 1.0, colour);
            painter.rect_filled(bar(3.0), 1.0, colour);
        }
        Icon::ToStart | Icon::ToEnd => {
            let side = if icon == Icon::ToStart { 1.0 } else { -1.0 };
            let tip = point(-3.5 * side, 0.0);
            painter.add(filled(vec![tip, point(5.5 * side, -5.5), point(5.5 * side, 5.5)]));
            painter.rect_filled(
                Rect::from_center_size(point(-5.0 * side, 0.0), vec2(2.0, 11.0)),
                1.0,
                colour,
            );
        }
        Icon::Plus => {
            painter.line_segment([point(-5.0, 0.0), point(5.0, 0.0)], stroke);
            painter.line_segment([point(0.0, -5.0), point(0.0, 5.0)], stroke);
        }
        Icon::Close => {
            painter.line_segment([point(-4.0, -4.0), point(4.0, 4.0)], stroke);
            painter.line_segment([point(-4.0, 4.0), point(4.0, -4.0)], stroke);
        }
        Icon::Heart => {
            painter.add(Shape::closed_line(heart(at), Stroke::new(1.2, colour)));
        }
        Icon::HeartFull => fill_heart(painter, at, colour),
        Icon::More => {
            for x in [-5.0, 0.0, 5.0] {
                painter.circle_filled(point(x, 0.0), 1.4, colour);
            }
        }
        Icon::Undo | Icon::Redo => turn(painter, at, if icon == Icon::Undo { 1.0 } else { -1.0 }, stroke),
        Icon::Contrast => {
            painter.circle_stroke(at, 5.5, Stroke::new(1.3, colour));
            let half = (0..=16).map(|step| {
                let angle = std::f32::consts::PI * (0.5 + step as f32 / 16.0);
                point(5.5 * angle.cos(), 5.5 * angle.sin())
            });
            painter.add(filled(half.collect()));
        }
        Icon::Menu => {
            for y in [-4.5, 0.0, 4.5] {
                painter.line_segment([point(-6.0, y), point(6.0, y)], stroke);
            }
        }
        Icon::Speaker => {
            painter.rect_filled(
                Rect::from_center_size(point(-4.5, 0.0), vec2(3.0, 5.0)),
                0.0,
                colour,
            );
            painter.add(filled(vec![
                point(-4.0, -2.0),
                point(0.5, -5.5),
                point(0.5, 5.5),
                point(-4.0, 2.0),
            ]));
            for radius in [3.0, 6.0] {
                let arc = (0..=8).map(|step| {
                    let angle = -0.8 + 1.6 * step as f32 / 8.0;
                    point(0.5 + radius * angle.cos(), radius * angle.sin())
                });
                painter.add(Shape::line(arc.collect(), Stroke::new(1.2, colour)));
            }
        }
        Icon::Chevron => {
            painter.add(Shape::line(
                vec![point(-3.5, -1.5), point(0.0, 2.0), point(3.5, -1.5)],
                stroke,
            ));
        }
        Icon::Tick => {
            painter.add(Shape::line(
                vec![point(-5.0, 0.0), point(-1.5, 3.5), point(5.0, -4.0)],
                stroke,
            ));
        }
    }
}

fn heart(at: Pos2) -> Vec<Pos2> {
    let mut points = Vec::with_capacity(28);
    // Two round shoulders, then down to the point.
    for (centre, from) in [
        (-2.9_f32, std::f32::consts::PI * 0.85),
        (2.9, std::f32::consts::PI),
    ] {
        for step in 0..=10 {
            let angle = from + std::f32::consts::PI * 1.15 * step as f32 / 10.0;
            points.push(pos2(
                at.x + centre + 2.9 * angle.cos(),
                at.y - 1.6 + 2.9 * angle.sin(),
            ));
        }
    }
    points.push(pos2(at.x, at.y + 5.4));
    points
}

/// A heart is not convex: two halves and a point.
fn fill_heart(painter: &Painter, at: Pos2, colour: Color32) {
    let mut outline = heart(at);
    outline.push(outline[0]);
    let middle = pos2(at.x, at.y);
    for pair in outline.windows(2) {
        painter.add(Shape::convex_polygon(
            vec![middle, pair[0], pair[1]],
            colour,
            Stroke::new(0.5, colour),
        ));
    }
}

/// An arrow that turns back; `side` 1 to the left, -1 to the right.
fn turn(painter: &Painter, at: Pos2, side: f32, stroke: Stroke) {
    let point = |x: f32, y: f32| pos2(at.x + x * side, at.y + y);
    let arc = (0..=14).map(|step| {
        let angle = -std::f32::consts::FRAC_PI_2 + std::f32::consts::PI * step as f32 / 14.0;
        point(1.5 + 4.0 * angle.cos(), 1.0 + 4.0 * angle.sin())
    });
    let mut line: Vec<Pos2> = vec![point(-5.0, -3.0)];
    line.extend(arc);
    line.push(point(-3.0, 5.0));
    painter.add(Shape::line(line, stroke));
    painter.add(Shape::line(
        vec![point(-2.0, -6.0), point(-5.0, -3.0), point(-2.0, 0.0)],
        stroke,
    ));
}

/// A frameless button of muted words that opens a menu, with the sign for it.
pub(in crate::app) fn menu_button(ui: &mut Ui, text: &str, label: &str) -> Response {
    let tokens = theme::tokens(ui);
    let enabled = ui.is_enabled();
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), theme::body(), tokens.muted);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 26.0, 28.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
    let colour = match (enabled, response.hovered()) {
        (false, _) => tokens.dim,
        (true, true) => tokens.text,
        (true, false) => tokens.muted,
    };
    if enabled && response.hovered() {
        ui.painter().rect_filled(rect, theme::RADIUS, tokens.hover);
    }
    let at = pos2(rect.left() + 5.0, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley_with_override_text_color(at, galley, colour);
    paint(
        ui.painter(),
        pos2(rect.right() - 11.0, rect.center().y),
        Icon::Chevron,
        colour,
    );
    theme::focus_ring(ui, rect, &response);
    response
}

/// A small square switch with a letter, as S and M on the timeline.
pub(in crate::app) fn letter_switch(
    ui: &mut Ui,
    rect: Rect,
    letter: &str,
    label: &str,
    on: bool,
    command: &Command,
) -> Response {
    let response = ui.interact(rect, ui.scope_id().with(label), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Switch, true, on, label));
    let tokens = theme::tokens(ui);
    let (fill, text) = match (on, response.hovered() || response.has_focus()) {
        (true, _) => (tokens.accent, tokens.on_accent),
        (false, true) => (tokens.hover, tokens.text),
        (false, false) => (tokens.panel, tokens.muted),
    };
    let painter = ui.painter();
    painter.rect(rect, 3.0, fill, Stroke::new(1.0, tokens.line), StrokeKind::Inside);
    let galley = painter.layout_no_wrap(letter.to_owned(), eframe::egui::FontId::proportional(10.0), text);
    painter.galley(rect.center() - galley.size() / 2.0, galley, text);
    theme::focus_ring(ui, rect.expand(2.0), &response);
    with_keys(response, label, command)
}
