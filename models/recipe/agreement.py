"""How well ranked tracks agree with a feeling, by moods.csv and emotions.csv, with what chance would give; and a check of the ruler itself.

An *axis* is arousal or valence. A query has a sign on it (1 excited or pleasant, -1 calm or unpleasant, 0 left out), a track a level
(-1, 0, 1). A track of the query's sign agrees wholly, one of level 0 by half, one of the other sign not at all; *agreement* is the mean,
first within the queries of each sign, then over the two signs. So an answer that does not depend on the query scores 50 exactly,
whatever tracks it prefers and however many queries each sign has. *AUC* is the part of pairs (query of sign 1, query of sign -1) whose
ten tracks are in the right order by their mean level.

Intervals: 95 %, over resampled clusters. A cluster is one actor's one emotion (both intensities), drawn with replacement within its sign.
They say what other utterances and emotions might give, less what other actors would, and for three actors are somewhat too narrow: the
self-check counts how often they hold the truth.
Chance: 95 % of the values when the emotions of each actor's clusters are dealt anew, so that the ranking keeps its habits and loses only
its relation to what was acted.
"""

import csv
import pathlib

import numpy as np

from listener import auc

AXES = ("arousal", "valence")
TOP = 10
HERE = pathlib.Path(__file__).parent


def table(name, key):
    """{key: {arousal, valence, ...}} of a CSV file beside this one."""
    with open(HERE / name, newline="") as file:
        return {row[key]: row | {axis: int(row[axis]) for axis in AXES} for row in csv.DictReader(file)}


class Trial:
    """Queries whose sign on one axis is known, and the levels of the tracks that each was answered with.

    `actors` and `emotions` name the queries' clusters, `signs` are theirs, `levels` is [queries, 10], best track first."""

    def __init__(self, actors, emotions, signs, levels):
        used = np.asarray(signs) != 0
        self.signs, self.levels = np.asarray(signs)[used], np.asarray(levels, float)[used]
        actors, emotions = np.asarray(actors)[used], np.asarray(emotions)[used]
        names, self.cluster = np.unique([f"{a} {e}" for a, e in zip(actors, emotions)], return_inverse=True)
        self.actor = np.array([actors[self.cluster == index][0] for index in range(len(names))])
        self.sign = np.array([self.signs[self.cluster == index][0] for index in range(len(names))])

    def agreement(self, depth, rows=None, signs=None):
        """Percent, of the first `depth` tracks."""
        signs = self.signs if signs is None else signs
        rows = np.arange(len(signs)) if rows is None else rows
        shares = (1 + signs[rows] * self.levels[rows, :depth].mean(1)) / 2
        return 100 * np.mean([shares[signs[rows] == sign].mean() for sign in (1, -1)])

    def auc(self, rows=None, signs=None):
        signs = self.signs if signs is None else signs
        rows = np.arange(len(signs)) if rows is None else rows
        return auc(self.levels[rows].mean(1), signs[rows] == 1, signs[rows] == -1)

    def same(self, depth, sign, level):
        """Percent of the first `depth` tracks of the queries of a sign that have this level."""
        return 100 * (self.levels[self.signs == sign, :depth] == level).mean()

    def interval(self, measure, generator, draws=2000):
        members = [np.flatnonzero(self.cluster == index) for index in range(len(self.sign))]
        sides = [np.flatnonzero(self.sign == sign) for sign in (1, -1)]
        drawn = lambda: np.concatenate([members[index] for side in sides for index in generator.choice(side, len(side))])
        return np.percentile([measure(drawn(), None) for _ in range(draws)], [2.5, 97.5])

    def chance(self, measure, generator, draws=2000):
        values, signs = [], self.sign.copy()
        for _ in range(draws):
            for actor in set(self.actor):
                own = np.flatnonzero(self.actor == actor)
                signs[own] = generator.permutation(self.sign[own])
            values.append(measure(None, signs[self.cluster]))
        return np.percentile(values, [2.5, 97.5])

    def measures(self):
        """Name, function of (rows, signs), digits."""
        return (("top-1 agreement", lambda rows, signs: self.agreement(1, rows, signs), 1),
                (f"top-{TOP} agreement", lambda rows, signs: self.agreement(TOP, rows, signs), 1),
                ("AUC", self.auc, 2))


def own_habit(actors, levels):
    """Levels less the mean of their actor's answers, spread evenly over the ten (only means are used of them)."""
    means = np.asarray(levels, float).mean(1)
    for actor in set(actors):
        own = np.asarray(actors) == actor
        means[own] -= means[own].mean()
    return np.repeat(means[:, None], np.shape(levels)[1], 1)


def same_or_opposite(trial, depth, track_levels):
    """One sentence: how often a track's level is the query's, or the other one, and how often a random track's is."""
    parts = []
    for sign in (1, -1):
        shares = [(trial.same(depth, sign, level), 100 * (track_levels == level).mean()) for level in (sign, -sign)]
        (hit, random_hit), (miss, random_miss) = shares
        parts.append(f"{hit:.0f} % same, {miss:.0f} % opposite (random track {random_hit:.0f} and {random_miss:.0f})")
    return parts


def halves(groups):
    """First halves and second halves of arrays, each put together: of one video's pieces from calm to fast, the calm and the fast."""
    return tuple(np.concatenate(part) for part in zip(*(np.split(group, 2) for group in groups)))


def gap_by_chance(groups, generator, draws=4000):
    """95 % of the differences between the means of second and first halves when each group is shuffled."""
    dealt = [halves([generator.permutation(group) for group in groups]) for _ in range(draws)]
    return np.percentile([after.mean() - before.mean() for before, after in dealt], [2.5, 97.5])


def expect(what, right):
    print(f"{'ok' if right else 'WRONG'}: {what}")
    if not right:
        raise SystemExit("the ruler is wrong; trust none of its figures")


def self_check(actors=("01", "02", "03")):
    """Planted answers with known scores: obedient, contrary, deaf, random."""
    moods, emotions, generator = table("moods.csv", "file"), table("emotions.csv", "code"), np.random.default_rng(1)
    queries = [(actor, code) for actor in actors for code in emotions for _ in range(1 if code == "01" else 2)]
    scores_of = lambda got: f"{got[0]:.1f}, {got[1]:.1f} and AUC {got[2] / 100:.2f}"
    for axis in AXES:
        tracks = np.array([mood[axis] for mood in moods.values()])
        signs = np.array([emotions[code][axis] for _, code in queries])
        ranked = lambda key: np.array([tracks[np.argsort(-key(sign), kind="stable")[:TOP]] for sign in signs])
        trial = lambda levels: Trial(*zip(*queries), signs, levels)
        for name, factor, want in (("follows the table", 1, 100), ("goes against the table", -1, 0)):
            made = trial(ranked(lambda sign: factor * sign * tracks + 0.1 * generator.random(len(tracks))))
            got = made.agreement(1), made.agreement(TOP), 100 * made.auc()
            expect(f"{axis}: a ranking that {name} scores {scores_of(got)}", np.allclose(got, want))
        deaf = trial(np.repeat(generator.choice(tracks, (1, TOP)), len(signs), 0))
        got = deaf.agreement(1), deaf.agreement(TOP), 100 * deaf.auc()
        expect(f"{axis}: a ranking that is the same for all queries scores {scores_of(got)}", np.allclose(got, 50))
        half = lambda sign: generator.random(len(tracks)) + (0.3 if generator.random() < 0.5 else 0) * sign * tracks
        value = trial(ranked(half))
        expect(f"{axis}: a ranking that listens half of the time scores {value.agreement(TOP):.0f}, between chance and all",
               value.chance(value.measures()[1][1], generator, 300)[1] < value.agreement(TOP) < 95)
        scores, covered, false_alarms = [], 0, 0
        for _ in range(200):
            lot = trial(ranked(lambda sign: generator.random(len(tracks))))
            measure = lot.measures()[1][1]
            low, high = lot.interval(measure, generator, 200)
            below, above = lot.chance(measure, generator, 200)
            scores.append(lot.agreement(TOP))
            covered += low <= 50 <= high
            false_alarms += not below <= scores[-1] <= above
        mean, error = np.mean(scores), np.std(scores) / np.sqrt(len(scores))
        expect(f"{axis}: 200 random rankings score {mean:.1f} +- {error:.1f} on average", abs(mean - 50) < 3.5 * error)
        expect(f"{axis}: {covered / 2:.0f} % of their intervals hold 50 (95 would be ideal; few clusters give a little less)", covered >= 170)
        expect(f"{axis}: {false_alarms / 2:.1f} % of them fall outside chance (5 would be ideal)", 2 <= false_alarms <= 22)
    calm, fast = halves([np.array([-1, -0.8, 0.5, 0.7]), np.array([0.0, 0.2])])
    expect(f"pictures: calm and fast pieces are told apart, {calm.mean():+.2f} and {fast.mean():+.2f}",
           np.allclose((calm.mean(), fast.mean()), (-0.6, 1.4 / 3)))
    videos = lambda step: [generator.normal(size=6) + step * (np.arange(6) > 2) for _ in range(2)]
    gap = lambda pieces: np.diff([half.mean() for half in halves(pieces)])[0]
    outside = lambda pieces: abs(gap(pieces)) > np.abs(gap_by_chance(pieces, generator, 300)).max()
    alarms = sum(outside(videos(0)) for _ in range(200))
    expect(f"pictures: {alarms / 2:.1f} % of random differences fall outside chance (5 would be ideal)", alarms <= 22)
    found = sum(outside(videos(4)) for _ in range(50))
    expect(f"pictures: {2 * found} % of large differences are found", found >= 48)
