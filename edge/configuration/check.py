"""Everything that can be found wrong with the settings of a device without its hardware."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge.config import Settings, refusals, with_absolute_paths
from edge.configuration.files import faults_of_files, open_to_others
from edge.configuration.keys import meaning_of
from wire.faults import Fault, find_faults
from wire.layers import Layers, has
from wire.options import warnings
from wire.settings import settings_from

Size = tuple[int, int]


def faults_of(layers: Layers, folder: Path, size: Size | None = None) -> list[Fault]:
    """All faults: of the keys first; only where there are none, of the promise and of the files that are named.

    Args:
        layers: the settings.
        folder: what relative paths are relative to.
        size: width and height in pixels of the camera's frames, where somebody knows them.
    """
    faults = find_faults(layers, Settings)
    if faults:
        return [_with_meaning(fault) for fault in faults]
    settings = settings_from(layers, Settings)
    absolute = with_absolute_paths(settings, folder)
    return [*_of_promise(layers, settings, size), *faults_of_files(layers, absolute)]


def warnings_of(layers: Layers, folder: Path) -> list[str]:
    """What works and should be otherwise, a sentence each. The settings are in order."""
    settings = with_absolute_paths(settings_from(layers, Settings), folder)
    files = (layer.name for layer in layers.layers if layer.text and has(layer.tree, ("camera", "source")))
    found = [*warnings(settings.mqtt), *open_to_others(settings, files)]
    if not settings.capture.require_locked_memory:
        found.append("frames may be swapped to a disk: require_locked_memory = false is for trials")
    return found


def _of_promise(layers: Layers, settings: Settings, size: Size | None) -> Iterator[Fault]:
    for error in refusals(layers, settings, size):
        where, _, rest = error.detail.partition(": ")
        what, _, place = rest.rpartition(" - at `$.")
        yield Fault(where, place.strip("`"), what, error.remedy)


def _with_meaning(fault: Fault) -> Fault:
    """Where a value is wrong, what the key means says what a right one would be."""
    meaning = meaning_of(fault.place)
    if not meaning or not fault.remedy.startswith("correct the value"):
        return fault
    return replace(fault, remedy=f"{fault.remedy} ({meaning})")
