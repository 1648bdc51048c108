//! One row of the table.

use candle_core::Tensor;

use super::request::{Ask, EvaluateRow, Floor, Protocol};
use crate::engine::Engine;
use crate::engine::clips::{Clips, Ear, StemFeatures, Window, seen_beside};
use crate::engine::corpus::Usable;
use crate::engine::matcher::Matcher;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::networks::mrcmv::QueryInput;
use crate::networks::vggish::Vggish;
use crate::networks::weights::Pack;
use crate::retrieval::{Intervals, Metric, Recall, bootstrap, luck, rank_of, recall, similarity};

/// The pack whose VGGish, trained on AudioSet and never by us, measures the distance of Table 1 (reading, point 10).
const RULER_PACK: &str = "vggish-audioset";
/// The network's name in that pack.
const RULER_NETWORK: &str = "vggish";

/// A query and its own candidate.
struct Pair {
    query: Vec<f32>,
    bgm: Vec<f32>,
    /// Time-averaged rows of the ruler.
    measured: Option<Vec<f32>>,
}

/// A row and the items that it passes over.
type Row = (EvaluateRow, Vec<(String, String)>);

/// Ranks the candidates of all items for each query with the networks of `engine`'s pack.
pub(super) fn pack_row(
    engine: &Engine,
    items: &[Usable],
    how: (Protocol, Ask),
    seed: u64,
    monitor: &Monitor,
) -> Result<Row> {
    let manifest = &engine.pack().manifest;
    let matcher = Matcher::load(engine)?;
    let clips = Clips::new(engine, matcher.listening())?;
    let ruler = Ruler::find(engine)?;
    let (mut pairs, mut rejected) = (Vec::new(), Vec::new());
    for (number, item) in items.iter().enumerate() {
        monitor.check()?;
        monitor.progress(
            &format!("Evaluating {}, {}", manifest.name, item.id),
            Some(number as f32 / items.len() as f32),
        );
        let quiet = monitor.unseen();
        match pair(&matcher, &clips, ruler.as_ref(), item, how, &quiet) {
            Ok(pair) => pairs.push(pair),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => rejected.push((item.id.clone(), error.to_string())),
        }
    }
    if pairs.is_empty() {
        return Err(Error::new(
            ErrorKind::Input,
            format!(
                "no test item could be evaluated; the first says: {}",
                rejected.first().map_or("nothing", |(_, reason)| reason)
            ),
        ));
    }
    let metric = matcher.metric();
    let scores: Vec<Vec<f32>> = pairs
        .iter()
        .map(|pair| {
            pairs
                .iter()
                .map(|other| similarity(&pair.query, &other.bgm, metric))
                .collect()
        })
        .collect();
    let ranks: Vec<usize> = scores
        .iter()
        .enumerate()
        .map(|(truth, scores)| rank_of(scores, truth))
        .collect();
    let mut row = row_of(&recall(&ranks), bootstrap(&ranks, seed), pairs.len(), how.0);
    row.ask = how.1;
    row.pack.clone_from(&manifest.name);
    row.method.clone_from(&manifest.method);
    row.without.clone_from(&manifest.without);
    match ruler {
        Some(ruler) => {
            row.vggish_distance = mean_distance(&pairs, &scores);
            row.vggish_ruler_sha256 = Some(ruler.sha256);
            if row.vggish_distance.is_none() {
                row.vggish_distance_reason = Some("a candidate is silent to the ruler".to_owned());
            }
        }
        None => {
            row.vggish_distance_reason = Some(format!(
                "no VGGish of AudioSet is installed as the pack {RULER_PACK}, and no other network may stand in for it"
            ));
        }
    }
    Ok((row, rejected))
}

/// What a pair sounds like: the rows of its voice and its music, and those of the music through the ruler.
type Sounds = (Option<Tensor>, Option<Tensor>, Option<Option<Tensor>>);

/// Listens to the first clip of an item.
fn sounds(
    matcher: &Matcher<'_>,
    clips: &Clips<'_>,
    ruler: Option<&Ruler>,
    item: &Usable,
    protocol: Protocol,
    monitor: &Monitor,
) -> Result<Sounds> {
    let at_start = |file| Window { file, start_s: 0.0 };
    Ok(match protocol {
        Protocol::Separated => {
            let stems: StemFeatures<Tensor> = clips.separated(at_start(&item.video), None, monitor)?;
            let measured = ruler
                .map(|ruler| clips.separated_bgm(at_start(&item.video), &ruler.ear(), monitor))
                .transpose()?;
            (stems.voice, stems.bgm, measured)
        }
        Protocol::Clean => {
            let (Some(voice), Some(bgm)) = (&item.voice, &item.bgm) else {
                return Err(Error::input(
                    &item.video.path,
                    "has no clean voice or no clean track, which --protocol clean needs; add both to corpus.json",
                ));
            };
            let measured = ruler
                .map(|ruler| clips.plain(at_start(bgm), 0.0, &ruler.ear(), monitor))
                .transpose()?;
            let voice = matcher
                .hears_voice()
                .then(|| clips.plain(at_start(voice), 0.0, &clips.voice, monitor))
                .transpose()?;
            (
                voice.flatten(),
                clips.plain(at_start(bgm), 0.0, &clips.bgm, monitor)?,
                measured,
            )
        }
    })
}

/// Embeds the first clip of an item.
fn pair(
    matcher: &Matcher<'_>,
    clips: &Clips<'_>,
    ruler: Option<&Ruler>,
    item: &Usable,
    (protocol, ask): (Protocol, Ask),
    monitor: &Monitor,
) -> Result<Pair> {
    let at_start = |file| Window { file, start_s: 0.0 };
    let seen = (item.picture && ask != Ask::Voice).then(|| at_start(&item.video));
    let (picture, (voice, bgm, measured)) = seen_beside(clips, seen, monitor, || {
        sounds(matcher, clips, ruler, item, protocol, monitor)
    })?;
    let picture: Option<(Tensor, Tensor)> = picture;
    let bgm = bgm.ok_or_else(|| {
        Error::input(
            &item.video.path,
            "has no music in its first 32 s, so there is nothing to find again; give another video",
        )
    })?;
    let voice = voice.filter(|_| ask != Ask::Picture);
    if picture.is_none() && !matcher.hears_voice() {
        return Err(Error::input(
            &item.video.path,
            "has no picture, and this pack asks with the picture alone; give a video",
        ));
    }
    if picture.is_none() && voice.is_none() {
        let lacks = match ask {
            Ask::Both => "neither picture nor voice",
            Ask::Voice => "no voice",
            Ask::Picture => "no picture",
        };
        return Err(Error::input(
            &item.video.path,
            format!("has {lacks} in its first 32 s, so there is nothing to ask with; give another video"),
        ));
    }
    let input = QueryInput {
        picture: picture
            .map(|(slow, fast)| Ok::<_, Error>((slow.unsqueeze(0)?, fast.unsqueeze(0)?)))
            .transpose()?,
        voice: voice.map(|rows| rows.unsqueeze(0)).transpose()?,
    };
    Ok(Pair {
        query: values(&matcher.query(&input)?)?,
        bgm: values(&matcher.bgm(&bgm)?)?,
        measured: measured
            .flatten()
            .map(|rows: Tensor| values(&rows.mean(0)?))
            .transpose()?,
    })
}

/// The AudioSet VGGish.
struct Ruler {
    vggish: Vggish,
    pack: Pack,
    sha256: String,
}

impl Ruler {
    /// `None` where it is not installed.
    fn find(engine: &Engine) -> Result<Option<Self>> {
        let roots = Engine::pack_roots(&engine.options().folders);
        let installed = Pack::list(&roots)
            .into_iter()
            .flatten()
            .find(|pack| pack.manifest.name == RULER_PACK);
        let Some(pack) = installed else {
            return Ok(None);
        };
        let Some(sha256) = pack
            .manifest
            .networks
            .get(RULER_NETWORK)
            .map(|entry| entry.sha256.clone())
        else {
            return Ok(None);
        };
        let vggish = pack.build(RULER_NETWORK, &engine.device().device, Vggish::new)?;
        Ok(Some(Self { vggish, pack, sha256 }))
    }

    fn ear(&self) -> Ear<'_> {
        Ear::new(&self.vggish, &self.pack, RULER_NETWORK)
    }
}

/// Mean distance between each query's first candidate and its truth; of several first ones the one that comes first.
fn mean_distance(pairs: &[Pair], scores: &[Vec<f32>]) -> Option<f64> {
    let mut sum = 0.0;
    for (pair, scores) in pairs.iter().zip(scores) {
        let first = scores
            .iter()
            .enumerate()
            .filter(|(_, score)| !score.is_nan())
            .max_by(|(i, a), (j, b)| a.total_cmp(b).then(j.cmp(i)))
            .map_or(0, |(index, _)| index);
        let (truth, found) = (pair.measured.as_ref()?, pairs[first].measured.as_ref()?);
        sum += f64::from(-similarity(truth, found, Metric::L2));
    }
    Some(sum / pairs.len() as f64)
}

/// What a floor scores on `items`.
pub(super) fn floor_row(
    floor: Floor,
    items: &[Usable],
    protocol: Protocol,
    seed: u64,
) -> Result<EvaluateRow> {
    let name = match floor {
        Floor::Chance => "chance",
        Floor::TagRandom => "tag-random",
    };
    let pools: Vec<usize> = match floor {
        Floor::Chance => vec![items.len(); items.len()],
        Floor::TagRandom => tag_pools(&items.iter().map(|item| item.tags.as_slice()).collect::<Vec<_>>())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Input,
                    "no test item has tags, so there is no tag-random floor; add tags to corpus.json",
                )
            })?,
    };
    let (recall, intervals) = luck(&pools, seed);
    let mut row = row_of(&recall, intervals, items.len(), protocol);
    name.clone_into(&mut row.pack);
    name.clone_into(&mut row.method);
    row.vggish_distance_reason = Some("a floor picks by lot".to_owned());
    Ok(row)
}

/// For each query the number of candidates that share one of its tags; all where it has none. `None` where no item has
/// tags.
fn tag_pools(tags: &[&[String]]) -> Option<Vec<usize>> {
    if tags.iter().all(|tags| tags.is_empty()) {
        return None;
    }
    let shared = |own: &[String]| {
        tags.iter()
            .filter(|other| other.iter().any(|tag| own.contains(tag)))
            .count()
    };
    Some(
        tags.iter()
            .map(|own| if own.is_empty() { tags.len() } else { shared(own) })
            .collect(),
    )
}

fn row_of(recall: &Recall, ci95: Intervals, queries: usize, protocol: Protocol) -> EvaluateRow {
    EvaluateRow {
        pack: String::new(),
        method: String::new(),
        without: Vec::new(),
        protocol,
        ask: Ask::Both,
        queries,
        r1: recall.r1,
        r5: recall.r5,
        r10: recall.r10,
        r25: recall.r25,
        median_rank: recall.median_rank,
        ci95,
        vggish_distance: None,
        vggish_distance_reason: None,
        vggish_ruler_sha256: None,
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_narrows_the_lot() {
        let tags: Vec<Vec<String>> = [&["battle"][..], &["battle", "calm"], &["calm"], &[]]
            .iter()
            .map(|tags| tags.iter().map(|&tag| tag.to_owned()).collect())
            .collect();
        let tags: Vec<&[String]> = tags.iter().map(Vec::as_slice).collect();
        assert_eq!(tag_pools(&tags), Some(vec![2, 3, 2, 4]));
        assert_eq!(tag_pools(&tags[3..]), None);
    }

    #[test]
    fn the_distance_is_between_the_first_and_the_truth() {
        let pair = |measured: f32| Pair {
            query: Vec::new(),
            bgm: Vec::new(),
            measured: Some(vec![measured, 0.0]),
        };
        let pairs = [pair(0.0), pair(3.0)];
        let scores = [vec![0.1, 0.9], vec![f32::NAN, 0.2]];
        assert_eq!(mean_distance(&pairs, &scores), Some(1.5));
    }
}
