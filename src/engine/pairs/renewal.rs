//! Items drawn anew while a run goes on.
//!
//! What an epoch learns from follows from its number alone, not from what was drawn in between or how long that took: a
//! resumed run finds the cuts of an uninterrupted one.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::item::{Maker, Way};
use super::{Pairs, stops_all};
use crate::engine::clips::{Keep, Picture};
use crate::engine::corpus::Usable;
use crate::error::Result;
use crate::jobs::Monitor;
use crate::training::{Cut, Example};

/// When items are drawn anew: item `i` in the epochs that leave the same rest as `i` when divided by the period, but for
/// the first epoch, which has what was made before it.
#[derive(Debug, Clone, Copy)]
struct Calendar {
    period: usize,
}

impl Calendar {
    fn draws(self, item: usize, epoch: usize) -> bool {
        epoch > 1 && epoch % self.period == item % self.period
    }

    /// The last epoch up to `epoch` in which any of `items` is drawn anew; 1 where none is.
    fn latest(self, items: usize, epoch: usize) -> usize {
        let drawn = |epoch: &usize| (0..items.min(self.period)).any(|item| self.draws(item, *epoch));
        (1..=epoch).rev().find(drawn).unwrap_or(1)
    }
}

/// Draws items anew, each once in so many epochs.
pub(in crate::engine) struct Renewal<'a, P, S> {
    maker: Maker<'a>,
    items: Vec<(&'a Usable, Way)>,
    calendar: Calendar,
    /// Cuts kept of an item; a new one takes the place of the oldest.
    kept: usize,
    folder: PathBuf,
    state: RefCell<State<P, S>>,
}

struct State<P, S> {
    epoch: usize,
    examples: Vec<Example<P, S>>,
    /// For each example, the epochs that its last cuts were drawn for.
    drawn_for: Vec<Vec<usize>>,
}

impl<'a, P: Picture + Clone, S: Keep + Clone> Renewal<'a, P, S> {
    /// Of what `pairs` holds, each item once in `period` epochs. Features of what is drawn are kept in `folder` as long
    /// as they are learnt from.
    pub(in crate::engine) fn new(
        maker: Maker<'a>,
        pairs: &Pairs<'a, P, S>,
        period: usize,
        folder: &Path,
    ) -> Self {
        let how = maker.how();
        Self {
            maker,
            items: pairs.made.clone(),
            calendar: Calendar {
                period: period.max(1),
            },
            kept: how.cuts.max(how.renderings).min(period).max(1),
            folder: folder.to_owned(),
            state: RefCell::new(State {
                epoch: 1,
                examples: pairs.examples.clone(),
                drawn_for: vec![Vec::new(); pairs.examples.len()],
            }),
        }
    }

    /// The last epoch up to `epoch` in which an item is drawn anew; 1 where none is.
    pub(in crate::engine) fn latest(&self, epoch: usize) -> usize {
        self.calendar.latest(self.items.len(), epoch)
    }

    /// What `epoch` learns from, in the order of the pairs that the run began with. An item of which nothing can be drawn
    /// keeps what it has; where that is because of its files, it is said.
    ///
    /// # Errors
    /// When the disk is full; cancelled.
    pub(in crate::engine) fn examples(&self, epoch: usize, monitor: &Monitor) -> Result<Vec<Example<P, S>>> {
        let mut state = self.state.borrow_mut();
        for (at, &(item, way)) in self.items.iter().enumerate() {
            // The newest first, until no older one is left over: a resumed run comes to many at once.
            let mut drawn: Vec<(usize, Cut<P, S>)> = Vec::new();
            let due = |epoch: &usize| self.calendar.draws(at, *epoch);
            for draw in (state.epoch + 1..=epoch).rev().filter(due) {
                monitor.check()?;
                let clips = self.maker.clips().drawing_into(self.folder_of(draw))?;
                match self
                    .maker
                    .with(&clips)
                    .another(item, way, draw, &monitor.unseen())
                {
                    Ok(Some(cut)) => drawn.push((draw, cut)),
                    Ok(None) => {}
                    Err(error) if stops_all(&error) => return Err(error),
                    Err(error) => {
                        monitor.warn(format!(
                            "{} is learnt from as it was heard before: {error}",
                            item.id
                        ));
                    }
                }
                if drawn.len() == self.kept {
                    break;
                }
            }
            for (draw, cut) in drawn.into_iter().rev() {
                let cuts = &mut state.examples[at].cuts;
                let over = (cuts.len() + 1).saturating_sub(self.kept);
                cuts.drain(..over);
                cuts.push(cut);
                let drawn_for = &mut state.drawn_for[at];
                let over = (drawn_for.len() + 1).saturating_sub(self.kept);
                drawn_for.drain(..over);
                drawn_for.push(draw);
            }
        }
        state.epoch = epoch;
        self.forget(&state.drawn_for);
        Ok(state.examples.clone())
    }

    fn folder_of(&self, draw: usize) -> PathBuf {
        self.folder.join(draw.to_string())
    }

    /// Removes the features that nothing is learnt from any more. What cannot be removed does no harm.
    fn forget(&self, drawn_for: &[Vec<usize>]) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let draw: Option<usize> = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if draw.is_none_or(|draw| !drawn_for.iter().flatten().any(|&other| other == draw)) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_drawn_once_in_a_period_and_none_for_the_first_epoch() {
        let calendar = Calendar { period: 4 };
        for item in 0..6 {
            let drawn: Vec<usize> = (1..=9).filter(|&epoch| calendar.draws(item, epoch)).collect();
            assert_eq!(drawn.len(), 2, "{item}: {drawn:?}");
            assert_eq!(drawn[1] - drawn[0], 4);
        }
        // Of two items, those of rest 0 and 1.
        let latest: Vec<usize> = (1..=9).map(|epoch| calendar.latest(2, epoch)).collect();
        assert_eq!(latest, [1, 1, 1, 4, 5, 5, 5, 8, 9]);
        // Every item in every epoch.
        let always = Calendar { period: 1 };
        assert!((2..9).all(|epoch| always.draws(5, epoch) && always.latest(1, epoch) == epoch));
    }
}
