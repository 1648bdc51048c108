//! Whatever a pack matches by: MRCMV, or one of the two systems it is compared with.

use candle_core::Tensor;

use super::Engine;
use super::clips::Listening;
use crate::error::{Error, Result};
use crate::networks::cbvmr::{Cbvmr, Norming, picture_statistics};
use crate::networks::cmmr::Cmmr;
use crate::networks::mrcmv::{Mrcmv, Norm, QueryInput};
use crate::retrieval::Metric;

/// The network of a pack's method.
pub(super) enum Matcher<'a> {
    Mrcmv(&'a Mrcmv),
    Cmmr(Cmmr),
    Cbvmr(Cbvmr),
}

impl<'a> Matcher<'a> {
    /// # Errors
    /// When the pack lacks the network, or its method is not one that this version knows.
    pub(super) fn load(engine: &'a Engine) -> Result<Self> {
        let (pack, device) = (engine.pack(), &engine.device().device);
        match pack.manifest.method.as_str() {
            "mrcmv" => Ok(Self::Mrcmv(engine.mrcmv()?)),
            "cmmr" => Ok(Self::Cmmr(pack.build("cmmr", device, Cmmr::new)?)),
            "cbvmr" => Ok(Self::Cbvmr(pack.build("cbvmr", device, Cbvmr::new)?)),
            other => Err(Error::pack(format!(
                "the pack {} holds {other}, which this version does not know; choose a pack of mrcmv, cmmr or cbvmr",
                pack.manifest.name
            ))),
        }
    }

    /// What it takes of the music.
    pub(super) fn listening(&self) -> Listening {
        match self {
            Self::Mrcmv(_) | Self::Cmmr(_) => Listening::Rows,
            Self::Cbvmr(_) => Listening::Statistics,
        }
    }

    /// Whether the voice is part of the question.
    pub(super) fn hears_voice(&self) -> bool {
        matches!(self, Self::Mrcmv(_))
    }

    pub(super) fn metric(&self) -> Metric {
        match self {
            Self::Mrcmv(network) if network.config().norm == Norm::None => Metric::L2,
            _ => Metric::Cosine,
        }
    }

    /// The embedding of one question, [1, d_E].
    ///
    /// # Errors
    /// When it lacks what the method asks with, a shape is not the config's, or the device fails.
    pub(super) fn query(&self, input: &QueryInput) -> Result<Tensor> {
        let picture = || {
            input
                .picture
                .as_ref()
                .ok_or_else(|| Error::internal("a question by the picture alone has no picture"))
        };
        match self {
            Self::Mrcmv(network) => Ok(network.query(input, 0.0)?.embedding),
            Self::Cmmr(network) => {
                let (slow, fast) = picture()?;
                Ok(network.video(slow, fast)?.embedding)
            }
            Self::Cbvmr(network) => {
                let (slow, fast) = picture()?;
                let statistics = picture_statistics(slow, fast)?;
                Ok(network.video(&statistics, Norming::Running)?.embedding)
            }
        }
    }

    /// The embedding of one candidate's music, [1, d_E].
    ///
    /// # Errors
    /// When the shape is not the config's or the device fails.
    pub(super) fn bgm(&self, music: &Tensor) -> Result<Tensor> {
        let music = music.unsqueeze(0)?;
        match self {
            Self::Mrcmv(network) => network.bgm(&music),
            Self::Cmmr(network) => Ok(network.music(&music)?.embedding),
            Self::Cbvmr(network) => Ok(network.music(&music, Norming::Running)?.embedding),
        }
    }
}
