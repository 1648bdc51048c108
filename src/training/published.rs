//! HoK400 and CFM400: the published lists of URLs, one a line, of a training and a test part
//! (<https://github.com/pixel-333/MRCMV>). A download is named by the video id in its URL:
//! `https://v.qq.com/x/page/g0549pkapth.html` is `g0549pkapth.mp4`, or any other extension.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::corpus::{Item, Split};
use crate::error::{Error, ErrorKind, Result};

/// What a published list and a folder of downloads make together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The corpus's name: "HoK400" or "CFM400".
    pub name: &'static str,
    /// Videos that are there; their paths are as found in the folder.
    pub items: Vec<Item>,
    /// URLs of the others.
    pub missing: Vec<String>,
}

/// Matches the lists of corpus `name` (`hok400` or `cfm400`) in `lists` with the files under `videos`.
///
/// # Errors
/// When the name is another, a list or the folder cannot be read, or a list holds a line that is not such a URL.
pub fn match_published(name: &str, lists: &Path, videos: &Path) -> Result<Published> {
    let name = match name.to_lowercase().as_str() {
        "hok400" => "HoK400",
        "cfm400" => "CFM400",
        _ => {
            return Err(Error::new(
                ErrorKind::Input,
                format!("--name {name}: choose hok400 or cfm400"),
            ));
        }
    };
    let files = files_by_stem(videos)?;
    let mut items = Vec::new();
    let mut missing = Vec::new();
    for (part, split) in [("training", Split::Train), ("test", Split::Test)] {
        let list = lists.join(format!("{part}_part_{name}.txt"));
        let text = std::fs::read_to_string(&list).map_err(|source| Error::io(&list, "read", source))?;
        for (number, url) in text
            .lines()
            .map(str::trim)
            .enumerate()
            .filter(|(_, url)| !url.is_empty())
        {
            let id = video_id(url).ok_or_else(|| {
                Error::input(
                    &list,
                    format!(
                        "line {} is not the URL of a video ({url}); take the list as it was published",
                        number + 1
                    ),
                )
            })?;
            match files.get(&id.to_lowercase()) {
                Some(video) => items.push(Item {
                    id: id.to_owned(),
                    video: video.clone(),
                    split,
                    voice: None,
                    bgm: None,
                    tags: Vec::new(),
                }),
                None => missing.push(url.to_owned()),
            }
        }
    }
    Ok(Published { name, items, missing })
}

/// The id in `https://v.qq.com/x/page/<id>.html`.
fn video_id(url: &str) -> Option<&str> {
    let page = url.split(['?', '#']).next()?.rsplit('/').next()?;
    let id = page.strip_suffix(".html").unwrap_or(page);
    let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
    (plain && url.contains("://")).then_some(id)
}

/// Files under `folder` by their stem in lower case; of several with one stem the first by path. Unfinished downloads are
/// passed over.
fn files_by_stem(folder: &Path) -> Result<HashMap<String, PathBuf>> {
    let mut files = HashMap::new();
    for entry in walkdir::WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
    {
        let entry = entry.map_err(|source| {
            let path = source.path().unwrap_or(folder).to_owned();
            match source.into_io_error() {
                Some(source) => Error::io(&path, "read", source),
                None => Error::input(&path, "its links lead round in a circle; remove the link"),
            }
        })?;
        let path = entry.path();
        let unfinished = path
            .extension()
            .is_some_and(|extension| extension == "part" || extension == "tmp");
        if entry.file_type().is_file()
            && !unfinished
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            files
                .entry(stem.to_lowercase())
                .or_insert_with(|| path.to_owned());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_urls() {
        let check = |url: &str, expected: Option<&str>| assert_eq!(video_id(url), expected, "{url}");
        check("https://v.qq.com/x/page/g0549pkapth.html", Some("g0549pkapth"));
        check(
            "https://v.qq.com/x/page/g0549pkapth.html?from=share",
            Some("g0549pkapth"),
        );
        check("g0549pkapth", None);
        check("https://v.qq.com/x/page/", None);
    }

    #[test]
    fn downloads_are_found_by_id_and_the_others_reported() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let lists = folder.path().join("lists");
        let videos = folder.path().join("videos");
        std::fs::create_dir_all(&lists).expect("folder");
        std::fs::create_dir_all(videos.join("more")).expect("folder");
        let url = |id: &str| format!("https://v.qq.com/x/page/{id}.html");
        std::fs::write(
            lists.join("training_part_HoK400.txt"),
            format!("{}\n{}\n", url("aa1"), url("bb2")),
        )
        .expect("write");
        std::fs::write(lists.join("test_part_HoK400.txt"), url("cc3")).expect("write");
        std::fs::write(videos.join("AA1.mp4"), "x").expect("write");
        std::fs::write(videos.join("bb2.part"), "x").expect("write");
        std::fs::write(videos.join("more/cc3.webm"), "x").expect("write");
        let published = match_published("hok400", &lists, &videos).expect("lists");
        let found: Vec<_> = published
            .items
            .iter()
            .map(|item| (item.id.as_str(), item.split))
            .collect();
        assert_eq!(found, [("aa1", Split::Train), ("cc3", Split::Test)]);
        assert_eq!(published.missing, [url("bb2")]);
        assert!(match_published("ucf101", &lists, &videos).is_err());
        assert!(match_published("cfm400", &lists, &videos).is_err());
    }
}
