"""Makes tiny.onnx, tiny.json and tiny.bin beside itself: a network of all operations of a real one, with drawn weights.

    python tests/models/make_tiny.py

Needs onnx and onnxruntime, in a Python of its own: nothing that ships needs onnx.
"""

import json
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))
from models.training.quantise import quantise, scale_of, scale_of_input  # noqa: E402 - found by the line above


def network(random):
    """Half the size and back, one sum, and two outputs of 4 and 3 channels."""
    constants = {
        "w1": random.normal(0, 0.5, (4, 2, 3, 3)),
        "b1": random.normal(0, 0.2, 4),
        "w2": random.normal(0, 0.4, (3, 4, 3, 3)),
        "b2": random.normal(0, 0.2, 3),
        "w3": random.normal(0, 0.6, (4, 3, 1, 1)),
        "b3": random.normal(0, 0.2, 4),
        "w4": random.normal(0, 0.6, (4, 4, 1, 1)),
        "b4": random.normal(0, 0.2, 4),
        "twice": np.array([1, 1, 2, 2]),
    }
    around = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["map", "w1", "b1"], ["c1"], **around),
        helper.make_node("Relu", ["c1"], ["one"]),
        helper.make_node("Conv", ["one", "w2", "b2"], ["c2"], strides=[2, 2], **around),
        helper.make_node("Relu", ["c2"], ["context"]),
        helper.make_node("Conv", ["context", "w3", "b3"], ["c3"], kernel_shape=[1, 1]),
        helper.make_node(
            "Resize",
            ["c3", "", "twice"],
            ["up"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node("Add", ["one", "up"], ["sum"]),
        helper.make_node("Conv", ["sum", "w4", "b4"], ["local"], kernel_shape=[1, 1]),
    ]
    arrays = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    map_ = helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 2, "rows", "columns"])
    outputs = [
        helper.make_tensor_value_info("local", TensorProto.FLOAT, [1, 4, "rows", "columns"]),
        helper.make_tensor_value_info("context", TensorProto.FLOAT, [1, 3, "rows2", "columns2"]),
    ]
    graph = helper.make_graph(nodes, "tiny", [map_], outputs, arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main():
    random = np.random.default_rng(6)
    maps = random.normal(0, 1, (16, 2, 16, 24)).clip(-4, 4).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "float.onnx")
        onnx.save(network(random), source)
        quantise(source, maps, HERE / "tiny.onnx")
    model = onnx.load(HERE / "tiny.onnx")
    matrix = random.integers(-100, 100, (2, 3)).astype("<i2")
    gain = np.array([0.5, 2.0], "<f4")
    (HERE / "tiny.bin").write_bytes(matrix.tobytes() + gain.tobytes())
    free = ["rows", "columns"]
    manifest = {
        "name": "tiny",
        "network": part("tiny.onnx"),
        "inputs": [{"name": "map", "shape": [1, 2, *free], "scale": scale_of_input(model)}],
        "outputs": [
            {"name": "local", "shape": [1, 4, *free], "scale": scale_of(model, "local")},
            {"name": "context", "shape": [1, 3, "rows2", "columns2"], "scale": scale_of(model, "context")},
        ],
        "multiple": 2,
        "levels": [{"cell": 16, "noise": [0.0, 20.0]}],
        "codebook": part("tiny.bin")
        | {
            "arrays": [
                {"name": "matrix", "dtype": "int16", "shape": [2, 3]},
                {"name": "gain", "dtype": "float32", "shape": [2]},
            ]
        },
    }
    (HERE / "tiny.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def part(name):
    data = (HERE / name).read_bytes()
    return {"file": name, "sha256": sha256(data).hexdigest(), "bytes": len(data)}


if __name__ == "__main__":
    main()
