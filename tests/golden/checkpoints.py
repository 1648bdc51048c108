"""Writes checkpoints.* : the same small state dictionary in the official checkpoint forms.

    python tests/golden/checkpoints.py        (needs torch and numpy)

The values follow from their index alone, so that the Rust test knows them: element i of `a.weight` [2, 3] is i / 4,
`a.bias` [3] is a transposed, offset view into the same storage, `half` [2] is float16, `count` is an int64 scalar.
"""

import pathlib
import pickle
from collections import OrderedDict

import numpy
import torch

here = pathlib.Path(__file__).parent
base = torch.arange(8, dtype=torch.float32) / 4
state = OrderedDict(
    [
        ("a.weight", base[:6].reshape(2, 3)),
        ("a.turned", base[2:8].reshape(2, 3).t()),
        ("a.parameter", torch.nn.Parameter(base[6:8].clone())),
        ("half", torch.tensor([1.5, -2.0], dtype=torch.float16)),
        ("count", torch.tensor(7)),
    ]
)
torch.save({"epoch": 3, "model_state": state}, here / "checkpoints.zip.pth")
torch.save(state, here / "checkpoints.legacy.pth", _use_new_zipfile_serialization=False)

arrays = {name: tensor.detach().numpy() for name, tensor in state.items()}
arrays["a.turned"] = numpy.asfortranarray(arrays["a.turned"])
for protocol in (2, 4):
    with open(here / f"checkpoints.protocol{protocol}.pkl", "wb") as file:
        pickle.dump({"blobs": arrays}, file, protocol=protocol)
