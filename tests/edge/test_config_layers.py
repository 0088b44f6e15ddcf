import json
import subprocess
import sys
import tomllib
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import (
    CameraSettings,
    FolderSettings,
    OpenCvSettings,
    Picamera2Settings,
    Settings,
    configuration_hash,
    load,
)
from edge.configuration.check import faults_of
from edge.configuration.command import main
from edge.configuration.keys import all_keys, meaning_of, tables, toml_value
from edge.configuration.schema import schema_for_editors
from edge.configuration.show import as_toml
from edge.errors import ConfigError
from edge.init import SCHEMA, make_device
from edge.sections import AimSettings, FeaturesSettings, HomeAssistantSettings, RelaySettings, SwitchSettings
from edge.sources import CharacterSettings, EmulatedProfileSettings, EntropySettings, QrngSettings, TpmSettings
from wire.exit import Exit
from wire.keys import make_key_pair
from wire.layers import Layer, Layers, from_assignments, from_environment
from wire.lines import steps

MINIMAL = '[device]\nid = "ward-3"\n[camera]\ndriver = "synthetic"\n'
NOTHING = {}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "speckled.toml"
    file.write_text(MINIMAL)
    (tmp_path / "conf.d").mkdir()
    return file


@pytest.fixture
def device(tmp_path):
    """What `init` writes, with the collector's key beside it."""
    make_device(tmp_path, "ward-3")
    make_key_pair(tmp_path / "collector.key", tmp_path / "collector.pub")
    return tmp_path / "speckled.toml"


def check(path, capsys, *more):
    status = main(["check", "--config", str(path), *more])
    return status, capsys.readouterr().out.splitlines()


LAYERS = st.lists(st.none() | st.integers(1, 65535), min_size=5, max_size=5)


@given(LAYERS)
def test_the_highest_layer_that_has_a_key_says_what_it_is(ports):
    file, first, second, variable, assignment = ports
    files = [
        Layer(str(i), {} if port is None else {"mqtt": {"port": port}}) for i, port in enumerate([file, first, second])
    ]
    environment = {} if variable is None else {"SPECKLED_MQTT__PORT": str(variable)}
    assignments = [] if assignment is None else [f"mqtt.port={assignment}"]
    above = [from_environment(environment, "SPECKLED_", kind=Settings), from_assignments(assignments, kind=Settings)]
    merged = Layers((*files, *(layer for layer in above if layer)))
    wanted = next((port for port in reversed(ports) if port is not None), None)
    assert merged.tree.get("mqtt", {}).get("port") == wanted


def test_the_hash_is_that_of_the_settings_that_hold_whichever_layer_they_come_from(path):
    plain = configuration_hash(load(path, environment=NOTHING))
    (path.parent / "conf.d" / "1.toml").write_text('[privacy]\nprofile = "map-day"\n')
    changed = configuration_hash(load(path, environment=NOTHING))
    assert changed != plain
    (path.parent / "conf.d" / "1.toml").write_text("[privacy]\n")
    assert configuration_hash(load(path, environment={"SPECKLED_PRIVACY__PROFILE": "map-day"})) == changed
    assert configuration_hash(load(path, environment=NOTHING, assignments=["privacy.profile=map-day"])) == changed
    path.write_text(MINIMAL + '[privacy]\nprofile = "map-day"\n')
    assert configuration_hash(load(path, environment=NOTHING)) == changed


def test_lists_of_tables_are_replaced_as_a_whole(path):
    path.write_text(MINIMAL + '[[entropy.partners]]\ndriver = "tpm"\n[[entropy.partners]]\ndriver = "character"\n')
    (path.parent / "conf.d" / "1.toml").write_text('[[entropy.partners]]\ndriver = "character"\npath = "/dev/x"\n')
    assert load(path, environment=NOTHING).entropy.partners == (CharacterSettings(path="/dev/x"),)


def test_paths_in_a_drop_in_are_relative_to_the_folder_of_the_settings(path):
    (path.parent / "conf.d" / "1.toml").write_text('[mqtt]\nca_file = "ca.pem"\n')
    assert load(path, environment=NOTHING).mqtt.ca_file == str(path.parent / "ca.pem")


def test_a_drop_in_that_is_no_toml_is_named_with_its_line(path):
    bad = path.parent / "conf.d" / "1.toml"
    bad.write_text("[mqtt]\nport == 3\n")
    with pytest.raises(ConfigError, match=r"conf\.d/1\.toml:2: "):
        load(path, environment=NOTHING)


@pytest.mark.parametrize(
    ("name", "value", "says", "remedy"),
    [
        ("SPECKLED_MQT__PORT", "1", "unknown field `mqt`", "did you mean `mqtt`?"),
        ("SPECKLED_MQTT__PORT", "many", "Expected `int`", "correct the value: a whole number, 1 to 65535"),
        ("SPECKLED_PRIVACY__LUT", "lg", "Invalid enum value 'lg'", "did you mean `log`?"),
        ("SPECKLED_PRIVACY__FRAMES_PER_SECOND", "0", "not a rate above zero", 'give a rate such as "1" or "1/600"'),
        ("SPECKLED_PRIVACY__FUSE", "64.5", "Expected `int`", "correct the value: a whole number, 1 to 64"),
    ],
)
def test_what_is_wrong_with_a_variable_names_the_variable(path, name, value, says, remedy):
    with pytest.raises(ConfigError) as caught:
        load(path, environment={name: value})
    assert str(caught.value).startswith(f"bad-configuration: {name}: ")
    assert says in str(caught.value)
    assert caught.value.remedy == remedy


def test_variables_of_tests_and_of_the_collector_are_no_settings_of_a_device(path):
    environment = {"SPECKLED_NO_SKIPS": "1", "SPECKLED_NIGHTLY": "1", "SPECKLED_COLLECTOR_PAGE__PORT": "x"}
    assert load(path, environment=environment) == load(path, environment=NOTHING)


def test_what_looks_for_faults_is_not_even_loaded_where_there_are_none(path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom edge.config import load\n"
        f"load(Path({str(path)!r}), environment={{}})\n"
        "print([name for name in ('wire.faults', 'wire.kinds', 'edge.configuration') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SIZES = st.none() | st.integers(16, 8192)
CAMERAS = st.one_of(
    st.builds(
        Picamera2Settings, width=st.integers(16, 8192), gain=st.floats(1, 64), stream=st.sampled_from(["raw", "luma"])
    ),
    st.builds(OpenCvSettings, source=st.integers(0, 9) | TEXTS, width=SIZES, height=SIZES, live=st.booleans()),
    st.builds(FolderSettings, path=TEXTS, repeat=st.booleans()),
)
SOURCES = st.one_of(
    st.builds(TpmSettings, device=TEXTS),
    st.builds(CharacterSettings, path=TEXTS, name=st.none() | TEXTS, kernel=st.none() | TEXTS),
    st.builds(EmulatedProfileSettings, file=TEXTS, fault=st.none() | TEXTS),
)
ENTROPY = st.builds(
    EntropySettings,
    partners=st.lists(SOURCES, max_size=4).map(tuple),
    commissioned=st.none() | TEXTS | st.floats(0.001, 7.2),
)


@given(CAMERAS, SOURCES, ENTROPY, TEXTS, st.floats(0.001, 86400))
def test_whatever_the_settings_are_show_prints_them_so_that_they_read_back(camera, qrng, entropy, text, seconds):
    tree = {"device": {"id": "a", "key": text}, "camera": {"driver": "synthetic"}}
    settings = msgspec.structs.replace(
        msgspec.convert(tree, Settings),
        camera=camera,
        qrng=qrng,
        entropy=entropy,
        relay=RelaySettings(state=text, health_seconds=seconds),
        switch=SwitchSettings(file=text, gpio="gpiochip0:17"),
        home_assistant=HomeAssistantSettings(enabled=True),
        aim=AimSettings(seconds=600),
        features=FeaturesSettings(fallback="sift", expected_false=0.01),
    )
    for origins in (False, True):
        shown = as_toml(settings, Layers((Layer("a.toml", tree),)), origins=origins)
        assert msgspec.convert(tomllib.loads(shown), Settings) == settings


@pytest.mark.parametrize("text", ["\x7f", "\u0080", "\x00", '"', "\\", "\n", "\U0001d7d9"])
def test_text_that_toml_is_particular_about_reads_back(text):
    assert tomllib.loads(f"value = {toml_value(text)}")["value"] == text


def test_the_size_of_frames_can_be_given_where_the_settings_leave_it_to_the_camera(device, capsys):
    setting = ("--set", 'camera={driver = "opencv", source = 0}', "--set", "privacy.profile=custom")
    custom = (
        '{visit_seconds = 10, pixels = 64, epsilon = "1", '
        'levels = [{name = "a", window_seconds = 0, cell = 512, epsilon = "1"}]}'
    )
    setting += ("--set", f"privacy.custom={custom}")
    assert check(device, capsys, *setting)[0] == Exit.OK
    status, lines = check(device, capsys, *setting, "--camera", "256x256")
    assert status == Exit.CONFIG
    assert lines[0].startswith("--set privacy.custom: privacy.custom.levels[0].cell: ")


@pytest.mark.parametrize("size", ["256", "0x1", "ax1", "1x", "-1x4"])
def test_a_size_that_is_none_ends_with_usage(device, size, capsys):
    with pytest.raises(SystemExit):
        main(["check", "--config", str(device), f"--camera={size}"])
    assert "usage" in capsys.readouterr().err


def test_everything_that_keeps_the_promise_from_being_kept_is_said(device, capsys):
    wrong = ("--set", "privacy.frames_per_second=0", "--set", "privacy.fuse=8", "--set", "capture.keep_releases=4")
    status, lines = check(device, capsys, *wrong)
    assert status == Exit.CONFIG
    assert [line.partition(": ")[0] for line in lines] == [
        "--set privacy.frames_per_second",
        "--set capture.keep_releases",
        "2 faults",
    ]


@pytest.mark.parametrize(
    ("assignment", "place"),
    [
        ('camera={driver = "folder", path = "absent"}', "camera.path"),
        ('camera={driver = "opencv", source = "absent.mp4"}', "camera.source"),
        ('qrng={driver = "profile", file = "absent.toml"}', "qrng.file"),
        ('qrng={driver = "qcicada", public_key = "absent.pem"}', "qrng.public_key"),
        ('entropy.partners=[{driver = "tpm"}, {driver = "profile", file = "absent"}]', "entropy.partners[1].file"),
        ("entropy.commissioned=absent.json", "entropy.commissioned"),
        ("mqtt.password_file=absent", "mqtt.password_file"),
        ("mqtt.ca_file=absent", "mqtt.ca_file"),
    ],
)
def test_a_file_that_is_named_and_not_there_is_a_fault_of_its_key(device, capsys, assignment, place):
    status, lines = check(device, capsys, "--set", assignment)
    assert status == Exit.CONFIG
    assert lines[0].startswith(f"--set {assignment.partition('=')[0]}: {place}: ")
    assert "absent" in lines[0] or place == "mqtt.ca_file"
    assert lines[1:] == ["1 fault"]


def test_a_wrong_value_is_answered_with_what_the_key_means(device, capsys):
    _, lines = check(device, capsys, "--set", "device.id=Ward 3")
    assert lines[0].endswith(
        "Correct the value: text in quotes (name on the wire: a-z, 0-9 and -, at most 32 characters)."
    )


def test_a_password_in_an_address_that_everybody_can_read_is_a_warning(device, capsys):
    (device.parent / "conf.d").mkdir()
    camera = device.parent / "conf.d" / "camera.toml"
    camera.write_text('[camera]\ndriver = "opencv"\nsource = "rtsp://user:pass@cam/1"\nexposure_fixed = true\n')
    camera.chmod(0o644)
    status, lines = check(device, capsys)
    assert status == Exit.OK
    assert next(line for line in lines if "has a password" in line).startswith(f"warning: {camera} can be read")
    assert "pass@" not in "\n".join(lines)
    camera.chmod(0o640)
    device.chmod(0o640)
    assert not [line for line in check(device, capsys)[1] if "has a password" in line]


def test_a_key_is_explained_where_its_value_is_wrong_and_where_nothing_can_be_read(path, capsys):
    path.write_text(MINIMAL + "[mqtt]\nport = 70000\n")
    assert main(["explain", "mqtt.port", "--config", str(path)]) == Exit.OK
    assert f"now 70000, from {path}:6" in capsys.readouterr().out
    assert main(["explain", "mqtt.port", "--config", str(path.parent / "absent")]) == Exit.OK
    assert "now" not in capsys.readouterr().out


def test_only_the_kind_that_is_there_has_a_present_value(path, capsys):
    main(["explain", "camera.width", "--config", str(path)])
    said = capsys.readouterr().out.split("\n\n")
    assert [("synthetic" in each, "now 640, the default" in each) for each in said] == [(False, False)] * 2 + [
        (True, True)
    ]


def test_a_near_miss_is_answered_with_keys_of_that_name(path):
    with pytest.raises(ConfigError, match=r"there is no key `mqtt\.keepaliv`") as caught:
        main(["explain", "mqtt.keepaliv", "--config", str(path)])
    assert caught.value.remedy.startswith("did you mean `mqtt.keepalive`")
    with pytest.raises(ConfigError) as caught:
        main(["explain", "relay.prefx", "--config", str(path)])
    assert "`home_assistant.prefix`" in caught.value.remedy


def test_the_template_names_every_section_the_schema_and_conf_d(device):
    text = device.read_text()
    named = {line.strip("# ") for line in text.splitlines() if line.lstrip("# ").startswith("[")}
    missing = {f"[{section}]" for section in Settings.__struct_fields__} - {line.partition(" ")[0] for line in named}
    assert not missing, f"say in the template of edge/init.py what these sections are for: {missing}"
    assert text.startswith(f"#:schema {SCHEMA}\n")
    assert SCHEMA.is_file()
    assert "conf.d" in text


def test_the_values_that_the_template_leaves_as_comments_are_settings_too(device):
    text = device.read_text().replace("# username", "username").replace("# outbox_mb", "outbox_mb")
    text = text.replace("# gpio =", "gpio =").replace("# textfile", "textfile").replace("# partners", "partners")
    text = text.replace("# commissioned", "commissioned").replace("# password_file", "password_file")
    text = text.replace('driver = "picamera2"', 'driver = "synthetic"').replace("# [simulation]\n# ", "[simulation]\n")
    for key in ("stream", "exposure_us", "gain"):
        text = text.replace(f"\n{key} =", f"\n# {key} =")
    layers = Layers((Layer("speckled.toml", tomllib.loads(text), text),))
    assert {fault.place for fault in faults_of(layers, device.parent)} <= {
        "entropy.commissioned",
        "mqtt.password_file",
    }


def test_the_schema_is_closed_says_what_everything_means_and_has_no_null():
    schema = json.loads(json.dumps(schema_for_editors()))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "null" not in json.dumps(schema)
    for name, table in schema["$defs"].items():
        assert table["additionalProperties"] is False
        assert "\n" not in table["title"]
        for key, node in table["properties"].items():
            assert node.get("description") or "$ref" in node or "anyOf" in node, f"{name}.{key}"


def test_each_kind_of_camera_and_source_is_told_apart_by_its_driver_in_the_schema():
    whole = schema_for_editors()["$defs"]["Settings"]["properties"]
    for section, kinds in (("camera", CameraSettings), ("qrng", QrngSettings)):
        mapping = whole[section]["discriminator"]["mapping"]
        assert set(mapping) == {kind.__struct_config__.tag for kind in get_args(kinds)}


def test_the_schema_and_the_explanations_have_the_same_keys_and_say_the_same():
    definitions = schema_for_editors()["$defs"]
    keys = {(key.place, key.kind): key for key in all_keys()}
    for table in tables():
        for name, node in definitions[table.type.__name__]["properties"].items():
            place = f"{table.place.replace('entropy.partners[]', 'qrng')}.{name}"
            key = keys.get((place, table.kind)) or keys.get((place, ""))
            if key is not None:
                assert node["description"] == key.meaning == meaning_of(place, table.kind)
    assert all(len(steps(place)) >= 2 for place, _ in keys)
