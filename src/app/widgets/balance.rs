//! The slider between picture and voice: a rail, a mark in the middle where it is as trained, one grip.

use eframe::egui::{EventFilter, Key, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::app::theme;

/// This near to the middle, the grip falls into it.
const CATCH: f32 = 0.04;
/// What an arrow key moves.
const STEP: f32 = 0.1;

/// -1 (picture) to 1 (voice); returns the value it was moved to now.
pub(in crate::app) fn balance_slider(ui: &mut Ui, value: f32, width: f32) -> Option<f32> {
    let (rect, response) = ui.allocate_exact_size(vec2(width.max(40.0), 24.0), Sense::click_and_drag());
    let label = "Balance between picture and voice";
    response.widget_info(|| WidgetInfo::slider(true, f64::from(value), label));
    let rail = Rect::from_center_size(rect.center(), vec2(rect.width() - 16.0, 4.0));
    let x = |value: f32| rail.center().x + rail.width() / 2.0 * value.clamp(-1.0, 1.0);

    let tokens = theme::tokens(ui);
    let painter = ui.painter();
    painter.rect_filled(rail, 2.0, tokens.track);
    painter.vline(
        rail.center().x,
        rail.expand(3.0).y_range(),
        Stroke::new(1.0, tokens.track),
    );
    let grip = if response.hovered() || response.dragged() {
        8.0
    } else {
        7.0
    };
    painter.circle_filled(pos2(x(value), rail.center().y), grip, tokens.accent);
    theme::focus_ring(ui, rect, &response);

    let mut moved = None;
    if let Some(at) = response
        .interact_pointer_pos()
        .filter(|_| response.dragged() || response.clicked())
    {
        moved = Some((at.x - rail.center().x) / (rail.width() / 2.0));
    }
    if response.double_clicked() {
        moved = Some(0.0);
    }
    if response.has_focus() {
        let arrows = EventFilter {
            horizontal_arrows: true,
            ..EventFilter::default()
        };
        ui.ctx()
            .memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        let steps = ui.input(|input| {
            input.num_presses(Key::ArrowRight) as f32 - input.num_presses(Key::ArrowLeft) as f32
        });
        if steps != 0.0 {
            moved = Some(value + STEP * steps);
        }
    }
    if ui
        .ctx()
        .accesskit_node_builder(response.id, |node| node.set_role(Role::Slider))
        .is_some()
    {
        moved = moved.or_else(|| asked_for(ui, &response, value));
    }
    response.on_hover_text("What decides: the picture, the voice, or both as trained (in the middle)");
    moved
        .map(|moved| {
            if moved.abs() < CATCH {
                0.0
            } else {
                moved.clamp(-1.0, 1.0)
            }
        })
        .filter(|moved| *moved != value)
}

/// What assistive technology asks for.
fn asked_for(ui: &Ui, response: &eframe::egui::Response, value: f32) -> Option<f32> {
    use eframe::egui::accesskit::Action;
    let count = |action| ui.input(|input| input.num_accesskit_action_requests(response.id, action)) as f32;
    let steps = count(Action::Increment) - count(Action::Decrement);
    (steps != 0.0).then_some(value + STEP * steps)
}
