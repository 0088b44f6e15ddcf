"""Can maps be described as the settings say?"""

import json

from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok, skip, warn
from edge.features.describe import NETWORK

SECONDS = 30.0
"""A Zero 2 takes several to import ONNX Runtime from a card."""


def network(device: Device) -> Outcome:
    """The network that `[features]` names is the one that shipped, and runs here."""
    settings = device.known.features
    if settings.method == "sift":
        return skip("[features] names sift, which has no network")
    answer = device.system.run((device.system.interpreter.executable, "-m", "edge.doctor.network", NETWORK), SECONDS)
    try:
        found = json.loads(answer.text) if answer is not None else {}
    except ValueError:
        found = {}
    if not isinstance(found, dict) or not {"error", "sha256"} & set(found):
        ended = f"ended the process with status {answer.status}" if answer else f"took longer than {SECONDS:.0f} s"
        found = {"error": f"loading {NETWORK} {ended}", "remedy": "install another version of onnxruntime"}
    if "error" in found:
        if settings.fallback == "none":
            return fail(str(found["error"]), str(found.get("remedy", "")))
        return warn(f"{found['error']}; SIFT takes its place, as [features] says", str(found.get("remedy", "")))
    line = (
        f"{found.get('name')}, SHA-256 {found['sha256']}, loaded in {found.get('seconds')} s; "
        f"a map takes {found.get('milliseconds')} ms"
    )
    return ok(line)
