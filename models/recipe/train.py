"""Trains the two U-nets of the separator on mixes that are drawn afresh for every step, on a GPU where there is one.

Loss: Spleeter's L1 between estimated and true stem magnitude, for each net's own output and again after the ratio mask that the program
applies, each example divided by its stem's and its mix's mean; and the error in decibels of the masked mix with the mix's phase, which
is what SI-SDR sees of it (the same for both stems, whose masks add up to one), so that a faint bed counts as much as a loud one. Adam with a
cosine rate over the steps, an exponential average of the weights, checkpoints; run again to go on.
"""

import time

import torch

import banks
import blend
import unet

# Of a batch for each device: how many frames in all, and frames of an example with how often. Longer ones are what the program has.
FRAMES = {"cuda": 4096, "cpu": 512}
LENGTHS = {128: 0.6, 256: 0.3, 512: 0.1}
RATE_START, RATE_END, WARM = 2e-3, 1e-5, 200
DROPOUT = 0.15  # Spleeter's 0.5 is for nets of sixteen times the weights
LAYOUT = torch.channels_last
OWN, MASKED, DECIBEL = 0.3, 0.7, 0.08  # weights of the loss's terms
FLOOR = 1e-4  # of the mix's power: an error below it is as good as none
KEPT_S = 60  # between checkpoints and checks


def outputs(nets, mix):
    """What each net says, in half precision as far as it goes."""
    with torch.autocast(mix.device.type, dtype=torch.bfloat16):
        return [nets[stem](mix.contiguous(memory_format=LAYOUT), DROPOUT) for stem in unet.STEMS]


def ratios(magnitudes):
    squares = [magnitude.square() for magnitude in magnitudes]
    total = sum(squares) + 1e-6
    return [square / total for square in squares]


def loss(nets, drawn):
    estimates = outputs(nets, drawn.mix)
    masks = ratios(estimates)
    level = drawn.mix.mean((1, 2, 3))
    terms = []
    for estimate, mask, target in zip(estimates, masks, drawn.stems):
        scale = 2 * (target.mean((1, 2, 3)) + 0.2 * level + 1e-3)
        for weight, guess in ((OWN, estimate), (MASKED, mask * drawn.mix)):
            terms.append(weight * (guess - target).abs().mean((1, 2, 3)) / scale)
    power = drawn.mix.square().sum((1, 2, 3)) + 1e-3
    wrong = ((masks[0] * drawn.mix).square() - 2 * masks[0] * drawn.products[0] + drawn.stems[0].square()).sum((1, 2, 3)).clamp(min=0)
    terms.append(DECIBEL * 10 * torch.log10(wrong / power + FLOOR) + DECIBEL * 40)
    return sum(terms).mean()


def si_sdr(mask, drawn, stem):
    """Of each example, in dB, of the mix under `mask`: over the kept bins of the spectra, which tell nearly what the samples do."""
    own = drawn.stems[stem].square().sum((1, 2, 3)) + 1e-9
    shared = (mask * drawn.products[stem]).sum((1, 2, 3))
    target = shared.square() / own
    return 10 * torch.log10(target / ((mask * drawn.mix).square().sum((1, 2, 3)) - target).clamp(min=1e-9) + 1e-9)


class Trainer:
    """Everything that a training run is, so that it can be stopped and gone on with at any step."""

    def __init__(self, work, steps, seed):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.path, self.steps, self.seed = work / "separator.pt", steps, seed
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
        self.banks = banks.load([work / "corpus" / "train", work / "corpus" / "arena"], self.device)
        self.nets, self.average = torch.nn.ModuleDict(), torch.nn.ModuleDict()
        for group in (self.nets, self.average):
            for index, stem in enumerate(unet.STEMS):
                torch.manual_seed(seed + index)
                group[stem] = unet.UNet().to(self.device, memory_format=LAYOUT)
        self.average.eval().requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.nets.parameters(), RATE_START, fused=True)
        self.at = 0
        if self.path.exists():
            saved = torch.load(self.path, map_location=self.device, weights_only=True)
            self.nets.load_state_dict(saved["nets"])
            self.optimiser.load_state_dict(saved["optimiser"])
            for stem in unet.STEMS:
                self.average[stem].load_state_dict(saved["average"][stem])
            self.at = saved["step"]
        self.checks = {"generated": self.held_out(work / "corpus" / "test")} if (work / "corpus" / "test").is_dir() else {}

    def held_out(self, folder, count=16, frames=384):
        """Fixed pairs of a voice and a bed that are kept out of training."""
        torch.manual_seed(99)
        held, length = banks.load([folder], self.device), blend.samples_of(frames)
        return held["speech"].cut(count, length, pause_s=0.5).expand(-1, 2, -1), held["music"].cut(count, length)

    def rate(self):
        warm = min(1.0, (self.at + 1) / WARM)
        turn = torch.tensor(torch.pi * min(1.0, self.at / self.steps)).cos().item()
        return warm * (RATE_END + (RATE_START - RATE_END) * 0.5 * (1 + turn))

    def step(self):
        """One step; its loss stays on the device."""
        torch.manual_seed(self.seed * 1_000_003 + self.at)
        frames = list(LENGTHS)[int(torch.multinomial(torch.tensor(list(LENGTHS.values())), 1))]
        with torch.no_grad():
            drawn = blend.batch(self.banks, max(1, FRAMES[self.device] // frames), frames)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.nets.train()
        value = loss(self.nets, drawn)
        self.optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.nets.parameters(), 5.0)
        self.optimiser.step()
        self.at += 1
        keep = min(0.999, (self.at + 1) / (self.at + 10))
        with torch.no_grad():
            pairs = [(mean, now) for mean, now in zip(self.average.state_dict().values(), self.nets.state_dict().values())
                     if mean.is_floating_point()]
            torch._foreach_lerp_([mean for mean, _ in pairs], [now for _, now in pairs], 1 - keep)
        return value.detach()

    @torch.no_grad()
    def check(self):
        """{name: mean (voice improvement, BGM improvement) in dB for a bed at 0 dB, and voice after for one at -18 dB}."""
        out = {}
        for name, pairs in self.checks.items():
            row = []
            for level_db in (0, -18):
                drawn = blend.plain(*pairs, level_db)
                masks = ratios(outputs(self.average, drawn.mix))
                for stem, mask in enumerate(masks):
                    after = si_sdr(mask, drawn, stem)
                    row.append(float((after - si_sdr(1.0, drawn, stem) if level_db == 0 else after).mean()))
            out[name] = [round(value, 2) for value in row[:3]]
        return out

    def save(self):
        partial = self.path.with_suffix(".part")
        torch.save({"nets": self.nets.state_dict(), "optimiser": self.optimiser.state_dict(), "step": self.at,
                    "average": {stem: self.average[stem].state_dict() for stem in unet.STEMS}}, partial)
        partial.rename(self.path)

    def run(self, seconds):
        """Trains for so long or to the end, then says how it stands and leaves a checkpoint."""
        begin, first, losses = time.monotonic(), self.at, []
        while self.at < self.steps and time.monotonic() - begin < seconds:
            losses.append(self.step())
        value = float(torch.stack(losses).mean())
        each_ms = 1000 * (time.monotonic() - begin) / (self.at - first)
        print(f"step {self.at} of {self.steps}, {each_ms:.1f} ms each, rate {self.rate():.1e} loss {value:.4f} {self.check()}", flush=True)
        self.save()


def train(work, steps, threads, seed):
    torch.set_num_threads(threads)
    trainer = Trainer(work, steps, seed)
    print(f"on {trainer.device}, {({kind: len(bank) for kind, bank in trainer.banks.items()})} recordings", flush=True)
    while trainer.at < trainer.steps:
        trainer.run(KEPT_S)
