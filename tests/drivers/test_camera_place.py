import numpy as np
import pytest

from drivers.emulated.place import PlaceCamera


def frames_of(place, count):
    place.open()
    planes = np.zeros((count, *place.background.shape), np.uint8)
    for plane in planes:
        place.read(plane, 1.0)
    return planes


@pytest.fixture(scope="module")
def place():
    return PlaceCamera(width=320, height=240, mean_people=2.0, mean_visit_frames=2)


def test_the_same_seeds_draw_the_same_frames(place):
    again = PlaceCamera(width=320, height=240, mean_people=2.0, mean_visit_frames=2)
    np.testing.assert_array_equal(frames_of(place, 5), frames_of(again, 5))


def test_the_mask_is_exactly_where_the_frame_shows_a_person():
    place = PlaceCamera(width=320, height=240, mean_people=3.0, mean_visit_frames=2, noise=0.0)
    for index, frame in enumerate(frames_of(place, 20)):
        mask = place.mask(index)
        np.testing.assert_array_equal(frame[~mask], place.background[~mask])
        if mask.sum() > 100:
            assert (frame[mask] != place.background[mask]).mean() > 0.9


def test_boxes_enclose_the_mask(place):
    for index in range(40):
        inside = np.zeros(place.background.shape, bool)
        for box in place.people(index):
            assert box.width > 0
            assert box.height > 0
            inside[box.top : box.top + box.height, box.left : box.left + box.width] = True
        assert not (place.mask(index) & ~inside).any()


def test_another_seed_is_another_place_and_other_people_leave_the_place_as_it_is(place):
    elsewhere = PlaceCamera(width=320, height=240, seed=2)
    visitors = PlaceCamera(width=320, height=240, people_seed=2, mean_people=2.0, mean_visit_frames=2)
    assert (elsewhere.background != place.background).mean() > 0.8
    np.testing.assert_array_equal(visitors.background, place.background)
    assert [visitors.people(index) for index in range(20)] != [place.people(index) for index in range(20)]


@pytest.mark.parametrize("mean_people", [0.0, 0.6, 3.0])
def test_as_many_people_are_there_as_was_asked_for(mean_people):
    place = PlaceCamera(width=160, height=120, mean_people=mean_people, mean_visit_frames=3)
    counts = [len(place._present(index)) for index in range(3000)]
    assert np.mean(counts) == pytest.approx(mean_people, rel=0.1)


def test_visits_of_one_frame_last_one_frame():
    place = PlaceCamera(width=160, height=120, mean_people=2.0, mean_visit_frames=1)
    assert all(visit.frames == 1 for block in range(100) for visit in place._visits(block))


def test_the_mean_of_many_frames_without_people_is_the_background():
    place = PlaceCamera(width=320, height=240, mean_people=0.0)
    error = frames_of(place, 100).mean(axis=0) - place.background
    assert np.abs(error).mean() < 0.5


def test_cells_of_the_place_differ_enough_for_keypoints():
    background = PlaceCamera(mean_people=0.0).background
    cells = background.reshape(30, 16, 40, 16).mean(axis=(1, 3))
    assert cells.std() > 30
    assert np.abs(np.diff(cells, axis=1)).mean() > 10


def test_light_drifts_as_far_as_was_asked_for():
    place = PlaceCamera(width=320, height=240, mean_people=0.0, light_drift=0.2, light_period=8, noise=0.0)
    means = frames_of(place, 8).mean(axis=(1, 2)) / place.background.mean()
    assert 1.15 < means.max() < 1.21
    assert 0.79 < means.min() < 0.85
