//! Design tokens, text styles and fonts: the one place with raw colours.
//!
//! Amber belongs to the candidate and to the one primary action, teal is the voice, grey the original music; the same
//! three colours mean the same thing everywhere. Everything else is neutral.

use std::sync::Arc;

use eframe::egui::{
    self, Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow,
    Stroke, Style, TextStyle, Theme, Ui, Vec2, Visuals, style::WidgetVisuals, vec2,
};

use crate::settings::ThemeChoice;

/// Radius of controls.
pub(super) const RADIUS: u8 = 7;
/// Radius of cards.
pub(super) const CARD_RADIUS: u8 = 8;

/// Colours of one theme.
#[derive(Debug)]
pub(super) struct Tokens {
    pub background: Color32,
    pub panel: Color32,
    pub raised: Color32,
    pub line: Color32,
    pub text: Color32,
    pub muted: Color32,
    pub dim: Color32,
    /// The candidate and the primary action.
    pub accent: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    pub voice: Color32,
    pub original: Color32,
    pub good: Color32,
    pub selected: Color32,
    pub error: Color32,
    /// A control under the pointer.
    pub hover: Color32,
    /// What is left of a bar or a meter.
    pub track: Color32,
    /// A waveform that does not play.
    pub wave: Color32,
}

impl Tokens {
    /// The accent as a tint: chips, best moment, the window on the timeline.
    pub(super) fn tint(&self) -> Color32 {
        self.accent.gamma_multiply(0.2)
    }

    /// The accent as the edge of a tinted shape.
    pub(super) fn tint_edge(&self) -> Color32 {
        self.accent.gamma_multiply(0.65)
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the tokens are the one home of raw colours"
)]
const fn hex(rgb: u32) -> Color32 {
    Color32::from_rgb((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8)
}

pub(super) const DARK: Tokens = Tokens {
    background: hex(0x0014_161a),
    panel: hex(0x001b_1e24),
    raised: hex(0x0022_262e),
    line: hex(0x002c_313b),
    text: hex(0x00e7_e9ee),
    muted: hex(0x009a_a1ae),
    dim: hex(0x008f_97a6),
    accent: hex(0x00f2_a65a),
    on_accent: hex(0x001c_1408),
    voice: hex(0x006c_c4d8),
    original: hex(0x008f_97a6),
    good: hex(0x007f_c98a),
    selected: hex(0x002b_2f39),
    error: hex(0x00f0_8a80),
    hover: hex(0x002e_343f),
    track: hex(0x0033_3945),
    wave: hex(0x005d_6574),
};

pub(super) const LIGHT: Tokens = Tokens {
    background: hex(0x00f1_f2f4),
    panel: hex(0x00ff_ffff),
    raised: hex(0x00f6_f7f9),
    line: hex(0x00dc_dfe5),
    text: hex(0x001c_2026),
    muted: hex(0x005c_6470),
    dim: hex(0x0065_6d7a),
    accent: hex(0x00a6_5712),
    on_accent: hex(0x00ff_ffff),
    voice: hex(0x001b_768c),
    original: hex(0x0065_6d7a),
    good: hex(0x002f_8f46),
    selected: hex(0x00fb_efe3),
    error: hex(0x00b3_2d22),
    hover: hex(0x00e9_ebef),
    track: hex(0x00dc_dfe5),
    wave: hex(0x00a9_b0bb),
};

/// The tokens in force in `ui`.
pub(super) fn tokens(ui: &Ui) -> &'static Tokens {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

/// Behind the picture, in both themes: a picture is judged against black.
pub(super) const STAGE: Color32 = hex(0x000e_1013);
/// Text over the picture.
pub(super) const ON_STAGE: Color32 = hex(0x00e7_e9ee);
/// Second text over the picture's place while it is empty.
pub(super) const ON_STAGE_MUTED: Color32 = hex(0x009a_a1ae);

/// Body text, 13 pt.
pub(super) fn body() -> FontId {
    FontId::new(13.0, FontFamily::Proportional)
}

/// Secondary text, 11.5 pt.
pub(super) fn small() -> FontId {
    FontId::new(11.5, FontFamily::Proportional)
}

/// Body text that names something, 13 pt semibold.
pub(super) fn strong() -> FontId {
    FontId::new(13.0, semibold())
}

/// Headings, 15 pt semibold.
pub(super) fn heading() -> FontId {
    FontId::new(15.0, semibold())
}

fn semibold() -> FontFamily {
    FontFamily::Name("semibold".into())
}

/// Semibold body text.
pub(super) fn strong_text(text: impl Into<String>) -> egui::RichText {
    egui::RichText::new(text).font(strong())
}

/// Secondary text.
pub(super) fn small_text(text: impl Into<String>) -> egui::RichText {
    egui::RichText::new(text).font(small())
}

/// Gives the context its fonts and both styles, once.
pub(super) fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    ctx.add_font_provider(Arc::new(super::system_font::provide));
    ctx.set_style_of(Theme::Dark, style(&DARK, true));
    ctx.set_style_of(Theme::Light, style(&LIGHT, false));
}

/// Follows the user's choice.
pub(super) fn apply(ctx: &Context, choice: ThemeChoice) {
    ctx.set_theme(match choice {
        ThemeChoice::System => egui::ThemePreference::System,
        ThemeChoice::Dark => egui::ThemePreference::Dark,
        ThemeChoice::Light => egui::ThemePreference::Light,
    });
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    for (name, bytes) in [
        (
            "inter",
            include_bytes!("../../assets/fonts/Inter-Regular.otf").as_slice(),
        ),
        (
            "inter-semibold",
            include_bytes!("../../assets/fonts/Inter-SemiBold.otf").as_slice(),
        ),
    ] {
        fonts
            .font_data
            .insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let fallback = fonts
        .families
        .get(&FontFamily::Proportional)
        .cloned()
        .unwrap_or_default();
    let chain = |first: &str| {
        let mut chain = vec![first.to_owned()];
        chain.extend(fallback.iter().cloned());
        chain
    };
    fonts.families.insert(semibold(), chain("inter-semibold"));
    // Inter's digits are tabular here, so that one family serves for numbers too.
    fonts.families.insert(FontFamily::Monospace, chain("inter"));
    fonts.families.insert(FontFamily::Proportional, chain("inter"));
    fonts
}

fn style(tokens: &Tokens, dark: bool) -> Style {
    let mut style = Style {
        visuals: visuals(tokens, dark),
        animation_time: 0.12,
        ..Style::default()
    };
    style.text_styles = [
        (TextStyle::Body, body()),
        (TextStyle::Button, body()),
        (TextStyle::Small, small()),
        (TextStyle::Heading, heading()),
        (TextStyle::Monospace, body()),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(8.0, 8.0);
    spacing.button_padding = vec2(12.0, 5.0);
    spacing.interact_size = vec2(28.0, 28.0);
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(16);
    spacing.icon_width = 16.0;
    spacing.icon_width_inner = 10.0;
    spacing.slider_rail_height = 4.0;
    spacing.combo_width = 64.0;
    spacing.menu_width = 320.0;
    spacing.tooltip_width = 360.0;
    spacing.scroll = egui::style::ScrollStyle {
        bar_width: 8.0,
        floating: true,
        ..egui::style::ScrollStyle::default()
    };
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;
    style
}

fn visuals(tokens: &Tokens, dark: bool) -> Visuals {
    let mut visuals = if dark { Visuals::dark() } else { Visuals::light() };
    let widget = |fill: Color32, edge: Stroke, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: edge,
        corner_radius: CornerRadius::same(RADIUS),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let line = Stroke::new(1.0, tokens.line);
    visuals.widgets.noninteractive = widget(tokens.panel, line, tokens.text);
    visuals.widgets.inactive = widget(tokens.raised, line, tokens.text);
    visuals.widgets.hovered = widget(tokens.hover, line, tokens.text);
    // Also what egui draws where the keyboard's focus is, hence the ring.
    visuals.widgets.active = widget(tokens.hover, Stroke::new(1.5, tokens.accent), tokens.text);
    visuals.widgets.open = widget(tokens.hover, line, tokens.text);
    visuals.selection.bg_fill = tokens.tint();
    visuals.selection.stroke = Stroke::new(1.0, tokens.accent);
    visuals.hyperlink_color = tokens.voice;
    visuals.faint_bg_color = tokens.raised;
    visuals.extreme_bg_color = tokens.background;
    visuals.text_edit_bg_color = Some(tokens.raised);
    visuals.code_bg_color = tokens.raised;
    visuals.warn_fg_color = tokens.accent;
    visuals.error_fg_color = tokens.error;
    visuals.weak_text_color = Some(tokens.muted);
    visuals.window_fill = tokens.panel;
    visuals.window_stroke = line;
    visuals.window_corner_radius = CornerRadius::same(CARD_RADIUS + 2);
    visuals.menu_corner_radius = CornerRadius::same(CARD_RADIUS);
    visuals.panel_fill = tokens.panel;
    visuals.popup_shadow = Shadow {
        offset: [0, 6],
        blur: 18,
        spread: 0,
        color: Color32::from_black_alpha(if dark { 110 } else { 38 }),
    };
    visuals.window_shadow = Shadow {
        offset: [0, 12],
        blur: 36,
        ..visuals.popup_shadow
    };
    visuals.interact_cursor = None;
    visuals.slider_trailing_fill = false;
    visuals
}

/// Draws the ring that shows where the keyboard is.
pub(super) fn focus_ring(ui: &Ui, rect: egui::Rect, response: &egui::Response) {
    if response.has_focus() {
        ui.painter().rect_stroke(
            rect.shrink(1.0),
            CornerRadius::same(RADIUS),
            Stroke::new(1.5, tokens(ui).accent),
            egui::StrokeKind::Inside,
        );
    }
}

/// The one primary action of a view.
pub(super) fn primary_button(tokens: &Tokens, text: &str) -> egui::Button<'static> {
    egui::Button::new(egui::RichText::new(text).font(strong()).color(tokens.on_accent))
        .fill(tokens.accent)
        .stroke(Stroke::NONE)
        .min_size(Vec2::new(0.0, 28.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance after WCAG 2.
    fn luminance(colour: Color32) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    fn contrast(first: Color32, second: Color32) -> f64 {
        let (a, b) = (luminance(first), luminance(second));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_has_contrast_on_every_ground() {
        for (name, tokens) in [("dark", &DARK), ("light", &LIGHT)] {
            let grounds = [tokens.background, tokens.panel, tokens.raised, tokens.selected];
            let check = |what: &str, text: Color32, ground: Color32| {
                let ratio = contrast(text, ground);
                assert!(ratio >= 4.5, "{name}: {what} on {ground:?} has only {ratio:.2}");
            };
            for ground in grounds {
                check("text", tokens.text, ground);
                check("muted", tokens.muted, ground);
                check("dim", tokens.dim, ground);
                check("accent", tokens.accent, ground);
                check("voice", tokens.voice, ground);
                check("original", tokens.original, ground);
                check("error", tokens.error, ground);
            }
            check("text on a control under the pointer", tokens.text, tokens.hover);
            check("text on the accent", tokens.on_accent, tokens.accent);
        }
        assert!(contrast(ON_STAGE, STAGE) >= 4.5 && contrast(ON_STAGE_MUTED, STAGE) >= 4.5);
    }
}
