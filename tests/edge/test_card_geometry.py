import math

import numpy as np
import pytest

from edge.card.geometry import PinholeCamera, Thing, pixels
from edge.errors import ConfigError


def make_camera(**changes):
    settings = {"width": 640, "height": 480, "lens": 62.0, "mounted": 2.5, "tilt": 15.0, "rim": 0}
    return PinholeCamera(**(settings | changes))


def box_faces(size, steps):
    """(n, 3) points on the six faces of a box with its lower middle at the origin: along, beside, up."""
    grid = np.linspace(0, 1, steps)
    a, b = (axis.ravel() for axis in np.meshgrid(grid, grid))
    faces = [np.insert(np.column_stack([a, b]), axis, end, axis=1) for axis in range(3) for end in (0.0, 1.0)]
    return (np.concatenate(faces) - (0.5, 0.5, 0)) * size


def seen(camera, points):
    """(height, width) bool: the pixels that points (right, ahead, up from the floor) fall on, then the rim round them.

    Written without the closed forms: a rotation matrix and the projection of each point.
    """
    down = math.radians(camera.tilt)
    rotation = np.array(
        [[1, 0, 0], [0, -math.sin(down), -math.cos(down)], [0, math.cos(down), -math.sin(down)]]
    )  # rows: right, down in the picture, along the axis
    right, below, axial = rotation @ (points - (0, 0, camera.mounted)).T
    front = axial > 1e-6
    focal = (camera.width / 2) / math.tan(math.radians(camera.lens / 2))
    rim = camera.rim
    columns = np.floor(focal * right[front] / axial[front] + camera.width / 2).astype(int) + rim
    rows = np.floor(focal * below[front] / axial[front] + camera.height / 2).astype(int) + rim
    padded = np.zeros((camera.height + 2 * rim, camera.width + 2 * rim), bool)
    inside = (columns >= 0) & (columns < padded.shape[1]) & (rows >= 0) & (rows < padded.shape[0])
    padded[rows[inside], columns[inside]] = True
    # a separable maximum over (2 rim + 1)², which also brings the padding back to the frame
    wide = np.zeros((padded.shape[0], camera.width), bool)
    for shift in range(2 * rim + 1):
        wide |= padded[:, shift : shift + camera.width]
    frame = np.zeros((camera.height, camera.width), bool)
    for shift in range(2 * rim + 1):
        frame |= wide[shift : shift + camera.height]
    return frame


def placed(thing, distance, azimuth, turn, steps=100):
    """Points of a square box inscribed in the thing's cylinder, whose nearest point is at the distance."""
    side = thing.across / math.sqrt(2)
    points = box_faces((side, side, thing.tall), steps)
    flat = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    points[:, :2] = points[:, :2] @ flat.T
    axis = distance + thing.across / 2
    return points + np.array((axis * math.sin(azimuth), axis * math.cos(azimuth), thing.above))


def cylinder(thing, distance, azimuth, steps=250):
    turn, up = (axis.ravel() for axis in np.meshgrid(np.linspace(0, 2 * math.pi, steps), np.linspace(0, 1, steps)))
    radius = thing.across / 2
    mantle = np.column_stack([radius * np.cos(turn), radius * np.sin(turn), thing.tall * up])
    ends = [
        np.column_stack([up * radius * np.cos(turn), up * radius * np.sin(turn), np.full_like(up, height)])
        for height in (0.0, thing.tall)
    ]
    axis = distance + radius
    return np.concatenate([mantle, *ends]) + np.array((axis * math.sin(azimuth), axis * math.cos(azimuth), thing.above))


@pytest.mark.parametrize("seed", range(8))
def test_no_box_wherever_it_stands_shows_more_pixels_than_the_bound(seed):
    random = np.random.default_rng(seed)
    for _ in range(25):
        camera = make_camera(
            width=int(random.choice([160, 333, 640])),
            height=int(random.choice([120, 251, 480])),
            lens=random.uniform(20, 110),
            mounted=random.uniform(0.3, 6),
            tilt=random.choice([0, 15, random.uniform(0, 90), 90]),
            rim=int(random.choice([0, 0, 3, 14])),
        )
        thing = Thing(random.uniform(0.1, 5), random.uniform(0.1, 3), random.choice([0, random.uniform(0, 3)]))
        distance = math.exp(random.uniform(math.log(0.05), math.log(60)))
        half = math.radians(camera.lens / 2) + 0.1
        points = placed(thing, distance, random.uniform(-half, half), random.uniform(0, math.pi))
        assert seen(camera, points).sum() <= pixels(camera, thing, distance), (camera, thing, distance)


@pytest.mark.parametrize(("tilt", "rim", "distance"), [(0.0, 0, 5), (15.0, 0, 9), (15.0, 14, 13.5), (30.0, 0, 5)])
def test_the_bound_is_less_than_twice_the_worst_place(tilt, rim, distance):
    camera, thing = make_camera(tilt=tilt, rim=rim), Thing(0.5, 1.8)
    places = [(distance * far, math.radians(azimuth)) for far in (1.0, 1.15) for azimuth in range(0, 34, 3)]
    worst = max(seen(camera, cylinder(thing, *place)).sum() for place in places)
    assert worst <= pixels(camera, thing, distance) <= 1.8 * worst


def test_a_standing_person_is_1024_pixels_at_13_and_a_half_metres_by_the_silhouette_in_the_middle_only():
    """What docs/privacy.md used to say: half of a box 0.75 m x 1.75 m that faces a level camera on its axis."""
    camera = make_camera(tilt=0.0)
    silhouette = 0.5 * 0.75 * 1.75
    assert silhouette * (camera.focal / 13.5) ** 2 == pytest.approx(1024, rel=0.01)
    whole_body_anywhere = pixels(camera, Thing(0.5, 1.7), 13.5)
    assert 2 * 1024 < whole_body_anywhere < 3 * 1024


def test_pixels_never_grow_with_the_distance():
    for tilt in (0.0, 20.0, 60.0, 90.0):
        for thing in (Thing(0.5, 1.8), Thing(0.25, 0.3, 1.45), Thing(4.6, 1.6), Thing(1, 1, 4)):
            counts = [pixels(make_camera(tilt=tilt), thing, distance) for distance in np.geomspace(0.01, 500, 300)]
            assert counts == sorted(counts, reverse=True)


def test_nothing_shows_more_than_the_frame_and_what_touches_the_camera_shows_all_of_it():
    camera = make_camera()
    assert pixels(camera, Thing(5, 5), 0.01) == 640 * 480
    assert pixels(camera, Thing(0.5, 3.0), 0.0) == 640 * 480


def test_a_rim_is_counted_on_both_sides_even_of_a_far_dot():
    assert pixels(make_camera(rim=14), Thing(0.01, 0.01, 2.0), 400) >= 29 * 29


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lens", 200),
        ("lens", math.nan),
        ("mounted", -1),
        ("mounted", math.inf),
        ("tilt", 91),
        ("tilt", -1),
        ("rim", -1),
    ],
)
def test_what_no_camera_can_be_is_refused_with_its_option(name, value):
    with pytest.raises(ConfigError, match=f"--{name}"):
        make_camera(**{name: value})
