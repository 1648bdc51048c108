//! Tags that people write into sound files, as far as search and credits need them.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;

use lofty::config::ParseOptions;
use lofty::file::TaggedFileExt;
use lofty::probe::Probe;
use lofty::tag::{ItemKey, Tag};

/// Longest tag that is kept, in characters: a licence line or a title, not a book.
const LONGEST: usize = 300;

/// What a file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileTags {
    /// Title.
    pub title: Option<String>,
    /// Artist.
    pub artist: Option<String>,
    /// Genre, mood and grouping, split at commas, semicolons and slashes; lower case, sorted, each once.
    pub words: Vec<String>,
    /// Licence, else copyright line, else a comment that speaks of a licence.
    pub licence: Option<String>,
}

/// Reads the tags of a sound file; empty where there are none or they make no sense, since a track can be used
/// without them. Only reads.
pub fn file_tags(path: &Path) -> FileTags {
    // A parser of strangers' bytes: a fault in it must not cost the track.
    catch_unwind(|| read(path)).ok().flatten().unwrap_or_default()
}

/// The name of a file that has no title in its tags.
pub fn title_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> Option<FileTags> {
    let options = ParseOptions::new().read_properties(false).read_cover_art(false);
    let file = Probe::open(path)
        .ok()?
        .guess_file_type()
        .ok()?
        .options(options)
        .read()
        .ok()?;
    let tags = file.tags();
    let licence = first(tags, ItemKey::License)
        .or_else(|| first(tags, ItemKey::CopyrightMessage))
        .or_else(|| first(tags, ItemKey::CopyrightUrl))
        .or_else(|| first(tags, ItemKey::Comment).filter(|comment| speaks_of_licence(comment)));
    let words = [ItemKey::Genre, ItemKey::Mood, ItemKey::ContentGroup]
        .into_iter()
        .flat_map(|key| tags.iter().flat_map(move |tag| tag.get_strings(key)))
        .flat_map(split_words)
        .collect::<BTreeSet<_>>();
    Some(FileTags {
        title: first(tags, ItemKey::TrackTitle),
        artist: first(tags, ItemKey::TrackArtist),
        words: words.into_iter().collect(),
        licence,
    })
}

fn first(tags: &[Tag], key: ItemKey) -> Option<String> {
    tags.iter().flat_map(|tag| tag.get_strings(key)).find_map(clean)
}

/// One line without control characters; `None` where nothing is left.
fn clean(text: &str) -> Option<String> {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// "Game; Ambient" as two words to filter by.
pub(crate) fn split_words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split([',', ';', '/'])
        .filter_map(clean)
        .map(|word| word.to_lowercase())
}

fn speaks_of_licence(comment: &str) -> bool {
    let comment = comment.to_lowercase();
    [
        "cc-",
        "cc0",
        "cc by",
        "creative commons",
        "licence",
        "license",
        "public domain",
    ]
    .iter()
    .any(|word| comment.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lofty::config::WriteOptions;
    use lofty::tag::{TagExt, TagType};

    /// A second of silence, as 8-bit mono WAV.
    fn wav(path: &Path) {
        let mut bytes = b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0".to_vec();
        bytes.resize(bytes.len() + 8000, 128);
        std::fs::write(path, bytes).expect("write");
    }

    #[test]
    fn tags_are_read_and_tidied() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.wav");
        wav(&path);
        assert_eq!(file_tags(&path), FileTags::default());
        let mut tag = Tag::new(TagType::Id3v2);
        tag.insert_text(ItemKey::TrackTitle, " Rain\non tin ".to_owned());
        tag.insert_text(ItemKey::TrackArtist, "Ana".to_owned());
        tag.insert_text(ItemKey::Genre, "Game; Ambient/game".to_owned());
        tag.insert_text(ItemKey::Comment, "Released under CC-BY 4.0".to_owned());
        tag.save_to_path(&path, WriteOptions::default()).expect("save");
        assert_eq!(
            file_tags(&path),
            FileTags {
                title: Some("Rain on tin".to_owned()),
                artist: Some("Ana".to_owned()),
                words: vec!["ambient".to_owned(), "game".to_owned()],
                licence: Some("Released under CC-BY 4.0".to_owned()),
            }
        );
    }

    #[test]
    fn nonsense_is_no_tag() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.mp3");
        std::fs::write(&path, b"ID3\x04\0\0\x7f\x7f\x7f\x7fTIT2\xff\xff\xff\xff").expect("write");
        assert_eq!(file_tags(&path), FileTags::default());
        assert_eq!(file_tags(&folder.path().join("none.ogg")), FileTags::default());
    }
}
