from copy import deepcopy

import numpy as np
import pytest

from drivers.camera.picamera2 import Picamera2Camera
from drivers.camera.tuning import FIXED, KEPT, REMOVED, black_levels, pixelwise
from drivers.emulated.picamera2 import CameraFault, EmulatedPicamera2
from drivers.emulated.tuning import emulated_tuning
from drivers.errors import CameraError, CameraReason

BOTH = pytest.mark.parametrize("version", [1, 2])
TARGETS = pytest.mark.parametrize("target", ["bcm2835", "pisp"])


def make(module, stream="luma"):
    return Picamera2Camera(width=96, height=64, exposure_us=20_000, gain=2.0, stream=stream, module=module)


def stages_of(tuning):
    return {stage: values for entry in tuning.get("algorithms", [tuning]) for stage, values in entry.items()}


def refused(action, *arguments):
    with pytest.raises(CameraError) as caught:
        action(*arguments)
    assert caught.value.reason is CameraReason.BAD_SOURCE
    assert 'stream = "raw"' in caught.value.remedy
    return str(caught.value)


@BOTH
@TARGETS
def test_what_follows_the_whole_image_is_fixed(version, target):
    before = emulated_tuning(version=version, target=target)
    stages = stages_of(pixelwise(before))
    contrast = stages["rpi.contrast"]
    assert (contrast["ce_enable"], contrast["lo_max"], contrast["hi_max"]) == (0, 0, 0)
    assert contrast["gamma_curve"] == stages_of(before)["rpi.contrast"]["gamma_curve"]
    assert stages["rpi.alsc"]["n_iter"] == 0
    assert stages["rpi.alsc"]["luminance_lut"]
    assert not {"calibrations_Cr", "calibrations_Cb"} & stages["rpi.alsc"].keys()
    assert len(stages["rpi.ccm"]["ccms"]) == 1
    assert "saturation" not in stages["rpi.ccm"]
    assert not stages.keys() & {"rpi.hdr", "rpi.tonemap", "rpi.nn.awb"}


@BOTH
@TARGETS
def test_what_mixes_neighbours_or_frames_is_off_or_gone(version, target):
    stages = stages_of(pixelwise(emulated_tuning(version=version, target=target)))
    assert stages["rpi.dpc"]["strength"] == stages["rpi.sharpen"]["strength"] == 0
    assert stages["rpi.geq"] == {"offset": 0, "slope": 0.0}
    assert not stages.keys() & {"rpi.denoise", "rpi.cac"}
    assert ("rpi.sdn" in stages) == (target == "bcm2835")
    assert stages.get("rpi.sdn", {"strength": 0})["strength"] == 0


@BOTH
def test_a_copy_is_made_in_the_form_and_the_order_of_the_original(version):
    before = emulated_tuning(version=version)
    kept = deepcopy(before)
    after = pixelwise(before)
    assert before == kept
    assert ("algorithms" in after) == (version == 2)
    order = [stage for stage in stages_of(before) if stage not in REMOVED]
    assert list(stages_of(after)) == order


def test_a_stage_that_the_firmware_would_choose_itself_is_named_for_a_pi_4():
    tuning = {"version": 2.0, "target": "bcm2835", "algorithms": [{"rpi.black_level": {}}]}
    assert {"rpi.dpc", "rpi.geq", "rpi.sdn", "rpi.sharpen"} <= stages_of(pixelwise(tuning)).keys()


def test_a_stage_that_is_switched_off_in_the_file_is_set_all_the_same():
    tuning = {
        "version": 2.0,
        "target": "bcm2835",
        "algorithms": [{"rpi.black_level": {}}, {"rpi.sdn": {"enabled": False}}],
    }
    assert stages_of(pixelwise(tuning))["rpi.sdn"] == {"deviation": 0.0, "strength": 0.0}


def test_the_black_level_is_marked_in_the_smallest_step():
    assert black_levels(pixelwise(emulated_tuning(black=4096))) == (4097, 4097, 4097, 4097)
    own = {"rpi.black_level": {"black_level": 100, "black_level_b": 200}}
    assert black_levels(pixelwise(own)) == (101, 101, 101, 201)


def test_no_stage_is_in_two_tables_and_each_has_a_reason():
    assert len({*FIXED, *REMOVED, *KEPT}) == len(FIXED) + len(REMOVED) + len(KEPT)
    assert all(fix.reason for fix in FIXED.values())
    assert all((*REMOVED.values(), *KEPT.values()))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3.0},
        {"version": "2"},
        {"target": "another"},
        {"algorithms": [{"rpi.black_level": {}}, {"rpi.local_contrast": {}}]},
        {"algorithms": [{"rpi.black_level": {}}, {"rpi.awb": {}}, {"rpi.awb": {}}]},
        {"algorithms": [{"rpi.contrast": {}}]},
        {"algorithms": [{"rpi.black_level": {"black_level": "dark"}}]},
        {"algorithms": [{"rpi.black_level": 5}]},
        {"algorithms": ["rpi.black_level"]},
        {"algorithms": {}},
        {"algorithms": None},
    ],
)
def test_a_tuning_that_is_not_understood_is_refused(change):
    refused(pixelwise, emulated_tuning() | change)


def test_an_unknown_stage_is_named():
    assert "rpi.local_contrast" in refused(pixelwise, {"rpi.black_level": {}, "rpi.local_contrast": {}})


@BOTH
@TARGETS
def test_luma_uses_the_tuning_of_the_sensor_made_pixelwise(version, target):
    module = EmulatedPicamera2(tuning=emulated_tuning(version=version, target=target))
    make(module).open()
    assert module.loaded == ["emulated.json"]
    assert module.given == module.in_force == pixelwise(emulated_tuning(version=version, target=target))


def test_a_sensor_without_colours_has_a_tuning_of_its_own():
    module = EmulatedPicamera2(mono=True)
    camera = make(module)
    camera.open()
    camera.read(np.zeros((64, 96), np.uint8), 1.0)
    assert module.loaded == ["emulated_mono.json"]


def test_raw_needs_no_tuning():
    module = EmulatedPicamera2(fault=CameraFault.NO_LOADER, tuning={"rpi.black_level": {}, "rpi.mystery": {}})
    make(module, "raw").open()
    assert module.given is None


@pytest.mark.parametrize("fault", [CameraFault.NO_LOADER, CameraFault.NO_TUNING])
def test_luma_is_refused_where_picamera2_is_too_old_for_a_tuning(fault):
    assert "too old" in refused(make(EmulatedPicamera2(fault=fault)).open)


def test_luma_is_refused_where_libcamera_keeps_the_tuning_that_it_has():
    assert "does not use" in refused(make(EmulatedPicamera2(fault=CameraFault.DEAF)).open)


def test_luma_is_refused_with_an_unknown_stage_and_leaves_no_camera_open():
    module = EmulatedPicamera2(tuning=emulated_tuning(version=1) | {"rpi.mystery": {}})
    assert "rpi.mystery" in refused(make(module).open)
    assert module.in_force is None


def test_a_camera_is_found_again_after_its_tuning_file_is_gone():
    module = EmulatedPicamera2()
    camera = make(module)
    for _ in range(3):
        camera.open()
        camera.read(np.zeros((64, 96), np.uint8), 1.0)
        camera.close()
    assert module.opened == 3


def test_a_gain_of_the_image_processor_that_moves_is_noticed_before_the_frame_is_used():
    module = EmulatedPicamera2()
    camera = make(module)
    camera.open()
    module.fault = CameraFault.GAIN_DRIFT
    plane = np.zeros((64, 96), np.uint8)
    with pytest.raises(CameraError) as caught:
        camera.read(plane, 1.0)
    assert caught.value.reason is CameraReason.CHANGED
    assert not plane.any()


def test_a_gain_of_the_image_processor_does_not_matter_for_raw():
    module = EmulatedPicamera2()
    camera = make(module, "raw")
    camera.open()
    module.fault = CameraFault.GAIN_DRIFT
    camera.read(np.zeros((64, 96), np.uint16), 1.0)


@pytest.mark.parametrize("stream", ["luma", "raw"])
def test_a_lens_that_moves_is_held_still(stream):
    camera = make(EmulatedPicamera2(), stream)
    camera.open()
    assert camera._camera._controls["AfMode"] == 0
