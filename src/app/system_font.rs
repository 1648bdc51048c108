//! Fonts of the system for what the built-in ones lack: Chinese, Japanese and Korean titles.

use std::path::Path;
use std::sync::OnceLock;

use eframe::egui::FontData;
use eframe::epaint::text::{FallbackRequest, FontInsert, FontPriority, InsertFontFamily};

/// Where systems keep a font with the CJK scripts.
const PLACES: [&str; 14] = [
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-vf-fonts/NotoSansCJK-VF.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "/System/Library/Fonts/AppleSDGothicNeo.ttc",
    "C:\\Windows\\Fonts\\msyh.ttc",
    "C:\\Windows\\Fonts\\malgun.ttf",
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc",
];

/// Answers egui's question for a font with a glyph; reads no file before the first such text.
pub(super) fn provide(request: &FallbackRequest<'_>) -> Option<FontInsert> {
    let first = request.cluster.chars().next()?;
    if !is_east_asian(first) {
        return None;
    }
    static FONT: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let bytes = FONT
        .get_or_init(|| {
            PLACES
                .iter()
                .find_map(|place| std::fs::read(Path::new(place)).ok())
        })
        .as_ref()?;
    Some(FontInsert::new(
        "system-cjk",
        FontData::from_static(bytes),
        vec![InsertFontFamily {
            family: request.family.clone(),
            priority: FontPriority::Lowest,
        }],
    ))
}

fn is_east_asian(sign: char) -> bool {
    matches!(u32::from(sign), 0x1100..=0x11FF | 0x2E80..=0x9FFF | 0xAC00..=0xD7FF | 0xF900..=0xFAFF | 0xFE30..=0xFE4F
        | 0xFF00..=0xFFEF | 0x20000..=0x323AF)
}
