import msgspec
import numpy as np
import pytest

from collector.compare import compare
from collector.match.calibration import Calibration, Judge, Whitening, find
from collector.match.verdict import DIFFERENT, SAME, judge
from wire.features import quantise, quantise_vector
from wire.schema import Features

MODEL = bytes(range(32))
WHITENING = Whitening(
    mean=[0.0] * 32,
    basis=np.eye(32).tolist(),
    strengths=[1.0, 10.0],
    deviation=[[40.0] * 32] * 2,
    agreement=[[0.3] * 32, [0.97] * 32],
)
CALIBRATION = Calibration(
    method="hand-made/1",
    model=MODEL.hex(),
    codebook=None,
    fitted="by hand",
    prior=0.5,
    slack=0.2,
    chance=3,
    whitening=WHITENING,
    descriptor=Judge(bias=-4.0, weights={"likelihood": 0.5, "margin": 0.2}),
    match=Judge(bias=-7.0, weights={"agreed": 10.0, "place": 0.2}),
    place=Judge(bias=-4.0, weights={"still": 1.0, "moved": 1.0, "cosine": 4.0}),
)
BOTH = (CALIBRATION,)
CELLS = (16, 16)


def features(place, look, *, n=40, cell=16, strength=10.0, method="hand-made/1", model=MODEL, vector=None):
    scene, mine = np.random.default_rng(place), np.random.default_rng([place, look])
    points = scene.uniform((0, 0), (39, 29), (n, 2)) * 16 / cell
    told = np.clip(scene.normal(0, 40, (n, 32)) + mine.normal(0, 6, (n, 32)), -127, 127)
    return Features(
        method=method,
        model=model,
        width=640,
        height=480,
        keypoints=quantise(points, [2] * n, [strength] * n, [0.2] * n, cell=cell, width=640, height=480),
        descriptors=told.astype(np.int8).view(np.uint8),
        vector=quantise_vector(np.zeros(16) if vector is None else vector),
        noise=10.0,
        fused=[look],
    )


def said(a, b, **rest):
    return judge(a, b, cells=CELLS, among=BOTH, **rest).verdict


def test_one_place_is_the_same_and_another_is_different():
    assert said(features(1, 1), features(1, 2)) == "same place"
    assert said(features(1, 1), features(2, 2)) == "different place"


def test_the_thresholds_are_probabilities():
    same, different = (judge(features(1, 1), features(k, 2), cells=CELLS, among=BOTH).weighed.same for k in (1, 2))
    assert same >= SAME
    assert different <= DIFFERENT


def test_plain_maps_are_not_enough_to_tell_even_with_themselves():
    plain = features(1, 1, n=0)
    found = judge(plain, plain, cells=CELLS, among=BOTH)
    assert found.verdict == "not enough to tell"
    assert "noise" in found.reason


def test_maps_of_pure_noise_are_never_told_whatever_the_prior():
    for prior in (0.001, 0.5, 0.999):
        for look in range(10):
            pair = features(100 + look, 1, n=3, strength=1.5), features(200 + look, 2, n=3, strength=1.5)
            assert said(*pair, prior=prior) == "not enough to tell"


@pytest.mark.parametrize("change", [{"noise": 1e308}, {"noise": 0.0}, {"width": 1, "height": 1}, {"width": 2**53}])
def test_numbers_that_no_device_sends_have_an_answer(change):
    odd = msgspec.structs.replace(features(1, 1), **change)
    for other in (odd, features(1, 2)):
        found = judge(odd, other, cells=CELLS, among=BOTH).weighed
        assert 0 < found.same < 1
        assert np.isfinite(found.right).all()


def test_some_agreement_is_not_enough_to_tell():
    halfway = features(1, 1, n=0, vector=np.eye(16)[0]), features(1, 2, n=0, vector=np.eye(16)[0])
    assert said(*halfway) == "not enough to tell"


def test_a_model_without_a_calibration_is_named_and_nothing_is_told():
    found = judge(features(1, 1, model=bytes(32)), features(1, 2, model=bytes(32)), cells=CELLS, among=BOTH)
    assert found.verdict == "not enough to tell"
    assert found.weighed is None
    assert "000000000000" in found.reason


def test_a_calibration_is_of_one_method_model_and_codebook_only():
    one = features(1, 1)
    assert find(one, BOTH) is CALIBRATION
    for change in ({"method": "other/1"}, {"model": None}, {"codebook": bytes(32)}):
        assert find(msgspec.structs.replace(one, **change), BOTH) is None


def test_descriptors_of_another_length_than_the_calibrations_are_not_compared():
    one = features(1, 1)
    short = msgspec.structs.replace(one, descriptors=one.descriptors[:, :8])
    for pair in ((one, short), (short, one), (short, short)):
        assert said(*pair) == "not enough to tell"


def test_maps_of_two_sizes_of_cell_are_compared_in_the_coarser_one():
    found = judge(features(1, 1), features(1, 2, cell=8), cells=(16, 8), among=BOTH)
    assert found.verdict == "same place"
    assert found.weighed.residual.max() < 0.5


def test_bits_are_told_apart_too():
    short = Whitening(
        mean=[0.0] * 64,
        basis=np.eye(64).tolist(),
        strengths=[1.0],
        deviation=[[1.0] * 64],
        agreement=[[0.9] * 64],
    )
    bits = msgspec.structs.replace(CALIBRATION, whitening=short)

    def signs(place, look):
        numbers = features(place, look, n=60)
        packed = np.packbits(np.random.default_rng(place).integers(0, 2, (60, 64)), axis=1)
        return msgspec.structs.replace(numbers, descriptors=packed)

    assert judge(signs(1, 1), signs(1, 2), cells=CELLS, among=(bits,)).verdict == "same place"


@pytest.fixture
def calibrated(monkeypatch):
    monkeypatch.setattr("collector.match.calibration.shipped", lambda: BOTH)


@pytest.mark.usefixtures("calibrated")
def test_compare_weighs_what_a_network_made():
    found = compare(features(1, 1), features(1, 2), cells=CELLS)
    assert found.verdict == "same place"
    assert found.probability >= SAME
    assert len(found.right) == len(found.matches)
    assert found.agrees == tuple(p >= 0.5 for p in found.right)
    assert found.geometry == "as from a camera that stayed"
    assert found.moved[1] < 5


@pytest.mark.usefixtures("calibrated")
def test_maps_that_share_a_release_have_no_probability():
    found = compare(features(1, 1), features(1, 1), cells=CELLS)
    assert found.verdict == "not enough to tell"
    assert found.probability is None
    assert "in common" in found.reason


@pytest.mark.usefixtures("calibrated")
def test_features_of_two_models_are_not_compared():
    found = compare(features(1, 1), features(1, 2, model=bytes(32)), cells=CELLS)
    assert (found.verdict, found.matches) == ("not enough to tell", ())
    assert "different models" in found.reason


@pytest.mark.usefixtures("calibrated")
def test_likelihoods_without_the_size_of_cells_are_refused():
    with pytest.raises(ValueError, match="cells"):
        compare(features(1, 1), features(1, 2))
