import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.privacy.cells import CellSums
from edge.privacy.lut import LOG_RANGE, ClipLut, LinearLut, LogLut, Lut, ResidualLut


def value(lut: Lut, x: int, reference: int) -> int:
    """The LUT's definition, one pixel at a time."""
    x = min(x, lut.max_value)
    if isinstance(lut, ResidualLut):
        return min(max(x - reference, -lut.tau), lut.tau) + lut.tau
    if isinstance(lut, ClipLut):
        return min(max(x, lut.low), lut.high) - lut.low
    return int(lut.table[x]) if isinstance(lut, LogLut) else x


KINDS = ["linear", "clip", "log", "steep log", "residual"]


def scene(kind: str, max_value: int, shape: tuple[int, int, int, int], number: int) -> tuple[Lut, int, np.ndarray]:
    """A LUT, the side of a cell, and a random plane, some of whose pixels are brighter than max_value."""
    rows, columns, cell, extra = shape
    extra %= cell
    dtype = np.uint8 if max_value < 256 else np.uint16
    seed = np.random.default_rng(number)
    brightest = min(np.iinfo(dtype).max, 2 * max_value)
    plane = seed.integers(0, brightest + 1, (rows * cell + extra, columns * cell + extra)).astype(dtype)
    reference = seed.integers(0, max_value + 1, (rows, columns))
    luts: dict[str, Lut] = {
        "linear": LinearLut(max_value),
        "clip": ClipLut(max_value, max_value // 3, (2 * max_value + 2) // 3),
        "log": LogLut.of(max_value),
        "steep log": LogLut(max_value, max(1, max_value // 99)),
        "residual": ResidualLut(reference, max(1, max_value // 8), max_value),
    }
    return luts[kind], cell, plane


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_value", [1, 255, 4092])
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 2, 5]), st.integers(0, 4)),
    number=st.integers(0, 2**32),
)
@settings(max_examples=25)
def test_cell_sums_equal_the_definition_pixel_by_pixel_and_leave_out_the_border(
    kind: str, max_value: int, shape: tuple[int, int, int, int], number: int
) -> None:
    lut, cell, plane = scene(kind, max_value, shape, number)
    rows, columns = plane.shape[0] // cell, plane.shape[1] // cell
    reference = lut.reference if isinstance(lut, ResidualLut) else np.zeros((rows, columns), np.int64)
    out = np.full((rows, columns), 11, np.int64)
    CellSums(lut, cell, rows, columns).add(plane, out)
    for i in range(rows):
        for j in range(columns):
            pixels = plane[i * cell : (i + 1) * cell, j * cell : (j + 1) * cell].ravel().tolist()
            assert out[i, j] == 11 + sum(value(lut, x, int(reference[i, j])) for x in pixels)


@pytest.mark.parametrize("cell", [16, 64, 128])
@pytest.mark.parametrize(
    ("dtype", "lut"),
    [
        (np.uint8, LinearLut(255)),
        (np.uint16, LinearLut(4092)),
        (np.uint16, LinearLut(65535)),
        (np.uint8, ClipLut(255, 3, 252)),
        (np.uint16, ClipLut(65535, 1, 65535)),
        (np.uint8, LogLut.of(255)),
        (np.uint16, LogLut.of(4092)),
        (np.uint8, ResidualLut(np.full((1, 2), 127), 127, 255)),
        (np.uint16, ResidualLut(np.full((1, 2), 32767), 32767, 65535)),
    ],
)
def test_the_brightest_and_the_darkest_frame_fill_the_range_without_overflow(dtype: type, lut: Lut, cell: int) -> None:
    sums = CellSums(lut, cell, 1, 2)
    for pixel, each in ((0, 0), (np.iinfo(dtype).max, lut.range)):
        out = np.zeros((1, 2), np.int64)
        sums.add(np.full((cell, 2 * cell), pixel, dtype), out)
        assert (out == each * cell * cell).all()


def test_one_pixel_moves_one_cell_by_at_most_the_range() -> None:
    rng = np.random.default_rng(5)
    residual = ResidualLut(rng.integers(0, 256, (3, 4)), 32, 255)
    for lut in (LinearLut(255), ClipLut(255, 64, 192), LogLut.of(255), LogLut(255, 1), residual):
        sums = CellSums(lut, 4, 3, 4)
        for _ in range(50):
            plane = rng.integers(0, 256, (12, 16)).astype(np.uint8)
            before, after = np.zeros((3, 4), np.int64), np.zeros((3, 4), np.int64)
            sums.add(plane, before)
            i, j = rng.integers(0, 12), rng.integers(0, 16)
            plane[i, j] = rng.integers(0, 256)
            sums.add(plane, after)
            changed = np.argwhere(before != after)
            assert len(changed) <= 1
            assert all(tuple(c) == (i // 4, j // 4) for c in changed)
            assert np.abs(after - before).sum() <= lut.range


ALL = [
    (LinearLut(255), np.uint8),
    (ClipLut(255, 64, 192), np.uint8),
    (LogLut.of(255), np.uint8),
    (ResidualLut(np.zeros((2, 2), np.int64), 32, 255), np.uint8),
]
ALL += [(LinearLut(4092), np.uint16), (ClipLut(4092, 1024, 3072), np.uint16), (LogLut.of(4092), np.uint16)]
ALL += [
    (ResidualLut(np.zeros((2, 2), np.int64), 32, 4092), np.uint16),
    (ResidualLut(np.zeros((2, 2), np.int64), 200, 255), np.uint8),
]


def buffers(sums: CellSums) -> list[np.ndarray]:
    """What may hold something of a frame; tables and references are public."""
    rows = vars(sums._rows)
    held = [*vars(sums).values(), *rows.values(), *vars(rows.get("_strip", sums)).values()]
    public = ("_table", "_limit", "_base", "_cap", "_lift")
    names = {id(array) for name in public for array in (rows.get(name), vars(rows.get("_strip", sums)).get(name))}
    return [array for array in held if isinstance(array, np.ndarray) and id(array) not in names]


@pytest.mark.parametrize(("lut", "dtype"), ALL)
def test_every_buffer_on_the_way_holds_integers(lut: Lut, dtype: type) -> None:
    sums = CellSums(lut, 2, 2, 2)
    sums.add(np.zeros((4, 4), dtype), np.zeros((2, 2), np.int64))
    assert len(buffers(sums)) >= 4
    assert {array.dtype.kind for array in buffers(sums)} <= {"i", "u"}


@pytest.mark.parametrize(("lut", "dtype"), ALL)
def test_nothing_of_a_frame_stays_in_the_buffers(lut: Lut, dtype: type) -> None:
    sums = CellSums(lut, 2, 2, 2)
    sums.add(np.full((4, 4), 200, dtype), np.zeros((2, 2), np.int64))
    assert not any(array.any() for array in buffers(sums))


@pytest.mark.parametrize("tau", [1, 32, 100, 127, 128, 255])
@pytest.mark.parametrize("max_value", [100, 200, 255])
@pytest.mark.parametrize("cell", [1, 8])
def test_bytes_are_summed_as_wider_pixels_are(tau: int, max_value: int, cell: int) -> None:
    tau = min(tau, max_value)
    rng = np.random.default_rng(tau)
    plane = rng.integers(0, 256, (3 * cell, 2 * cell)).astype(np.uint8)
    reference = rng.integers(0, max_value + 1, (3, 2))
    reference.flat[:2] = 0, max_value
    for lut in (LinearLut(max_value), LogLut.of(max_value), ResidualLut(reference, tau, max_value)):
        narrow, wide = np.zeros((3, 2), np.int64), np.zeros((3, 2), np.int64)
        CellSums(lut, cell, 3, 2).add(plane, narrow)
        CellSums(lut, cell, 3, 2).add(plane.astype(np.uint16), wide)
        assert (narrow == wide).all()


@pytest.mark.parametrize(
    ("max_value", "offset", "digest"),
    [
        (255, 64, "921730c47dd98f03dbeb5d9f021f3ccd7c805faf106fcbc091e38d465839c989"),
        (255, 128, "67a6ed338f7fdebbf329294b184b83fd84361a76a1cb616f919dbf55f080ccf9"),
        (4092, 1023, "a1522a1877e54b2807cd756b09657ca6ce79a7533b30e12b7adeacd66558322b"),
        (4092, 2046, "9642d8656cd92e8c51265974b0608a56170108060ef096b2218a90fd57976b90"),
    ],
)
def test_the_log_table_is_the_same_on_every_machine(max_value: int, offset: int, digest: str) -> None:
    lut = LogLut(max_value, offset)
    assert hashlib.sha256(lut.table.astype("<u2").tobytes()).hexdigest() == digest


@pytest.mark.parametrize(("max_value", "offset"), [(255, 64), (255, 1), (255, 255), (1, 1), (1023, 100)])
def test_the_log_table_is_the_logarithm_rounded(max_value: int, offset: int) -> None:
    table = LogLut(max_value, offset).table
    exact = [
        LOG_RANGE * math.log((x + offset) / offset) / math.log((max_value + offset) / offset)
        for x in range(max_value + 1)
    ]
    assert np.abs(table - np.array(exact)).max() < 0.5 + 1e-9
    assert table[0] == 0
    assert table[-1] == LOG_RANGE
    assert (np.diff(table.astype(int)) >= 0).all()


def test_public_tables_and_references_cannot_be_changed_later() -> None:
    given_grid = np.zeros((2, 2), np.int64)
    lut = ResidualLut(given_grid, 32, 255)
    given_grid[0, 0] = 9
    assert lut.reference[0, 0] == 0
    with pytest.raises(ValueError):
        lut.reference[0, 0] = 1
    with pytest.raises(ValueError):
        LogLut.of(255).table[0] = 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearLut(0),
        lambda: LinearLut(65536),
        lambda: LogLut(255, 0),
        lambda: LogLut(255, 256),
        lambda: ResidualLut(np.zeros((2, 2), np.int64), 0, 255),
        lambda: ResidualLut(np.zeros((2, 2), np.int64), 256, 255),
        lambda: ResidualLut(np.zeros((2, 2)), 32, 255),
        lambda: ResidualLut(np.zeros(4, np.int64), 32, 255),
        lambda: ResidualLut(np.full((2, 2), 256), 32, 255),
        lambda: ResidualLut(np.full((2, 2), -1), 32, 255),
    ],
)
def test_a_lut_out_of_range_is_refused(make) -> None:
    with pytest.raises(ValueError):
        make()


def test_the_statement_of_a_lut_names_its_range_and_parameter() -> None:
    specs = [lut.spec for lut in (LinearLut(255), LogLut.of(255), ResidualLut(np.zeros((1, 1), np.int64), 32, 255))]
    assert [(s.name, s.range, s.parameter) for s in specs] == [
        ("linear", 255, 0),
        ("log", 1023, 128),
        ("residual", 64, 32),
    ]


@pytest.mark.parametrize(("low", "high"), [(5, 5), (6, 5), (-1, 5), (0, 256)])
def test_a_table_is_clipped_to_a_part_of_its_range_only(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="clipped table"):
        ClipLut(255, low, high)


def test_a_byte_that_a_deeper_clip_never_lets_through_counts_as_its_darkest() -> None:
    out = np.zeros((1, 1), np.int64)
    CellSums(ClipLut(4092, 1000, 2000), 1, 1, 1).add(np.full((1, 1), 255, np.uint8), out)
    assert out[0, 0] == 0
