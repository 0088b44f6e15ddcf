"""One vector for a whole map, and what can be told of places by it."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Looks = Mapping[tuple[str, str], Vector]
"""(place, view) to its vector."""
CLUSTERS = 16
ROUNDS = 20


def floats(descriptors: NDArray[np.generic], *, packed_bits: bool) -> NDArray[np.float32]:
    """Descriptors (n, d) as numbers; packed bits become -1 and 1."""
    if packed_bits:
        return 2 * np.unpackbits(descriptors.astype(np.uint8), axis=1).astype(np.float32) - 1
    return descriptors.astype(np.float32)


def codebook(descriptors: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32] | None:
    """The centres (16, d) of k-means, begun at 16 of the descriptors (n, d); None where there are too few."""
    if len(descriptors) < 2 * CLUSTERS:
        return None
    begin = descriptors[random.choice(len(descriptors), CLUSTERS, replace=False)]
    labels = nearest(descriptors, begin).astype(np.int32)[:, None]
    stop = (cv2.TERM_CRITERIA_MAX_ITER, ROUNDS, 0.0)
    _, _, centres = cv2.kmeans(descriptors, CLUSTERS, labels, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return np.asarray(centres, np.float32)


def nearest(descriptors: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.intp]:
    """The nearest centre of each descriptor."""
    squared = (centres**2).sum(axis=1)[None] - 2 * descriptors @ centres.T
    found: NDArray[np.intp] = squared.argmin(axis=1)
    return found


def vlad(descriptors: NDArray[np.float32], centres: NDArray[np.float32]) -> Vector:
    """Jegou et al. (CVPR 2010): the sum of residuals at each centre, unit length each (Arandjelovic and Zisserman, CVPR
    2013), signed square root, unit length. All zero without descriptors.
    """
    out = np.zeros(centres.shape)
    if len(descriptors):
        label = nearest(descriptors, centres)
        belongs = (label[None] == np.arange(len(centres))[:, None]).astype(np.float64)
        out = belongs @ descriptors - belongs.sum(axis=1, keepdims=True) * centres
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
    flat = np.sign(out.ravel()) * np.sqrt(np.abs(out.ravel()))
    unit: Vector = flat / max(float(np.linalg.norm(flat)), 1e-12)
    return unit


def even(looks: Looks) -> dict[tuple[str, str], Vector]:
    """Vectors of one length: a small grid has fewer components than a large one, and zeros for the rest."""
    longest = max((len(vector) for vector in looks.values()), default=0)
    return {key: np.pad(vector, (0, longest - len(vector))) for key, vector in looks.items()}


def ranks(looks: Looks, view: str) -> dict[str, int]:
    """For each place seen in `view`: the rank, from 1, of its own first view in the gallery of all first views.

    By cosine. The worst place among equals, so that vectors of zeros find nothing.
    """
    looks = even(looks)
    names = [place for place, seen in looks if seen == "first"]
    gallery = np.stack([looks[name, "first"] for name in names])
    out = {}
    for index, name in enumerate(names):
        if (name, view) in looks:
            likeness = gallery @ looks[name, view]
            out[name] = int((likeness >= likeness[index]).sum())
    return out


def few_shot(looks: Looks, shown: Sequence[str], asked: Sequence[str]) -> dict[str, float]:
    """Share of the asked views of each place that are nearest, by cosine, to the mean of its shown views."""
    looks = even(looks)
    names = [place for place, seen in looks if seen == "first"]
    means = np.stack([np.sum([looks[name, view] for view in shown], axis=0) for name in names])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    out = {}
    for index, name in enumerate(names):
        likeness = [means @ looks[name, view] for view in asked]
        out[name] = float(np.mean([(one >= one[index]).sum() == 1 for one in likeness]))
    return out


def clusters(looks: Looks, seed: int) -> dict[str, float]:
    """How well clusters of all views are the places: NMI and ARI of k-means and of average linkage by cosine.

    As many clusters as places. Normalised mutual information with the arithmetic mean (Vinh, Epps and Bailey, JMLR
    2010), and the adjusted Rand index (Hubert and Arabie 1985): 0 by chance, 1 where clusters are places.
    """
    from sklearn.cluster import AgglomerativeClustering, KMeans  # noqa: PLC0415  # slow to import, and of the extra
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # noqa: PLC0415  # likewise

    names = sorted({place for place, _ in looks})
    truth = [names.index(place) for place, _ in looks]
    table = np.stack(list(even(looks).values()))
    # Vectors of zeros have no cosine.
    table[np.linalg.norm(table, axis=1) < 1e-9] = 1 / np.sqrt(table.shape[1])
    found = {
        "k-means": KMeans(len(names), n_init=2, random_state=seed).fit_predict(table),
        "linkage": AgglomerativeClustering(len(names), metric="cosine", linkage="average").fit_predict(table),
    }
    return {
        f"{measure} {how}": float(score(truth, labels))
        for how, labels in found.items()
        for measure, score in (("nmi", normalized_mutual_info_score), ("ari", adjusted_rand_score))
    }
