"""Which method describes maps: the one that the settings name, and no other unless they name that too."""

import hashlib
import logging
import shutil
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest

import edge.assemble
from edge.config import Settings, configuration_hash
from edge.errors import ModelUnusable, Reason
from edge.features.classical import METHOD, Classical
from edge.features.describe import describer
from edge.features.map import Map
from edge.sections import FeaturesSettings
from models.load import load
from wire.exit import Exit

MODELS = Path(__file__).resolve().parent.parent / "models"
SHIPPED = hashlib.sha256((MODELS / "tiny.onnx").read_bytes()).hexdigest()


class Stand:
    """In place of the method with the network: it has a model, and describes nothing."""

    def __init__(self, folder, settings):
        pinned = {"tiny": hashlib.sha256((MODELS / "tiny.json").read_bytes()).hexdigest()}
        self.model = load("tiny", folder=folder, pinned=pinned)
        self.settings = settings

    def describe(self, source):
        raise NotImplementedError


@pytest.fixture
def folder(tmp_path):
    for name in ("tiny.json", "tiny.onnx", "tiny.bin"):
        shutil.copy(MODELS / name, tmp_path)
    return tmp_path


def chosen(folder, **keys):
    return describer(FeaturesSettings(**keys), lambda settings: Stand(folder, settings))


def spoil(folder):
    path = folder / "tiny.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_method_of_the_settings_is_made_with_the_rest_of_them(folder):
    made = chosen(folder, method="learned", expected_false=0.5, most=9)
    assert made.model.network.hex() == SHIPPED
    assert (made.settings.expected_false, made.settings.most) == (0.5, 9)


def test_sift_needs_no_network_at_all(folder):
    spoil(folder)
    assert isinstance(chosen(folder, method="sift"), Classical)


def test_a_refused_network_ends_capture_with_its_name_and_both_hashes(folder):
    altered = spoil(folder)
    with pytest.raises(ModelUnusable) as refused:
        chosen(folder, method="learned", fallback="none")
    assert refused.value.reason is Reason.MODEL
    assert refused.value.exit is Exit.CONFIG
    for part in ("model tiny", "tiny.onnx", SHIPPED, altered):
        assert part in str(refused.value)
    assert "[features]" in refused.value.remedy


def test_what_the_settings_name_takes_its_place_is_said_once_and_stands_in_every_observation(folder, caplog):
    altered = spoil(folder)
    with caplog.at_level(logging.INFO):
        made = chosen(folder, method="learned", fallback="sift")
    assert len(caplog.records) == 1
    for part in ("tiny.onnx", SHIPPED, altered, "SIFT"):
        assert part in caplog.text
    image = np.full((30, 40), 90, np.float32)
    for position in (1, 2):
        features = made.describe(Map(image.copy(), 5.0, 16, 640, 480, (position,)))
        assert features.method == METHOD
        assert features.model is None
    assert len(caplog.records) == 1


def test_a_defect_of_the_program_is_not_answered_with_another_method(folder):
    def defective(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        describer(FeaturesSettings(method="learned", fallback="sift"), defective)


def test_capture_asks_for_the_network_before_it_opens_camera_or_ledger(tmp_path, monkeypatch):
    def opened(*_):
        raise AssertionError("something was opened for a capture that cannot describe")

    def refused(_):
        raise ModelUnusable(Reason.MODEL, "model x", "reinstall")

    monkeypatch.setattr(edge.assemble, "lock_memory", lambda: None)
    monkeypatch.setattr(edge.assemble, "describer", refused)
    for name in ("make_camera", "read_private_key", "state_folder", "Ledger"):
        monkeypatch.setattr(edge.assemble, name, opened)
    settings = msgspec.convert({"device": {"id": "a"}, "camera": {"driver": "synthetic"}}, Settings)
    with pytest.raises(ModelUnusable):
        edge.assemble.run_capture(settings, new_epoch=False, stop=threading.Event())


def test_how_maps_are_described_is_no_part_of_the_promise():
    settings = msgspec.convert({"device": {"id": "a"}, "camera": {"driver": "synthetic"}}, Settings)
    other = FeaturesSettings(method="learned", fallback="sift", expected_false=1.0, most=8)
    assert configuration_hash(msgspec.structs.replace(settings, features=other)) == configuration_hash(settings)
