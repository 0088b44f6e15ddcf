import numpy as np
import pytest

from benchmarks.features.corner_choice import FirstOrder, again, curvature, noised, photographed, random_points

NOISE, SIDE, POINTS = 10.0, 16, 100


@pytest.fixture(scope="module")
def found_again(shared_data) -> dict[str, float]:
    """The part of the points found within 0.7 cells, over photographs that chose nothing."""
    paths = [path for index, path in enumerate(sorted((shared_data / "photos").glob("*.jpg"))) if index % 30 == 10]
    detectors = {
        "curvature": curvature,
        "tensor": FirstOrder(maps=50),
        "random": random_points(np.random.default_rng(1)),
    }
    parts = {name: [] for name in detectors}
    for index, path in enumerate(paths):
        rng = np.random.default_rng([64, index])
        first, second, shift = photographed(path, SIDE, rng)
        maps = noised(first, NOISE, rng), noised(second, NOISE, rng)
        for name, detector in detectors.items():
            a, b = (detector(image, NOISE, POINTS) for image in maps)
            near, common = again(a, b, shift, first.shape)
            parts[name].append((near <= 0.7).sum() / common)
    return {name: float(np.mean(each)) for name, each in parts.items()}


@pytest.mark.data
def test_keypoints_of_a_noised_photograph_come_back_three_times_as_often_as_chance(found_again) -> None:
    assert found_again["curvature"] > 3 * found_again["random"]


@pytest.mark.data
def test_more_of_them_come_back_than_of_the_tensor_of_first_derivatives(found_again) -> None:
    assert found_again["curvature"] > 1.1 * found_again["tensor"]
