"""From a float ONNX file to the 8-bit one that ships, which gives the same bytes on every processor.

    python -m models.training.quantise FLOAT.onnx MAPS.npz OUT.onnx

MAPS.npz: `maps`, (n, 2, rows, columns) float32 as the trunk reads them, noise and all. Needs onnx and onnxruntime.

Static quantisation (unsigned activations, signed weights with a scale per channel), with two rules beyond the usual:

- Weights have 7 bits. An x86 processor without VNNI adds two products of bytes in 16 bits with saturation
  (vpmaddubsw): 2 · 255 · 64 fits, 2 · 255 · 127 does not.
- Steps of activations are powers of two, and what is added has at least the step of the sum. ONNX Runtime adds two
  8-bit tensors in floating point, with or without fused multiply-adds as the processor has them, and rounds halves to
  even on x86 and away from zero on ARM (1.31.1, measured). So the sum is a whole number of steps: nothing is rounded.

The file is compared with itself computed in whole numbers by numpy (models/training/whole.py), bit for bit.
"""

import argparse
import hashlib
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from models.runtime import import_runtime
from models.training.whole import run_whole

onnxruntime = import_runtime()
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static  # noqa: E402 - only
from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: E402 - once its telemetry is off

Maps = NDArray[np.float32]
FINER = 3
"""Powers of two below the one that holds every value that are tried: they clip what is rare for a finer step."""
SIGNED = ("local",)
"""Outputs whose zero is byte 128, so that value / scale is a signed byte."""
QUANTISED = ("Conv", "Add", "Relu", "Resize")


@dataclass(frozen=True, slots=True)
class Scale:
    """A byte q stands for (q - zero) · step."""

    step: float
    zero: int

    def error(self, values: Maps) -> float:
        """The sum of squares of what these bytes lose."""
        bytes_ = np.clip(np.rint(values / np.float32(self.step)) + self.zero, 0, 255)
        return float(np.square((bytes_ - self.zero) * self.step - values, dtype=np.float64).sum())


class Reader(CalibrationDataReader):  # ONNX Runtime has no types
    """Maps, one at a time."""

    def __init__(self, name: str, maps: Maps) -> None:
        self._batches: Iterator[dict[str, Maps]] = ({name: each[None]} for each in maps)

    def get_next(self) -> dict[str, Maps] | None:
        """The next, or None at the end."""
        return next(self._batches, None)


def candidates(low: float, high: float, *, signed: bool) -> list[Scale]:
    """Scales for values from low to high: one that holds all of them, and finer ones. Zero is always a byte exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    reach = 2 * max(-low, high) * 255 / 254 if signed else high - low
    widest = math.ceil(math.log2(max(reach, 1e-6) / 255))
    steps = [2.0 ** (widest - finer) for finer in range(FINER + 1)]
    zeros = [128 if signed else round(-low / (high - low) * 255) if high > low else 0 for _ in steps]
    return [Scale(step, zero) for step, zero in zip(steps, zeros, strict=True)]


def choose_scales(model: onnx.ModelProto, maps: Maps) -> dict[str, Scale]:
    """For every activation the power of two that loses least on these maps.

    A Resize has the scale of what it reads, as it only repeats bytes; what an Add reads is as coarse as its sum.
    """
    graph = model.graph
    names = [graph.input[0].name, *(name for node in graph.node for name in node.output)]
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Resize"}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    there = {output.name for output in graph.output}
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names[1:] if name not in there)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])

    def values(one: Maps) -> dict[str, Maps]:
        found = session.run(names[1:], {names[0]: one[None]})
        return dict(zip(names, [one[None], *found], strict=True))

    ends = dict.fromkeys(names, (math.inf, -math.inf))
    for one in maps:
        for name, array in values(one).items():
            ends[name] = (min(ends[name][0], float(array.min())), max(ends[name][1], float(array.max())))
    tried = {name: candidates(*ends[name], signed=name in SIGNED) for name in names}
    lost = {name: np.zeros(len(scales)) for name, scales in tried.items()}
    for one in maps:
        for name, array in values(one).items():
            lost[name] += [scale.error(array) for scale in tried[name]]
    chosen = {name: tried[name][int(lost[name].argmin())] for name in names}
    for node in graph.node:
        if node.op_type == "Add":
            least = chosen[node.output[0]].step
            for name in (same.get(name, name) for name in node.input):
                chosen[name] = replace(chosen[name], step=max(least, chosen[name].step))
    return chosen | {out: chosen[into] for out, into in same.items()}


def quantise(source: Path, maps: Maps, target: Path) -> None:
    """Write the 8-bit file."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder, "prepared.onnx")
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        model = onnx.load(prepared)
        overrides = {
            name: [
                {
                    "quant_type": QuantType.QUInt8,
                    "scale": np.array(scale.step, np.float32),
                    "zero_point": np.array(scale.zero, np.uint8),
                }
            ]
            for name, scale in choose_scales(model, maps).items()
        }
        quantize_static(
            prepared,
            target,
            Reader(model.graph.input[0].name, maps[:1]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"TensorQuantOverrides": overrides},
        )
    onnx.save(plain(onnx.load(target)), target)


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network without what only its making needed.

    ONNX Runtime's tool names every family of operators that it knows, and an older release refuses a file for the names
    of families that no operator of it is of: 1.17.0 did.
    """
    used = {node.domain for node in model.graph.node}
    families = [family for family in model.opset_import if family.domain in used]
    del model.opset_import[:], model.graph.value_info[:], model.metadata_props[:]
    model.opset_import.extend(families)
    return model


def compare(source: Path, target: Path, maps: Maps) -> list[str]:
    """Lines about the 8-bit file: size, hash, how far from the float one, and whether whole numbers give the same.

    Raises:
        ArithmeticError: ONNX Runtime and the whole numbers of numpy differ in a bit.
    """
    before, after = _session(source), _session(target)
    names = [output.name for output in after.get_outputs()]
    model = onnx.load(target)
    signal, noise = np.zeros(len(names)), np.zeros(len(names))
    for one in maps:
        given = {after.get_inputs()[0].name: one[None]}
        exact, bytes_, whole = before.run(names, given), after.run(names, given), run_whole(model, given)
        for k, name in enumerate(names):
            if not np.array_equal(bytes_[k], whole[name]):
                raise ArithmeticError(f"{name}: {np.count_nonzero(bytes_[k] != whole[name])} values are not the same")
            signal[k] += float(np.square(exact[k], dtype=np.float64).sum())
            noise[k] += float(np.square(exact[k] - bytes_[k], dtype=np.float64).sum())
    data, (rows, columns) = target.read_bytes(), maps.shape[2:]
    millions = multiplications(source, maps[0]) / 1e6
    return [
        f"sha256 {hashlib.sha256(data).hexdigest()}, {len(data)} bytes",
        f"{parameters(model)} parameters, {millions:.1f} M multiplications for a map of {rows} x {columns}",
        f"{model.graph.input[0].name}: step {scale_of_input(model)!r}",
        *(
            f"{name}: step {scale_of(model, name)!r}, signal {10 * math.log10(s / max(n, 1e-30)):.1f} dB above the loss"
            for name, s, n in zip(names, signal, noise, strict=True)
        ),
        f"{len(maps)} maps: the same bits in ONNX Runtime {onnxruntime.__version__} and in whole numbers",
    ]


def scale_of(model: onnx.ModelProto, output: str) -> float:
    """What every value of this output is a whole multiple of."""
    node = next(node for node in model.graph.node if output in node.output)
    if node.op_type != "DequantizeLinear":
        raise ValueError(f"{output} does not come from bytes")
    step = next(array for array in model.graph.initializer if array.name == node.input[1])
    return float(onnx.numpy_helper.to_array(step))


def scale_of_input(model: onnx.ModelProto) -> float:
    """What the values of the one input are rounded to whole multiples of."""
    name = model.graph.input[0].name
    node = next(node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] == name)
    step = next(array for array in model.graph.initializer if array.name == node.input[1])
    return float(onnx.numpy_helper.to_array(step))


def parameters(model: onnx.ModelProto) -> int:
    """Weights and biases of the convolutions."""
    sizes = {array.name: math.prod(array.dims) for array in model.graph.initializer}
    made = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    weights = (made.get(name, name) for node in model.graph.node if node.op_type == "Conv" for name in node.input[1:])
    return sum(sizes[name] for name in weights)


def multiplications(source: Path, one: Maps) -> int:
    """Of the convolutions, for one map."""
    model = onnx.load(source)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    there = {output.name for output in model.graph.output}
    wanted = [node.output[0] for node in convolutions]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in there)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(wanted, {model.graph.input[0].name: one[None]})
    dims = {array.name: array.dims for array in model.graph.initializer}
    return sum(out.size * math.prod(dims[node.input[1]][1:]) for node, out in zip(convolutions, found, strict=True))


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def main() -> None:
    """Quantise, compare, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="FLOAT.onnx")
    parser.add_argument("maps", type=Path, metavar="MAPS.npz")
    parser.add_argument("target", type=Path, metavar="OUT.onnx")
    given = parser.parse_args()
    maps = np.load(given.maps)["maps"]
    quantise(given.source, maps, given.target)
    sys.stdout.write("\n".join(compare(given.source, given.target, maps[:8])) + "\n")


if __name__ == "__main__":
    main()
