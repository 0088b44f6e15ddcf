"""A map in, the features that are published out: by the method that the settings name."""

import logging
from collections.abc import Callable
from typing import Protocol

from edge.errors import ModelUnusable
from edge.features.classical import Classical
from edge.features.learned import Learned
from edge.features.map import Map
from edge.sections import FeaturesSettings
from models.errors import ModelRefused
from models.load import load
from wire.schema import Features

log = logging.getLogger("speckled.features")

NETWORK = "learned-1"
"""The model in models/ that `learned` is."""


class Describer(Protocol):
    """A method of finding and describing what a map shows: post-processing of releases, and deterministic."""

    def describe(self, source: Map) -> Features:
        """Keypoints, descriptors and a vector of one map."""
        ...


def describer(settings: FeaturesSettings, learned: Callable[[FeaturesSettings], Describer] | None = None) -> Describer:
    """The method that the settings name.

    Where its network is refused, the method that `fallback` names takes its place, said once in the log, and every
    observation says by its `method` which it was.

    Args:
        settings: `[features]`.
        learned: makes the method with the network; raises ModelRefused.

    Raises:
        ModelUnusable: the network is refused, and no other method may take its place.
    """
    if settings.method == "sift":
        return Classical()
    try:
        return (learned or _learned)(settings)
    except ModelRefused as refused:
        if settings.fallback == "none":
            raise ModelUnusable.of(refused) from None
        log.warning("%s; maps are described by SIFT, as `fallback` in [features] says", refused)
        return Classical()


def _learned(settings: FeaturesSettings) -> Describer:
    return Learned(load(NETWORK), expected_false=settings.expected_false, most=settings.most)
