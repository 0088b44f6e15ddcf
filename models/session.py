"""ONNX Runtime with the settings under which a network gives the same bytes everywhere, on one thread."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelReason, ModelRefused
from models.files import REINSTALL
from models.manifest import Manifest, Tensor
from models.runtime import import_runtime

ERRORS_ONLY = 3
"""ONNX Runtime's severities: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal."""


class Session:
    """One network, ready to run."""

    def __init__(self, runtime: Any, manifest: Manifest) -> None:
        self._runtime = runtime
        self._inputs = [tensor.name for tensor in manifest.inputs]
        self._outputs = [tensor.name for tensor in manifest.outputs]

    def run(self, inputs: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], ...]:
        """Outputs for inputs, both in the order of the manifest."""
        return tuple(self._runtime.run(self._outputs, dict(zip(self._inputs, inputs, strict=True))))


def open_session(network: bytes, manifest: Manifest) -> Session:
    """A session over these bytes, on the CPU.

    Raises:
        ModelRefused: ONNX Runtime is not there, does not take the file, or finds other inputs and outputs in it than
            the manifest names.
    """
    try:
        onnxruntime = import_runtime()
    except ImportError as error:
        what, remedy = f"onnxruntime cannot be imported: {error}", "install onnxruntime, version 1.17 or later"
        raise ModelRefused(ModelReason.RUNTIME, manifest.name, what, remedy) from None
    try:
        runtime = onnxruntime.InferenceSession(network, _options(onnxruntime), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises classes of its own, without a common parent
        what = f"ONNX Runtime {onnxruntime.__version__} does not take it: {' '.join(str(error).split())[:200]}"
        raise ModelRefused(
            ModelReason.RUNTIME, manifest.name, what, "install the version that the package names"
        ) from None
    _compare(manifest, "inputs", manifest.inputs, runtime.get_inputs())
    _compare(manifest, "outputs", manifest.outputs, runtime.get_outputs())
    return Session(runtime, manifest)


def _options(onnxruntime: Any) -> Any:
    """One thread that never spins; integers stay integers.

    EXTENDED fuses each convolution between 8-bit tensors into one on whole numbers. Below it the same file is computed
    in floating point, with other results; above it ONNX Runtime chooses layouts by the processor.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.use_deterministic_compute = True
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _compare(manifest: Manifest, which: str, said: Sequence[Tensor], found: Sequence[Any]) -> None:
    """The same names in any order, float32, and axes that fit."""
    here = {node.name: node for node in found}
    for tensor in said:
        node = here.get(tensor.name)
        if node is None or node.type != "tensor(float)" or not _same_axes(tensor.shape, node.shape):
            what = f"{tensor.name} of its {which} is not as the manifest says"
            raise ModelRefused(ModelReason.MANIFEST, manifest.name, what, REINSTALL)
    if len(here) != len(said):
        raise ModelRefused(
            ModelReason.MANIFEST, manifest.name, f"it has {len(here)} {which}, not {len(said)}", REINSTALL
        )


def _same_axes(said: Sequence[int | str], found: Sequence[Any]) -> bool:
    """A number is that number; a name is free, and found as a name or as nothing."""
    if len(said) != len(found):
        return False
    return all(a == b if isinstance(a, int) else not isinstance(b, int) for a, b in zip(said, found, strict=True))
