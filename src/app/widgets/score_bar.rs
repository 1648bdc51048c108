//! Why a track was suggested: how much the voice decided, how much the picture.

use eframe::egui::{Painter, Rect, pos2};

use crate::app::theme::Tokens;
use crate::engine::suggest::Why;

/// Draws the shares as one bar, the voice's part in its colour.
pub(in crate::app) fn paint(painter: &Painter, rect: Rect, why: &Why, tokens: &Tokens) {
    painter.rect_filled(rect, rect.height() / 2.0, tokens.wave);
    if let Some(share) = why.voice_share {
        let edge = rect.left() + rect.width() * share.clamp(0.0, 1.0);
        let voice = Rect::from_min_max(rect.min, pos2(edge, rect.max.y));
        painter.rect_filled(voice, rect.height() / 2.0, tokens.voice);
    }
}

/// "voice 62 · picture 38", "picture alone".
pub(in crate::app) fn words(why: &Why) -> String {
    let percent = |share: f32| (share * 100.0).round();
    match (why.voice_share, why.picture_share) {
        (Some(0.0), Some(_)) => "picture alone".to_owned(),
        (Some(_), Some(0.0)) => "voice alone".to_owned(),
        (Some(voice), Some(picture)) => format!("voice {} · picture {}", percent(voice), percent(picture)),
        (Some(voice), None) => format!("voice {}", percent(voice)),
        (None, Some(picture)) => format!("picture {}", percent(picture)),
        (None, None) => "no share of voice or picture".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_percents() {
        let why = Why {
            voice_share: Some(0.618),
            picture_share: Some(0.382),
            ..Why::default()
        };
        assert_eq!(words(&why), "voice 62 · picture 38");
        let alone = Why {
            voice_share: Some(0.0),
            picture_share: Some(1.0),
            ..Why::default()
        };
        assert_eq!(words(&alone), "picture alone");
        assert_eq!(words(&Why::default()), "no share of voice or picture");
    }
}
