"""An 8-bit network computed in whole numbers by numpy: what every processor must come to.

Reads the ONNX file that models/training/quantise.py writes. A tensor is kept as its bytes with step and zero. A
convolution is exact in int64; its sum times step · step / step in float32 is rounded once, half to even. A sum of two
tensors is a whole number of steps.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]


class Bytes(NamedTuple):
    """values: whole numbers less their zero. step: of one tensor, or (channels,) of a weight."""

    values: Whole
    step: Floats


class Sums(NamedTuple):
    """What is to be rounded to bytes. unit: what 1 stands for, broadcast over the values."""

    values: NDArray[np.floating] | Whole
    unit: Floats


def run_whole(model: onnx.ModelProto, given: Mapping[str, Floats]) -> dict[str, Floats]:
    """The outputs of the network.

    Raises:
        ValueError: the file has an operation that quantise.py does not write.
    """
    constants = {array.name: onnx.numpy_helper.to_array(array) for array in model.graph.initializer}
    bytes_: dict[str, Bytes] = {}
    sums: dict[str, Sums] = {name: Sums(values, np.ones((), np.float32)) for name, values in given.items()}
    for node in model.graph.node:
        out, into = node.output[0], node.input
        if node.op_type == "QuantizeLinear":
            step, zero = constants[into[1]], int(constants[into[2]])
            read = sums[into[0]] if into[0] in sums else Sums(bytes_[into[0]].values, bytes_[into[0]].step)
            bytes_[out] = _rounded(read, step, zero)
        elif node.op_type == "DequantizeLinear":
            bytes_[out] = bytes_[into[0]] if into[0] in bytes_ else _constant(node, constants)
        elif node.op_type == "Conv":
            sums[out] = _convolved(node, *(bytes_[name] for name in into))
        elif node.op_type == "Add":
            one, two = bytes_[into[0]], bytes_[into[1]]
            sums[out] = Sums(
                one.values * np.float64(one.step) + two.values * np.float64(two.step), np.ones((), np.float32)
            )
        elif node.op_type == "Resize":
            bytes_[out] = Bytes(bytes_[into[0]].values.repeat(2, 2).repeat(2, 3), bytes_[into[0]].step)
        else:
            raise ValueError(f"{node.op_type} is not an operation of whole numbers")
    found = {output.name: bytes_[output.name] for output in model.graph.output}
    return {name: (each.values * each.step).astype(np.float32) for name, each in found.items()}


def _rounded(read: Sums, step: Floats, zero: int) -> Bytes:
    """Whole sums become float32, and are multiplied once; what two tensors add up to is a whole number of steps."""
    scaled = read.values.astype(np.float32) * (read.unit / step).astype(np.float32)
    return Bytes(np.clip(np.rint(scaled).astype(np.int64) + zero, 0, 255) - zero, step)


def _constant(node: onnx.NodeProto, constants: Mapping[str, NDArray[np.generic]]) -> Bytes:
    """A weight or a bias. Signed ones have zero as their zero."""
    return Bytes(constants[node.input[0]].astype(np.int64), constants[node.input[1]].astype(np.float32))


def _convolved(node: onnx.NodeProto, read: Bytes, weight: Bytes, bias: Bytes) -> Sums:
    options = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    top, left, bottom, right = options.get("pads", (0, 0, 0, 0))
    down, across = options.get("strides", (1, 1))
    padded = np.pad(read.values, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.values.shape[2:], (2, 3))[:, :, ::down, ::across]
    # Sums stay below 2^31, so that float64 is exact, and faster than whole numbers.
    sums = np.einsum("ncijkl,ockl->noij", windows.astype(np.float64), weight.values.astype(np.float64), optimize=True)
    unit = (read.step * weight.step).astype(np.float32).reshape(1, -1, 1, 1)
    return Sums(sums + bias.values.reshape(1, -1, 1, 1), unit)
