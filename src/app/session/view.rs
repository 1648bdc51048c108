//! The part of the clip that the timeline shows.

/// Shortest part that can be shown, seconds.
const SHORTEST_S: f64 = 0.5;
/// Where the playhead stands after the timeline has turned a page, as a share of what is shown.
const PAGE_LEAD: f64 = 0.08;

/// A stretch of the clip; the whole of it to begin with.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::app) struct View {
    start_s: f64,
    /// `None` shows everything.
    span_s: Option<f64>,
    /// The user moved away from the playhead, which is let go until it comes into sight again.
    away: bool,
}

impl View {
    /// Start and length of what is shown of a clip of `duration_s`, seconds.
    pub(in crate::app) fn shown(&self, duration_s: f64) -> (f64, f64) {
        match self.span_s {
            Some(span_s) if span_s < duration_s => (self.start_s.clamp(0.0, duration_s - span_s), span_s),
            _ => (0.0, duration_s.max(0.0)),
        }
    }

    /// Whether only a part is shown.
    pub(in crate::app) fn is_part(&self, duration_s: f64) -> bool {
        self.span_s.is_some_and(|span_s| span_s < duration_s)
    }

    /// Shows `factor` times more detail; what is at `at_s` stays where it is.
    pub(in crate::app) fn zoom(&mut self, at_s: f64, factor: f64, duration_s: f64) {
        let (start_s, span_s) = self.shown(duration_s);
        let least_s = SHORTEST_S.min(duration_s);
        if !(factor.is_finite() && factor > 0.0 && span_s > 0.0) {
            return;
        }
        let wanted_s = (span_s / factor).clamp(least_s, duration_s);
        let part = ((at_s - start_s) / span_s).clamp(0.0, 1.0);
        self.span_s = (wanted_s < duration_s).then_some(wanted_s);
        self.start_s = (start_s + part * (span_s - wanted_s)).max(0.0);
        self.away = true;
    }

    /// Moves what is shown by `by_s` seconds.
    pub(in crate::app) fn scroll(&mut self, by_s: f64, duration_s: f64) {
        let (start_s, span_s) = self.shown(duration_s);
        self.start_s = (start_s + by_s).clamp(0.0, (duration_s - span_s).max(0.0));
        self.away = true;
    }

    /// Shows everything.
    pub(in crate::app) fn fit(&mut self) {
        *self = Self::default();
    }

    /// The clock was moved by hand: it is followed again.
    pub(in crate::app) fn come_back(&mut self) {
        self.away = false;
    }

    /// Turns the page where the playhead leaves it.
    pub(in crate::app) fn follow(&mut self, position_s: f64, duration_s: f64) {
        let (start_s, span_s) = self.shown(duration_s);
        if (start_s..=start_s + span_s).contains(&position_s) {
            self.away = false;
        } else if !self.away {
            self.start_s = (position_s - PAGE_LEAD * span_s).clamp(0.0, (duration_s - span_s).max(0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_what_is_under_the_pointer() {
        let mut view = View::default();
        assert_eq!(view.shown(40.0), (0.0, 40.0));
        view.zoom(10.0, 2.0, 40.0);
        assert_eq!(view.shown(40.0), (5.0, 20.0));
        view.zoom(5.0, 2.0, 40.0);
        assert_eq!(view.shown(40.0), (5.0, 10.0));
        view.zoom(15.0, 1e9, 40.0);
        assert_eq!(view.shown(40.0), (14.5, 0.5));
        view.zoom(15.0, 1e-9, 40.0);
        assert!(!view.is_part(40.0));
        view.zoom(0.0, 2.0, 0.0);
        assert_eq!(view.shown(0.0), (0.0, 0.0));
        // A shorter clip shows what it has.
        view.zoom(39.0, 4.0, 40.0);
        assert_eq!(view.shown(6.0), (0.0, 6.0));
    }

    #[test]
    fn the_playhead_is_followed_until_the_user_looks_elsewhere() {
        let mut view = View::default();
        view.zoom(20.0, 4.0, 40.0);
        view.follow(0.0, 40.0);
        assert_eq!(view.shown(40.0), (15.0, 10.0), "looking closer elsewhere");
        view.scroll(-15.0, 40.0);
        view.follow(9.0, 40.0);
        assert_eq!(view.shown(40.0).0, 0.0);
        view.follow(10.5, 40.0);
        let (start_s, span_s) = view.shown(40.0);
        assert!((9.0..10.5).contains(&start_s) && span_s == 10.0);
        view.scroll(20.0, 40.0);
        view.follow(11.0, 40.0);
        assert!(view.shown(40.0).0 > 25.0, "looking elsewhere");
        view.come_back();
        view.follow(11.0, 40.0);
        assert!(view.shown(40.0).0 < 11.0);
        view.scroll(-100.0, 40.0);
        assert_eq!(view.shown(40.0).0, 0.0);
        view.fit();
        assert!(!view.is_part(40.0));
    }
}
