"""From the 8-bit trunk and the head's matrix to the files that ship: NAME.onnx, NAME.bin and NAME.json.

    python -m models.training.seal NAME TRUNK8.onnx HEAD.npz

The matrix becomes signed bytes with one step, which cancels out as the vector has no length. Prints the line of
models/pinned.py, without which nothing is loaded.
"""

import argparse
import hashlib
from pathlib import Path

import msgspec
import numpy as np
import onnx

from models.manifest import Array, Codebook, Level, Manifest, Part, Tensor
from models.training.views import LOUD

FOLDER = Path(__file__).parents[1]
MULTIPLE = 4


def seal(name: str, trunk: Path, head: Path) -> str:
    """Write the three files. Returns the SHA-256 of the manifest in hex."""
    network = trunk.read_bytes()
    with np.load(head) as arrays:
        project = arrays["project"]
    matrix = np.rint(project * (127 / np.abs(project).max())).astype(np.int8)
    (FOLDER / f"{name}.onnx").write_bytes(network)
    (FOLDER / f"{name}.bin").write_bytes(matrix.tobytes())
    model = onnx.load(trunk)
    manifest = Manifest(
        name=name,
        network=part(f"{name}.onnx", network),
        inputs=tuple(tensor(node, model) for node in model.graph.input),
        outputs=tuple(tensor(node, model) for node in model.graph.output),
        multiple=MULTIPLE,
        levels=tuple(Level(cell=cell, noise=(0.0, LOUD)) for cell in (8, 16, 32)),
        codebook=Codebook(
            **msgspec.structs.asdict(part(f"{name}.bin", matrix.tobytes())),
            arrays=(Array(name="project", dtype="int8", shape=matrix.shape),),
        ),
    )
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    (FOLDER / f"{name}.json").write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def part(file: str, data: bytes) -> Part:
    """A file's entry in the manifest."""
    return Part(file=file, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def tensor(node: onnx.ValueInfoProto, model: onnx.ModelProto) -> Tensor:
    """Of an input or output, with the step of the bytes that it is made of."""
    shape = tuple(axis.dim_param or axis.dim_value for axis in node.type.tensor_type.shape.dim)
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    for step in model.graph.node:
        if (step.op_type == "QuantizeLinear" and step.input[0] == node.name) or (
            step.op_type == "DequantizeLinear" and step.output[0] == node.name
        ):
            return Tensor(name=node.name, shape=shape, scale=float(constants[step.input[1]]))
    raise SystemExit(f"{node.name} is not quantised")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("trunk", type=Path)
    parser.add_argument("head", type=Path)
    given = parser.parse_args()
    print(f'"{given.name}": "{seal(given.name, given.trunk, given.head)}",')


if __name__ == "__main__":
    main()
