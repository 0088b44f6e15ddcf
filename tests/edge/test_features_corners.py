import ast
import hashlib
from pathlib import Path

import numpy as np
import pytest

from edge.features import corners
from edge.features.corner_curvature import correlate, curvature, kernels
from edge.features.corners import Corners, find

ROOMS = [Path(corners.__file__), Path(corners.__file__).parent / "corner_curvature.py"]


def covered(cells: int, edge: float) -> np.ndarray:
    """How much of each cell lies beyond an edge."""
    return np.clip(np.arange(cells) + 0.5 - edge, 0, 1)


def quadrant(x: float, y: float, contrast: float, shape: tuple[int, int] = (24, 24)) -> np.ndarray:
    """Cell means of a bright quadrant with its corner at (x, y)."""
    return 90 + contrast * covered(shape[0], y)[:, None] * covered(shape[1], x)[None, :]


def crossing(x: float, y: float, contrast: float, shape: tuple[int, int] = (24, 24)) -> np.ndarray:
    """Cell means of four fields of a chessboard that meet at (x, y)."""
    return 120 + contrast / 2 * (2 * covered(shape[0], y) - 1)[:, None] * (2 * covered(shape[1], x) - 1)[None, :]


def square(x: float, y: float, contrast: float, side: float = 3.0, shape: tuple[int, int] = (24, 24)) -> np.ndarray:
    """Cell means of a bright square with its middle at (x, y)."""
    down, right = (
        covered(cells, middle - side / 2) - covered(cells, middle + side / 2)
        for cells, middle in zip(shape, (y, x), strict=True)
    )
    return 100 + contrast * down[:, None] * right[None, :]


def laplace(shape: tuple[int, ...], noise: float, rng: np.random.Generator) -> np.ndarray:
    return rng.laplace(0, noise / 2**0.5, shape)


def texture(rows: int, columns: int) -> np.ndarray:
    """Whole grey values that are the same in every version of every library."""
    i, j = np.arange(rows)[:, None], np.arange(columns)[None, :]
    return ((i * 7919 + j * 104729 + i * j * 31) * 2654435761 % 2**32 // 2**24).astype(np.float32)


def same(a: Corners, b: Corners) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in Corners.__slots__)


@pytest.mark.parametrize("draw", [crossing, square])
def test_a_figure_is_found_first_and_where_it_was_drawn(draw) -> None:
    found = find(draw(20.3, 14.8, 60, shape=(30, 40)), 0.0, expected_false=1)
    assert np.hypot(*(found.points[0] - (20.3, 14.8))) < 0.1


def test_the_corner_of_a_quadrant_is_found_a_little_inside_it() -> None:
    found = find(quadrant(20.3, 14.8, 60, shape=(30, 40)), 0.0, expected_false=1)
    right, down = found.points[0] - (20.3, 14.8)
    assert 0 < right < 1.5 * found.sigma[0]
    assert 0 < down < 1.5 * found.sigma[0]


def test_flat_ground_has_no_keypoints_and_a_slope_none_but_where_the_border_ends_it() -> None:
    slope = 50 + 2.0 * np.arange(40)[None, :] + 0.5 * np.arange(30)[:, None]
    reach = len(kernels(max(corners.SIGMAS)).smooth) // 2
    assert len(find(np.full((30, 40), 81.3, np.float32), 0.0, expected_false=16).points) == 0
    x, y = find(slope, 0.0, expected_false=16).points.T
    assert not ((x > reach) & (x < 39 - reach) & (y > reach) & (y < 29 - reach)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
def test_a_map_of_one_row_or_column_has_no_keypoints(shape: tuple[int, int]) -> None:
    assert len(find(texture(*shape), 1.0, expected_false=1).points) == 0


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (5, 40), (8, 8), (9, 17)])
def test_small_maps_of_any_shape_are_searched_without_complaint(shape: tuple[int, int]) -> None:
    found = find(texture(*shape), 5.0, expected_false=1)
    assert np.isfinite(found.strength).all()
    assert ((found.points >= -0.5) & (found.points <= np.array(shape[::-1]) - 0.5)).all()


def test_keypoints_come_strongest_first_apart_from_each_other_and_no_more_than_asked() -> None:
    found = find(texture(60, 80), 5.0, expected_false=4, most=200)
    assert len(found.points) == 200
    assert (np.diff(found.strength) <= 0).all()
    between = np.hypot(*(found.points[:, None] - found.points[None]).transpose(2, 0, 1)) + 9 * np.eye(200)
    assert between.min() >= corners.APART
    fewer = find(texture(60, 80), 5.0, expected_false=4, most=50)
    assert np.array_equal(fewer.points, found.points[:50])


def test_equally_strong_keypoints_come_by_row_and_then_by_column() -> None:
    image = np.full((40, 40), 100.0)
    places = [(30, 8), (8, 30), (30, 30), (8, 8)]
    for row, column in places:
        image[row, column] = 160
    found = find(image, 1.0, expected_false=1)
    first = [(round(y), round(x)) for x, y in found.points[:4]]
    assert len(set(found.strength[:4])) == 1
    assert first == sorted(places)


def test_fewer_expected_false_keypoints_mean_fewer_keypoints_and_the_same_ones_first() -> None:
    rng = np.random.default_rng(4)
    image = crossing(12, 12, 60) + laplace((24, 24), 10, rng)
    few, many = find(image, 10, expected_false=0.1), find(image, 10, expected_false=16)
    assert 0 < len(few.points) < len(many.points)
    assert np.array_equal(few.points, many.points[: len(few.points)])


def test_twice_the_contrast_in_twice_the_noise_is_the_same_to_the_last_bit() -> None:
    image = texture(30, 40)
    assert same(find(image, 5.0, expected_false=4), find(image * 2, 10.0, expected_false=4))


def test_noise_below_the_floor_counts_as_the_floor() -> None:
    image = texture(30, 40)
    assert same(find(image, 0.0, expected_false=4), find(image, corners.LEAST_NOISE, expected_false=4))


def test_a_turned_map_has_the_turned_keypoints() -> None:
    image = texture(30, 40)
    found, turned = find(image, 5.0, expected_false=4), find(image.T, 5.0, expected_false=4)
    assert np.allclose(np.sort(found.strength), np.sort(turned.strength))
    ours = {(round(x, 6), round(y, 6), round(s, 6)) for (x, y), s in zip(found.points, found.spread, strict=True)}
    theirs = {(round(y, 6), round(x, 6), round(s, 6)) for (x, y), s in zip(turned.points, turned.spread, strict=True)}
    assert ours == theirs


def test_lemma_1_noise_has_a_variance_of_one_in_every_cell_borders_and_corners_included() -> None:
    rows, columns = 9, 11
    for sigma in corners.SIGMAS[:-1]:
        responses = [curvature(unit.reshape(rows, columns), sigma, 1.0) for unit in np.eye(rows * columns)]
        for name in ("xx", "yy"):
            variance = np.sum([getattr(each, name) ** 2 for each in responses], axis=0)
            assert np.allclose(variance, 1.0, rtol=1e-9)


@pytest.mark.parametrize("sigma", corners.SIGMAS)
def test_lemma_2_the_covariance_of_noise_two_cells_apart_is_that_of_the_kernels(sigma: float) -> None:
    size = 2 * (len(kernels(sigma).smooth) + 2) + 1
    middle = size // 2
    responses = {name: np.zeros((2, size * size)) for name in ("xx", "yy", "xy")}
    weights = kernels(sigma)
    for name, (right, down) in {
        "xx": (weights.bend, weights.smooth),
        "yy": (weights.smooth, weights.bend),
        "xy": (weights.slope, weights.slope),
    }.items():
        for which, lag in enumerate((0, 2)):
            at = np.zeros((size, size))
            reach = len(right) // 2
            patch = np.array(down)[:, None] * np.array(right)[None, :]
            at[middle - reach : middle + reach + 1, middle + lag - reach : middle + lag + reach + 1] = patch
            responses[name][which] = at.ravel()
    unit = responses["xx"][0] @ responses["xx"][0]
    for lag, which in ((0, 0), (2, 1)):
        of = corners.covariance(sigma, lag)
        assert of.xx == pytest.approx(responses["xx"][0] @ responses["xx"][which] / unit)
        assert of.yy == pytest.approx(responses["yy"][0] @ responses["yy"][which] / unit)
        assert of.xx_yy == pytest.approx(responses["xx"][0] @ responses["yy"][which] / unit)
        assert of.xy == pytest.approx(responses["xy"][0] @ responses["xy"][which] / unit)
        assert responses["xx"][0] @ responses["xy"][which] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_lemma_3_mean_and_variance_of_the_determinant_of_gaussian_noise(sigma: float) -> None:
    rng = np.random.default_rng(13)
    bent = curvature(rng.normal(0, 7, (700, 700)), sigma, 7.0)
    inner = (slice(20, -20), slice(20, -20))
    xx, yy, xy = bent.xx[inner], bent.yy[inner], bent.xy[inner]
    of = corners.covariance(sigma, 0)
    determinant = xx * yy - xy**2
    assert determinant.mean() == pytest.approx(of.xx_yy - of.xy, abs=0.02)
    assert determinant.var() == pytest.approx(1 + of.xx_yy**2 + 2 * of.xy**2, rel=0.05)
    assert (xx + yy).var() == pytest.approx(2 + 2 * of.xx_yy, rel=0.05)


def test_theorem_2_the_spread_is_what_small_noise_does_to_the_position() -> None:
    rng = np.random.default_rng(11)
    clean = crossing(12.2, 11.9, 60)
    still = find(clean, 0.25, expected_false=1)
    moved = [find(clean + laplace(clean.shape, 0.25, rng), 0.25, expected_false=1).points[0] for _ in range(200)]
    of_noise = np.sqrt(still.spread[0] ** 2 - corners.FIT**2)
    assert np.std(moved, axis=0).mean() / of_noise == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize(("draw", "noise"), [(crossing, 10), (crossing, 20), (square, 10), (square, 20)])
def test_errors_of_drawn_figures_over_their_spread_have_a_standard_deviation_near_one(draw, noise) -> None:
    rng = np.random.default_rng([12, noise])
    scaled = []
    for _ in range(150):
        x, y = rng.uniform(11, 13, 2)
        image = draw(x, y, 60)
        found = find(image + laplace(image.shape, noise, rng), noise, expected_false=1, most=8)
        off = found.points - (x, y)
        nearest = np.hypot(*off.T).argmin()
        scaled.append(off[nearest] / found.spread[nearest])
    assert np.std(scaled) == pytest.approx(1, abs=0.2)


def test_the_same_map_gives_the_same_bytes_on_every_machine() -> None:
    digest = hashlib.sha256()
    for k in range(12):
        shape = ((30, 40), (27, 48), (15, 20), (60, 80))[k % 4]
        image = texture(*shape) / 3 + np.cumsum(texture(*shape) - 127, axis=1) / 40 * (k + 1) + k * 0.37
        found = find(
            image.astype(np.float32), 1.3 * k, expected_false=(0.1, 4, 60)[k % 3], excess=(0, 0.3, 0.75)[k // 4]
        )
        for name in Corners.__slots__:
            digest.update(np.ascontiguousarray(getattr(found, name), "<f8").tobytes())
    assert digest.hexdigest() == "b80d58c9842377bef10931911751cd9026c5d76852ae587efb45352acf2b4a74"


def test_only_operations_that_round_the_same_everywhere_are_used() -> None:
    exact = {
        *(
            "float64",
            "floating",
            "intp",
            "asarray",
            "ascontiguousarray",
            "empty",
            "empty_like",
            "zeros",
            "ones",
            "full",
        ),
        *("eye", "stack", "concatenate", "pad", "where", "minimum", "maximum", "abs", "sqrt", "add", "subtract", "inf"),
        *("nonzero", "lexsort"),
    }
    for room in ROOMS:
        tree = ast.parse(room.read_text(encoding="utf-8"))
        used = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
        }
        assert used <= exact, room
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.MatMult)]
        assert not {"sum", "mean", "dot", "prod"} & {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}


def test_filters_add_in_the_stated_order() -> None:
    values = np.array([[1e16, 1.0, -1e16, 3.0, 5.0]]).T
    middle, pair, outer = values[2, 0], values[3, 0] + values[1, 0], values[4, 0] + values[0, 0]
    assert correlate(values, (0.5, 0.25, 1.0, 0.25, 0.5), 0)[0, 0] == (1.0 * middle + 0.25 * pair) + 0.5 * outer
