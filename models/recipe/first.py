"""MRCMV's first weights: they compare what the eye and the ears tell.

How much the voice's telling counts against the picture's, and how far tellings of one story lie apart, is measured on the validation
split, which taught none of them: the music's telling is regressed on the query's, axis by axis. Both embedding layers turn the eight steps
of valence and arousal into coordinates in which what that regression leaves has deviation 1, the mean of the steps apart from the way
around it, since an ear that errs does so for a whole clip. The gate weighs voice against picture, and where one is absent the other counts
as the regression on it alone says. What else the rows hold counts nothing yet.
"""

import numpy as np
import torch

import features
import hear
import listen
import see
import stems

AXES, STEPS, WIDTH, WIDE = 2, features.MRCMV["steps"], features.MRCMV["d"], features.MRCMV["d_e"]
PATCHES, CLIP_FRAMES = 72, 3198
# Neighbouring steps of 4 s share one of the story's 8 s, so that two of them say as much as one.
TWINS = 2
# Part of its weight that a picture beside a voice is left with: pictures are less like the validation split's than voices are.
TRUST = 0.5
# Part of its weight that the way around a clip's mean is left with: within a clip of a real voice an ear errs more than in arena's.
WAY = 0.5
# How far the gate is open for what the eye was not taught to tell: in pictures of another world that is anything.
UNTAUGHT = 0.05
# The dimensions by which the gate knows that the picture or the voice is absent, and how far the tokens go there.
NO_PICTURE, NO_VOICE, FLAG = WIDTH - 2, WIDTH - 1, 8.0
# Length of the vector that all embeddings have in common, in deviations: with it a cosine goes by how strong a mood is, too.
COMMON = 0.3
# Factor of an embedding's length, so that the first steps of training do not drown what it holds.
LENGTH = 3.0


def eye_of(work):
    """The eye as see.py left it."""
    eye = see.Eye()
    eye.load_state_dict(torch.load(work / "eye.pt", weights_only=True))
    return eye.eval()


def told(work):
    """What voice, picture and music of the validation split tell, [N, 8, 2] each, by name."""
    starts = np.round(np.arange(PATCHES) * (CLIP_FRAMES - listen.FRAMES) / (PATCHES - 1)).astype(int)
    eye, answers = eye_of(work), {}
    with torch.no_grad():
        for side in stems.SIDES:
            ear, answers[side] = hear.taught(work, side), []
            for item in stems.bank(work / "arena", work / "mel", "val")[side, "clean"]:
                patches = np.stack([item.mel[start: start + listen.FRAMES] for start in starts]).astype(np.float32)
                moods = ear(*hear.batch([patches], [item.degrees(0, starts)]))[1][0][0].numpy()
                answers[side].append(moods.reshape(STEPS, -1, AXES).mean(1))
        answers["picture"] = [eye(see.as_it_is(film.clip(0)[0])[None])[0][0].numpy() for film in see.bank([work / "arena"], work / "films", "val")]
    return {name: np.stack(answer) for name, answer in answers.items()}


def regression(queries, music):
    """Slopes of the music's telling [N, 8] on those of queries, and what they leave [N, 8]. Through the origin: all sides tell in the same
    units, and what few speakers have on average is their own."""
    known = np.stack([query.ravel() for query in queries], 1)
    slopes = np.linalg.lstsq(known, music.ravel(), rcond=None)[0]
    return slopes, music - (known @ slopes).reshape(music.shape)


class Comparison:
    """How tellings are weighed: for each axis the voice's and the picture's weight together and alone, and the coordinates [8, 8] of the
    steps."""

    def __init__(self, tellings):
        self.together, self.alone, self.coordinates = np.zeros((AXES, 2)), np.zeros((AXES, 2)), []
        for axis in range(AXES):
            voice, picture, music = (tellings[name][..., axis] for name in ("voice", "picture", "bgm"))
            self.together[axis], left = regression([voice, picture], music)
            self.together[axis][1] *= TRUST
            self.alone[axis] = [regression([query], music)[0][0] for query in (voice, picture)]
            mean = np.full((STEPS, STEPS), 1 / STEPS)
            whole = left.mean(1)
            way = left - whole[:, None]
            self.coordinates.append(mean / np.sqrt(STEPS * whole.var()) + WAY * (np.eye(STEPS) - mean) / np.sqrt(TWINS * way.var()))

    def __str__(self):
        axes = ("valence", "arousal")
        return "; ".join(f"{axes[axis]}: voice {self.together[axis][0]:.2f} and picture {self.together[axis][1]:.2f}, alone "
                         f"{self.alone[axis][0]:.2f} or {self.alone[axis][1]:.2f}" for axis in range(AXES))


def parameters(work, seed):
    """MRCMV's first weights by name, from the ears and the eye in `work`."""
    generator = torch.Generator().manual_seed(seed)
    comparison, tell = Comparison(told(work)), eye_of(work).tell
    print(f"weights of tellings: {comparison}", flush=True)
    out = attentions({side: hear.taught(work, side).attention.state_dict() for side in stems.SIDES}, generator)
    out |= picture_rows(tell, generator) | gate(comparison) | tokens(out["sa_voice.wo.weight"] @ out["sa_voice.wv.weight"])
    return out | embeddings(comparison, generator)


def xavier(rows, columns, generator):
    return (torch.rand(rows, columns, generator=generator) * 2 - 1) * (6.0 / (rows + columns)) ** 0.5


def attentions(ears, generator):
    """The self-attentions of the ears as they were taught, the others shut."""
    out = {}
    for module in ("sa_video", "sa_voice", "sa_bgm", "cma_video", "cma_voice"):
        for matrix in ("wq", "wk", "wv"):
            out[f"{module}.{matrix}.weight"] = xavier(WIDTH, WIDTH, generator)
        out[f"{module}.wo.weight"] = torch.zeros(WIDTH, WIDTH)
    for side, attention in ears.items():
        out |= {f"sa_{side}.{name}": tensor.clone() for name, tensor in attention.items()}
    return out


def picture_rows(tell, generator):
    """`video_fc`: the moods as the eye was taught to tell them, in the ears' units."""
    weight = 0.1 * xavier(WIDTH, features.MRCMV["slow_dim"] + features.MRCMV["fast_dim"], generator)
    bias = torch.zeros(WIDTH)
    weight[:AXES], bias[:AXES] = hear.MOODS_KEPT * tell.weight[:AXES].detach(), hear.MOODS_KEPT * tell.bias[:AXES].detach()
    weight[[NO_PICTURE, NO_VOICE]] = 0
    return {"video_fc.weight": weight, "video_fc.bias": bias}


def gate(comparison):
    """It weighs the moods by who is there, and is nearly shut for what else a picture holds, open for what else a voice holds. The first half
    of its rows is the picture's, the second the voice's."""
    weight, bias = torch.zeros(2 * WIDTH, 2 * WIDTH), torch.ones(2 * WIDTH)
    bias[:WIDTH] = UNTAUGHT
    for axis in range(AXES):
        (voice, picture), (voice_alone, picture_alone) = comparison.together[axis], comparison.alone[axis]
        bias[axis], bias[WIDTH + axis] = picture, voice
        weight[axis, WIDTH + NO_VOICE] = (picture_alone - picture) / FLAG
        weight[WIDTH + axis, NO_PICTURE] = (voice_alone - voice) / FLAG
    return {"gate.weight": weight, "gate.bias": bias}


def tokens(attended):
    """The rows of what is absent: they reach the gate as a flag that tells no mood. `attended` is what the voice's self-attention adds to
    each of equal rows."""
    flags = FLAG * torch.eye(WIDTH)
    return {"absent_video": flags[NO_PICTURE].clone(), "absent_voice": torch.linalg.solve(torch.eye(WIDTH) + attended, flags[NO_VOICE])}


def embeddings(comparison, generator):
    """Both embedding layers, in one turned basis."""
    turn = torch.linalg.qr(torch.randn(WIDE, AXES * STEPS + 1, generator=generator))[0].double()
    axes = turn[:, 1:].unflatten(1, (AXES, STEPS))
    embed = torch.zeros(WIDE, STEPS, WIDTH, dtype=torch.float64)
    for axis in range(AXES):
        coordinates = axes[:, axis] @ torch.from_numpy(comparison.coordinates[axis])
        embed[:, :, axis] = coordinates / hear.MOODS_KEPT
    weight, bias = (LENGTH * embed.flatten(1)).float(), (LENGTH * COMMON * turn[:, 0]).float()
    return {name: value.clone() for layer in ("query_fc", "bgm_fc") for name, value in ((f"{layer}.weight", weight), (f"{layer}.bias", bias))}
