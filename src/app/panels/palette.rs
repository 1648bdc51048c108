//! The command palette: every command by a few letters of its name.

use eframe::egui::{
    Align2, Area, Context, Frame, Id, Key, Margin, Modal, Modifiers, Rect, RichText, Role, ScrollArea, Sense,
    TextEdit, Ui, WidgetInfo, pos2, vec2,
};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::{Commands, menu};
use crate::app::command::{Command, LISTED, Listed, keys_text};
use crate::app::session::{PaletteState, State};
use crate::app::theme;

const WIDTH: f32 = 520.0;
const ROW: f32 = 30.0;

/// The commands that `query` finds, best first; all of them where it is empty.
pub(in crate::app) fn matches(query: &str) -> Vec<&'static Listed> {
    // The palette is not listed in itself.
    let all = LISTED
        .iter()
        .filter(|listed| listed.command != Command::ShowPalette(true));
    if query.trim().is_empty() {
        return all.collect();
    }
    let pattern = Pattern::parse(query, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut letters = Vec::new();
    let mut found: Vec<(u32, &Listed)> = all
        .filter_map(|listed| {
            let text = format!("{} {}", listed.category.label(), listed.label);
            let score = pattern.score(Utf32Str::new(&text, &mut letters), &mut matcher)?;
            Some((score, listed))
        })
        .collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, listed)| listed).collect()
}

pub(super) fn palette_window(ctx: &Context, state: &State, commands: &mut Commands) {
    let Some(palette) = &state.palette else {
        return;
    };
    let id = Id::unique("palette");
    let top = pos2(ctx.content_rect().center().x, ctx.content_rect().top() + 52.0);
    let area = Area::new(id)
        .kind(eframe::egui::UiKind::Modal)
        .order(eframe::egui::Order::Foreground);
    let modal = Modal::new(id)
        .area(area.pivot(Align2::CENTER_TOP).fixed_pos(top))
        .frame(Frame::window(&ctx.global_style()).inner_margin(Margin::same(10)))
        .show(ctx, |ui| palette_ui(ui, palette, state, commands));
    if modal.should_close() {
        commands.push(Command::ShowPalette(false));
    }
}

fn palette_ui(ui: &mut Ui, palette: &PaletteState, state: &State, commands: &mut Commands) {
    ui.set_width(WIDTH);
    let (up, down, enter) = ui.input_mut(|input| {
        (
            input.consume_key(Modifiers::NONE, Key::ArrowUp),
            input.consume_key(Modifiers::NONE, Key::ArrowDown),
            input.consume_key(Modifiers::NONE, Key::Enter),
        )
    });
    let mut query = palette.query.clone();
    let field = TextEdit::singleline(&mut query)
        .hint_text("Type a command")
        .desired_width(f32::INFINITY)
        .margin(vec2(10.0, 7.0));
    let response = ui.add(field).accessible_name("Command");
    response.request_focus();
    if response.changed() {
        commands.push(Command::SetPaletteQuery(query));
    }
    let found = matches(&palette.query);
    if up || down {
        commands.push(Command::MovePalette(if down { 1 } else { -1 }));
    }
    let run = |listed: &Listed, commands: &mut Commands| {
        if listed.command.enabled(state) {
            commands.push(Command::ShowPalette(false));
            commands.push(listed.command.clone());
        }
    };
    if enter && let Some(listed) = found.get(palette.selected) {
        run(listed, commands);
    }
    ui.add_space(6.0);
    if found.is_empty() {
        ui.label(RichText::new("No command has these letters").color(theme::tokens(ui).muted));
    }
    ScrollArea::vertical()
        .max_height(360.0)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for (at, listed) in found.iter().enumerate() {
                if row_ui(ui, listed, at == palette.selected, up || down, state) {
                    run(listed, commands);
                }
            }
        });
}

/// Draws a row; returns whether it was clicked.
fn row_ui(ui: &mut Ui, listed: &Listed, selected: bool, moved: bool, state: &State) -> bool {
    let tokens = theme::tokens(ui);
    let enabled = listed.command.enabled(state);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let label = menu::label_of(listed, state);
    response.widget_info(|| WidgetInfo::selected(Role::MenuItem, enabled, selected, &label));
    if selected || response.hovered() {
        ui.painter().rect_filled(
            rect,
            theme::RADIUS,
            if selected { tokens.selected } else { tokens.raised },
        );
    }
    if selected && moved {
        response.scroll_to_me(None);
    }
    let painter = ui.painter();
    let text = if enabled { tokens.text } else { tokens.dim };
    let middle = rect.center().y;
    let end = painter
        .text(
            pos2(rect.left() + 10.0, middle),
            Align2::LEFT_CENTER,
            label,
            theme::body(),
            text,
        )
        .right();
    let category = Rect::from_min_max(pos2(end + 10.0, rect.top()), rect.max);
    painter.text(
        category.left_center(),
        Align2::LEFT_CENTER,
        listed.category.label(),
        theme::small(),
        tokens.dim,
    );
    if let Some(shortcut) = listed.shortcuts.first() {
        let shortcut = keys_text(ui.ctx(), *shortcut);
        let at = pos2(rect.right() - 10.0, middle);
        ui.painter()
            .text(at, Align2::RIGHT_CENTER, shortcut, theme::small(), tokens.muted);
    }
    response.clicked() && enabled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_letters_find_a_command() {
        let check = |query: &str, expected: &str| {
            let found = matches(query);
            assert!(!found.is_empty(), "{query} finds nothing");
            assert_eq!(found[0].label, expected, "{query}");
        };
        check("open vid", "Open video…");
        check("demo", "Open demo");
        check("duck strong", "Ducking strong");
        check("light", "Light theme");
        assert!(matches("zzzzqq").is_empty());
        assert_eq!(matches("").len(), LISTED.len() - 1);
    }
}
