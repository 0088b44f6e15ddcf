import stat

import pytest

from collector.cli import collector
from collector.config import EXAMPLE, load
from collector.errors import ConfigError
from wire.exit import Exit
from wire.keys import make_key_pair, read_private_key
from wire.settings import SettingsError


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "collector.toml"
        path.write_text(text)
        return path

    return write


def test_the_example_can_be_used_as_it_stands(written, tmp_path):
    settings = load(written(EXAMPLE))
    assert settings.store.path == str(tmp_path / "collector.db")
    assert settings.keys.devices == str(tmp_path / "devices")
    assert settings.page.port == 8080


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ("[mqtt]\nports = 1883\n", "ports", "did you mean `port`?"),
        ("[stores]\n", "stores", "did you mean `store`?"),
        ('[page]\nport = "many"\n', "$.page.port", "correct"),
        ("[page]\nport = 70000\n", "$.page.port", "correct"),
        ("[mqtt\n", "line 1", "syntax"),
        ('[mqtt]\nroot = "a b"\n', "$.mqtt.root", "correct"),
    ],
)
def test_a_mistake_in_the_settings_is_named_with_what_to_do(written, text, says, remedy):
    with pytest.raises(ConfigError) as caught:
        load(written(text))
    assert says in str(caught.value)
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)
    assert caught.value.exit == Exit.CONFIG == 78


def test_drop_ins_and_variables_go_before_the_file(written, tmp_path):
    path = written('[mqtt]\nhost = "a"\nport = 1\nroot = "a"\n')
    (tmp_path / "collector.d").mkdir()
    (tmp_path / "collector.d" / "10.toml").write_text('[mqtt]\nport = 2\nroot = "b"\n')
    environment = {"SPECKLED_COLLECTOR_MQTT__ROOT": "c", "SPECKLED_MQTT__ROOT": "the device's"}
    mqtt = load(path, environment=environment).mqtt
    assert (mqtt.host, mqtt.port, mqtt.root) == ("a", 2, "c")


def test_without_a_file_variables_count_and_paths_are_those_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load(None, environment={"SPECKLED_COLLECTOR_PAGE__PORT": "0", "SPECKLED_COLLECTOR_STORE__PATH": "x.db"})
    assert settings.page.port == 0
    assert settings.store.path == str(tmp_path / "x.db")
    assert load(None, environment={}).page is None


def test_a_mistake_in_a_variable_names_it_and_the_others_are_counted(written):
    environment = {"SPECKLED_COLLECTOR_MQTT__PRT": "1", "SPECKLED_COLLECTOR_PAGE__PORT": "many"}
    with pytest.raises(ConfigError, match=r"SPECKLED_COLLECTOR_MQTT__PRT: .+`prt` - at `\$\.mqtt` \(and 1 more\)$"):
        load(written(""), environment=environment)


def test_a_missing_settings_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


def test_init_makes_a_secret_key_a_public_key_and_settings_that_load(tmp_path, capsys):
    assert collector(["init", "--dir", str(tmp_path / "new")]) == 0
    folder = tmp_path / "new"
    assert stat.S_IMODE((folder / "collector.key").stat().st_mode) == 0o600
    assert (folder / "devices").is_dir()
    read_private_key(folder / "collector.key")
    assert load(folder / "collector.toml").mqtt.root == "speckled"
    assert "collector.pub" in capsys.readouterr().out


def test_init_overwrites_nothing(tmp_path):
    collector(["init", "--dir", str(tmp_path)])
    before = (tmp_path / "collector.key").read_bytes()
    with pytest.raises(SettingsError, match="exists"):
        collector(["init", "--dir", str(tmp_path)])
    assert (tmp_path / "collector.key").read_bytes() == before


@pytest.mark.parametrize(
    "content", [None, b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "pub"]
)
def test_a_key_that_cannot_be_used_is_named(tmp_path, content):
    if content == "pub":
        make_key_pair(tmp_path / "other.key", tmp_path / "collector.key")
    elif content is not None:
        (tmp_path / "collector.key").write_bytes(content)
    with pytest.raises(SettingsError, match=r"collector\.key"):
        read_private_key(tmp_path / "collector.key")


@pytest.mark.parametrize("flags", [["--broker", "nohost"], ["--page", "a:99999999"], ["--protocol", "4"], ["extra"]])
def test_arguments_that_make_no_sense_end_with_usage(flags, capsys):
    with pytest.raises(SystemExit) as caught:
        collector(flags)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err
