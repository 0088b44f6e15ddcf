"""A map in, the features that are published out."""

from edge.features.classical import Classical
from edge.features.map import Map
from wire.schema import Features


def describe(source: Map) -> Features:
    """Keypoints, descriptors and a vector of one map. Deterministic; post-processing of releases."""
    return Classical().describe(source)
