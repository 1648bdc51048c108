//! What can be asked of evaluation, and the table that comes back.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::retrieval::Intervals;

/// Where the two sounds of a pair come from (reading, point 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The paper's: both stems cut from the video's mix, even where clean ones exist.
    Separated,
    /// The clean voice against the clean, un-ducked track.
    Clean,
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "separated" => Ok(Self::Separated),
            "clean" => Ok(Self::Clean),
            _ => Err(Error::new(
                ErrorKind::Input,
                format!("--protocol {text}: choose separated or clean"),
            )),
        }
    }
}

/// What a query is asked with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// All that the item and the method have.
    #[default]
    Both,
    /// The voice-over alone.
    Voice,
    /// The picture alone.
    Picture,
}

impl Ask {
    /// Nothing is left out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
    fn is_both(&self) -> bool {
        *self == Self::Both
    }
}

impl FromStr for Ask {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "both" => Ok(Self::Both),
            "voice" => Ok(Self::Voice),
            "picture" => Ok(Self::Picture),
            _ => Err(Error::new(
                ErrorKind::Input,
                format!("--ask {text}: choose both, voice or picture"),
            )),
        }
    }
}

/// A row that needs no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Floor {
    /// Every order of the candidates is equally likely.
    Chance,
    /// Candidates that share a tag with the query come first, in a random order (Table 3 of the paper).
    TagRandom,
}

impl FromStr for Floor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "chance" => Ok(Self::Chance),
            "tag-random" => Ok(Self::TagRandom),
            _ => Err(Error::new(
                ErrorKind::Input,
                format!("--floor {text}: choose chance or tag-random"),
            )),
        }
    }
}

/// What to evaluate.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateRequest {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// Pack names or folders; empty for the pack in use.
    pub packs: Vec<String>,
    /// Floors; empty with `train` for all that the test items allow, else for none.
    pub floors: Vec<Floor>,
    /// Protocols; empty for every one that all test items allow.
    pub protocols: Vec<Protocol>,
    /// What every pack is asked with, a row each; empty for both modalities.
    pub asks: Vec<Ask>,
    /// Train those of the paper's rows that are not there yet first, into the user's own packs, and evaluate all of them.
    pub train: bool,
    /// Passes over the corpus in training the rows; `None` until the loss converges.
    pub epochs: Option<usize>,
    /// Seed of training, of the bootstrap and of the floors.
    pub seed: u64,
}

impl EvaluateRequest {
    /// The pack in use on `corpus`.
    pub fn new(corpus: &Path) -> Self {
        Self {
            corpus: corpus.to_owned(),
            packs: Vec::new(),
            floors: Vec::new(),
            protocols: Vec::new(),
            asks: Vec::new(),
            train: false,
            epochs: None,
            seed: 0,
        }
    }
}

/// One row of the table, percentages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluateRow {
    /// Pack name, or the floor's name.
    pub pack: String,
    /// `mrcmv`, `cmmr`, `cbvmr`, `chance` or `tag-random`.
    pub method: String,
    /// Modules left out in training.
    pub without: Vec<String>,
    /// Where the sounds come from.
    pub protocol: Protocol,
    /// What the queries are asked with; left out of JSON for both modalities.
    #[serde(skip_serializing_if = "Ask::is_both")]
    pub ask: Ask,
    /// Queries, and candidates as many.
    pub queries: usize,
    /// R@1.
    pub r1: f64,
    /// R@5.
    pub r5: f64,
    /// R@10.
    pub r10: f64,
    /// R@25.
    pub r25: f64,
    /// Median rank of the truth.
    pub median_rank: f64,
    /// 95 % intervals by the names `r1`, `r5`, `r10`, `r25`: by bootstrap over the queries, or for a floor the range in which
    /// luck falls with as many queries.
    pub ci95: Intervals,
    /// Mean VGGish distance of top-1 and truth (reading, point 10); null without the ruler.
    pub vggish_distance: Option<f64>,
    /// Why the distance is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vggish_distance_reason: Option<String>,
    /// sha256 of the ruler's weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vggish_ruler_sha256: Option<String>,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluateReport {
    /// The corpus's name.
    pub corpus: String,
    /// The rows.
    pub rows: Vec<EvaluateRow>,
    /// Rows that were asked for and are not there, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_rows: Vec<(String, String)>,
    /// Items passed over, and why.
    pub rejected: Vec<(String, String)>,
}
