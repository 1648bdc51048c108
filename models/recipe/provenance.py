"""What a pack says of its making: one sentence for each network that was trained, by which later steps know what is there."""

import json

TRAINED = ("The separator was trained on speech by espeak-ng, flite and festival over music by the recipe's composer and the Freedoom "
           "compositions (BSD-3-Clause, see models/README.md), played by fluidsynth, with generated game sounds, and on training stems of "
           "arena.")
LISTENED = "VGGish was trained to tell recordings of the same corpus apart, without labels."
TAUGHT = "The two VGGish were then taught the moods of the generated corpus arena."
SEEN = "SlowFast was taught the moods and scenes of arena's pictures."
SEEDED = "SlowFast is seeded, not trained."
FRESH = "MRCMV's heads are first weights that compare what the networks tell."
FINISHED = "MRCMV's heads were trained on arena by the program."


def said(pack):
    """All that a pack says; nothing where there is none."""
    manifest = pack / "pack.json"
    return json.loads(manifest.read_text())["provenance"] if manifest.exists() else ""
