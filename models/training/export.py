"""From a training run to a float ONNX file of the trunk and the matrix of the head.

    python -m models.training.export RUN/trunk.pt OUT.onnx OUT.npz

The next step, models/training/quantise.py, makes the 8-bit file that ships.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from models.training.network import Head, Trunk, folded

OPSET = 17


def load(path: Path) -> tuple[Trunk, Head]:
    """The averaged weights of a run, batch normalisation folded."""
    trunk, head = Trunk(), Head()
    torch.nn.ModuleList((trunk, head)).load_state_dict(torch.load(path, weights_only=True)["state"])
    return folded(trunk), head.eval()


def export(run: Path, model: Path, matrix: Path) -> None:
    """Write the trunk with free numbers of rows and columns, multiples of 8, and the head's matrix (256, 200)."""
    trunk, head = load(run)
    size = {2: "rows", 3: "columns"}
    torch.onnx.export(
        trunk,
        (torch.zeros(1, 2, 32, 40),),
        str(model),
        input_names=["map"],
        output_names=["local", "context"],
        dynamic_axes={"map": size, "local": size, "context": {2: "rows4", 3: "columns4"}},
        opset_version=OPSET,
        dynamo=False,
    )
    np.savez(matrix, project=head.project.weight.detach().numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("matrix", type=Path)
    given = parser.parse_args()
    export(given.run, given.model, given.matrix)


if __name__ == "__main__":
    main()
