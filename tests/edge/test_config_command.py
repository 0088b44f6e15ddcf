import json
import os
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import Settings, layers_of, load
from edge.configuration.command import main
from edge.configuration.keys import all_keys, meaning_of, toml_value
from edge.configuration.meaning import MEANING
from edge.configuration.page import markdown_table
from edge.configuration.schema import schema_for_editors
from edge.configuration.show import as_toml
from edge.errors import ConfigError
from edge.init import make_device
from wire.exit import Exit
from wire.keys import make_key_pair

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """The settings that `init` writes, with all that they name."""
    for name in list(os.environ):
        if name.startswith("SPECKLED_") and "__" in name:
            monkeypatch.delenv(name)
    path = make_device(tmp_path, "ward-3")[-1]
    make_key_pair(tmp_path / "collector.key", tmp_path / "collector.pub")
    return tmp_path / "speckled.toml" if path.suffix != ".toml" else path


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    return status, capsys.readouterr().out


def test_what_init_writes_is_in_order(settings, capsys):
    status, text = run(capsys, "check", "--config", settings)
    assert status == Exit.OK
    assert text.endswith("in order\n")


TYPOS = """\
[device]
id = "Ward 3"
kay = "x"

[camera]
driver = "picamera2"
wdth = 820
gain = "high"

[qrng]
driver = "microrgn"

[entropy]
rate = "drgb"

[privacy]
profil = "place"
fuse = 0

[capture]
keep_releases = "many"

[relay]
sockt = "x"

[mqtt]
port = 70000
host = 3

[features]
method = "sifr"
expected_false = 0.001

[switch]
gpio = "17"

[metrics]
port = -1

[home_assistant]
enabled = "yes"

[aim]
seconds = 9000

[simulation]
speedup = 0

[aimm]
"""


def test_a_mistake_in_every_section_is_found_at_once_each_with_its_line_and_what_to_do(settings, capsys):
    settings.write_text(TYPOS)
    status, text = run(capsys, "check", "--config", settings)
    lines = TYPOS.splitlines()
    found = [re.match(rf"{re.escape(str(settings))}:(\d+): (.+)", line) for line in text.splitlines()[:-1]]
    numbers = sorted(int(match[1]) for match in found)
    mistaken = sorted(
        number
        for number, line in enumerate(lines, 1)
        if line == "[aimm]" or (" = " in line and not line.startswith('driver = "picamera2"'))
    )
    assert status == Exit.CONFIG
    assert numbers == mistaken
    assert all(re.search(r"\. [A-Z].+$", match[2]) for match in found)
    assert text.endswith(f"{len(mistaken)} faults\n")


def test_load_names_the_first_fault_and_how_many_more_there_are(settings):
    settings.write_text(TYPOS)
    with pytest.raises(ConfigError, match=r"and 19 more: `speckled config check`"):
        load(settings)


def test_files_that_are_named_and_cannot_be_used_are_faults_of_their_keys(settings, capsys):
    (settings.parent / "collector.pub").unlink()
    (settings.parent / "device.key").write_text("not a key")
    status, text = run(capsys, "check", "--config", settings)
    assert status == Exit.CONFIG
    assert "mqtt.collector_key" in text
    assert "device.key" in text


def test_keys_that_are_no_pair_are_a_fault(settings, capsys):
    make_key_pair(settings.parent / "other.key", settings.parent / "other.pub")
    status, text = run(capsys, "check", "--config", settings, "--set", "device.public_key=other.pub")
    assert status == Exit.CONFIG
    assert "not that of the private key" in text
    assert "--set device.public_key" in text


def test_a_promise_that_cannot_be_kept_is_a_fault(settings, capsys):
    status, text = run(capsys, "check", "--config", settings, "--set", 'privacy.frames_per_second="0"')
    assert status == Exit.CONFIG
    assert "not a rate above zero" in text


def test_what_works_and_should_be_otherwise_is_a_warning(settings, capsys):
    (settings.parent / "device.key").chmod(0o644)
    status, text = run(capsys, "check", "--config", settings, "--set", "mqtt.host=broker.example")
    assert status == Exit.OK
    assert "can be read and changed on the way" in text
    assert "chmod 600" in text


def test_drop_ins_and_the_environment_go_before_the_file(settings, monkeypatch):
    (settings.parent / "conf.d").mkdir()
    (settings.parent / "conf.d" / "10-site.toml").write_text('[mqtt]\nhost = "drop-in"\nroot = "drop-in"\n')
    monkeypatch.setenv("SPECKLED_MQTT__ROOT", "environment")
    loaded = load(settings)
    assert (loaded.mqtt.host, loaded.mqtt.root) == ("drop-in", "environment")
    assert load(settings, assignments=["mqtt.root=last"]).mqtt.root == "last"


def test_a_fault_names_the_layer_that_has_it(settings, monkeypatch):
    monkeypatch.setenv("SPECKLED_MQTT__PROT", "1")
    with pytest.raises(ConfigError, match="SPECKLED_MQTT__PROT: Object contains unknown field `prot`") as caught:
        load(settings)
    assert caught.value.remedy in {"did you mean `port`?", "did you mean `root`?"}


def test_show_tells_where_each_value_comes_from(settings, capsys, monkeypatch):
    monkeypatch.setenv("SPECKLED_MQTT__PORT", "8883")
    _, text = run(capsys, "show", "mqtt", "--origin", "--config", settings)
    assert "port = 8883  # SPECKLED_MQTT__PORT" in text
    assert "keepalive = 30  # default" in text
    assert re.search(r'root = "speckled"  # .+speckled\.toml:\d+', text)


def test_show_reads_back_to_the_same(settings, tmp_path, capsys):
    _, text = run(capsys, "show", "--config", settings)
    again = tmp_path / "again.toml"
    again.write_text(text)
    assert load(again) == load(settings)


VALUES = st.recursive(
    st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b-c", "d"]), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_is_written_as_toml_that_reads_back(value):
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value


CUSTOM = """
[entropy]
partners = [{driver = "tpm"}]
[privacy]
profile = "custom"
[privacy.custom]
visit_seconds = 600
pixels = 1024
epsilon = "1"
[[privacy.custom.levels]]
name = "hours"
window_seconds = 10800
cell = 64
epsilon = "1"
"""


def test_nested_tables_and_lists_of_tables_read_back(tmp_path):
    path = tmp_path / "speckled.toml"
    path.write_text('[device]\nid = "a"\n[camera]\ndriver = "synthetic"\n' + CUSTOM)
    before = load(path)
    path.write_text(as_toml(msgspec.convert(layers_of(path).tree, Settings), layers_of(path)))
    assert load(path) == before


def test_show_as_json_is_json(settings, capsys):
    _, text = run(capsys, "show", "--json", "mqtt", "--config", settings)
    assert json.loads(text)["mqtt"]["port"] == 1883


def test_explain_says_what_a_key_means_can_be_and_is(settings, capsys):
    _, text = run(capsys, "explain", "mqtt.port", "--config", settings)
    assert "a whole number, 1 to 65535; default 1883" in text
    assert re.search(r"now 1883, from .+speckled\.toml:\d+$", text, re.MULTILINE)


def test_explain_finds_a_key_by_its_last_word_and_every_key_of_a_section(settings, capsys):
    assert "mqtt.keepalive" in run(capsys, "explain", "keepalive")[1]
    assert run(capsys, "explain", "camera")[1].count("camera.width") == 3


@pytest.mark.parametrize("action", [["explain", "mqtt.prt"], ["show", "mqt"]])
def test_a_key_that_does_not_exist_is_answered_with_one_that_does(settings, action):
    with pytest.raises(ConfigError, match="there is no key") as caught:
        main([*action, "--config", str(settings)])
    assert "mqtt" in caught.value.remedy


def test_every_key_has_a_meaning_and_every_meaning_a_key():
    keys = all_keys()
    without = sorted({key.place for key in keys if not key.meaning})
    assert not without, f"say in edge/configuration/meaning.py what these mean: {', '.join(without)}"
    used = {key.place for key in keys} | {
        f"{key.place.rpartition('.')[0]}.{key.kind}.{key.place.rpartition('.')[2]}" for key in keys
    }
    assert set(MEANING) - used <= {"privacy.custom", "privacy.custom.levels"}
    assert meaning_of("entropy.partners[].device", "tpm") == MEANING["qrng.device"]


def test_the_table_in_the_documentation_is_that_of_the_types():
    page = (ROOT / "docs" / "configuration.md").read_text()
    again = "in docs/configuration.md put what `speckled config schema --markdown` prints in place of the table"
    assert markdown_table() in page, again
    rows = [line for line in page.splitlines() if re.match(r"\| `[a-z_]+\.", line)]
    assert rows == markdown_table().splitlines()[2:], again


def test_the_schema_in_the_package_is_that_of_the_types():
    kept = json.loads((ROOT / "edge" / "speckled.schema.json").read_text())
    made = json.loads(json.dumps(schema_for_editors()))
    assert kept == made, "run: speckled config schema > edge/speckled.schema.json"
