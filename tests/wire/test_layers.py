import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import Settings
from wire.layers import LayerError, Layers, from_assignments, from_environment, has, merge, read_drop_ins, read_file


def test_a_higher_layer_replaces_values_and_leaves_the_others():
    below = {"mqtt": {"host": "a", "port": 1}, "list": [1, 2]}
    assert merge(below, {"mqtt": {"port": 2}, "list": [3]}) == {"mqtt": {"host": "a", "port": 2}, "list": [3]}
    assert below["mqtt"]["port"] == 1


def test_another_kind_of_thing_replaces_the_table():
    below = {"camera": {"driver": "opencv", "source": 0, "width": 640}}
    assert merge(below, {"camera": {"driver": "synthetic"}}) == {"camera": {"driver": "synthetic"}}
    assert merge(below, {"camera": {"driver": "opencv", "source": 1}})["camera"]["width"] == 640


TREES = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=3),
    lambda children: st.dictionaries(st.sampled_from("abc"), children, max_size=3),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict))


@given(TREES, TREES, TREES)
def test_laying_over_is_associative_so_that_layers_can_be_merged_in_one_go(low, middle, high):
    assert merge(merge(low, middle), high) == merge(low, merge(middle, high)) or _replaces_a_table(low, middle, high)


def _replaces_a_table(low, middle, high):
    """A value in the middle that stands where both others have a table cuts the lowest off: then order matters."""
    return any(
        isinstance(low.get(key), dict)
        and isinstance(high.get(key), dict)
        and key in middle
        and (not isinstance(middle[key], dict) or _replaces_a_table(low[key], middle[key], high[key]))
        for key in low
    )


@given(TREES)
def test_nothing_laid_over_changes_nothing(tree):
    assert merge(tree, {}) == merge({}, tree) == tree


def test_drop_ins_come_in_the_order_of_their_names_and_other_files_are_left(tmp_path):
    for name in ("20-b.toml", "10-a.toml"):
        (tmp_path / name).write_text(f'name = "{name}"\n')
    (tmp_path / "note.txt").write_text("not TOML")
    (tmp_path / ".10-a.toml").write_text("an editor's")
    assert [layer.tree["name"] for layer in read_drop_ins(tmp_path)] == ["10-a.toml", "20-b.toml"]
    assert read_drop_ins(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [("8883", 8883), ("true", True), ('"8883"', "8883"), ("map-day", "map-day"), ("", ""), ("[1, 2]", [1, 2])],
)
def test_a_variable_is_read_as_toml_where_it_is_toml_and_as_text_else(text, value):
    assert from_environment({"SPECKLED_MQTT__PORT": text}, "SPECKLED_").tree == {"mqtt": {"port": value}}


def test_variables_of_others_and_those_without_a_section_are_left():
    environment = {"SPECKLED_NO_SKIPS": "1", "PATH": "/bin", "SPECKLED_COLLECTOR_MQTT__PORT": "1"}
    assert from_environment(environment, "SPECKLED_", but=["SPECKLED_COLLECTOR_"]) is None


def test_deeper_tables_have_more_underscores():
    layer = from_environment({"SPECKLED_PRIVACY__CUSTOM__VISITS": "2"}, "SPECKLED_")
    assert layer.tree == {"privacy": {"custom": {"visits": 2}}}
    assert layer.where("privacy.custom.visits") == "SPECKLED_PRIVACY__CUSTOM__VISITS"


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("5", "protocol", "5"),
        ("5", "keepalive", 5),
        ("42", "username", "42"),
        ("true", "username", "true"),
        ("true", "tls", True),
        ("yes", "tls", "yes"),
        ('"8883"', "port", "8883"),
        ("1\nport = 2", "port", "1\nport = 2"),
        ("1", "unknown", 1),
    ],
)
def test_a_value_is_text_where_the_key_wants_text_so_that_nobody_has_to_quote_twice(text, place, value):
    layer = from_environment({f"SPECKLED_MQTT__{place.upper()}": text}, "SPECKLED_", kind=Settings)
    assert layer.tree == {"mqtt": {place: value}}
    assert from_assignments([f"mqtt.{place}={text}"], kind=Settings).tree == layer.tree


def test_a_key_of_a_table_that_comes_in_kinds_is_read_as_any_of_them_wants_it():
    names = {"SPECKLED_CAMERA__SOURCE": "0", "SPECKLED_CAMERA__DRIVER": "opencv", "SPECKLED_CAMERA__PATH": "12"}
    tree = from_environment(names, "SPECKLED_", kind=Settings).tree
    assert tree == {"camera": {"source": 0, "driver": "opencv", "path": "12"}}


@pytest.mark.parametrize("names", [("A__B", "A__B__C"), ("A__B__C", "A__B__C__D")])
def test_two_variables_that_say_different_things_of_one_key_are_refused(names):
    with pytest.raises(LayerError, match=r"SPECKLED_A__B.*: SPECKLED_A__B.* says otherwise"):
        from_environment({f"SPECKLED_{name}": "1" for name in names}, "SPECKLED_")
    with pytest.raises(LayerError, match=r"--set a\.b.*: --set a\.b.* says otherwise"):
        from_assignments([f"{name.lower().replace('__', '.')}=1" for name in reversed(names)])


def test_the_last_of_two_assignments_to_one_key_counts():
    assert from_assignments(["a.b=1", "a.b=2"]).tree == {"a": {"b": 2}}


def test_a_table_can_be_assigned_and_added_to():
    layer = from_assignments(["a={b = 1}", "a.c=2"])
    assert layer.tree == {"a": {"b": 1, "c": 2}}
    assert (layer.where("a.b"), layer.where("a.c"), layer.where("a")) == ("--set a", "--set a.c", "--set a")


@pytest.mark.parametrize("name", ["mqtt__port", "Mqtt__PORT", "__PORT", "MQTT__", "MQTT____PORT"])
def test_a_variable_that_looks_like_a_setting_and_names_none_is_refused(name):
    with pytest.raises(LayerError, match=f"SPECKLED_{name}: no name of a setting") as caught:
        from_environment({f"SPECKLED_{name}": "1"}, "SPECKLED_")
    assert "SPECKLED_MQTT__PORT=8883" in caught.value.remedy


def test_a_variable_that_is_no_text_is_refused():
    with pytest.raises(LayerError, match="SPECKLED_MQTT__ROOT: not text in UTF-8"):
        from_environment({"SPECKLED_MQTT__ROOT": b"\xff".decode(errors="surrogateescape")}, "SPECKLED_")


@pytest.mark.parametrize("assignment", ["mqtt.port", "=1", "mqtt..port=1"])
def test_an_assignment_that_is_none_is_refused(assignment):
    with pytest.raises(LayerError, match="not KEY=VALUE"):
        from_assignments([assignment])


def test_each_value_knows_where_it_comes_from(tmp_path):
    path = tmp_path / "speckled.toml"
    path.write_text('[mqtt]\nhost = "a"\nport = 1\n[[list]]\nname = "x"\n')
    layers = Layers((read_file(path), from_environment({"SPECKLED_MQTT__PORT": "2"}, "SPECKLED_")))
    assert layers.origin("mqtt.host") == f"{path}:2"
    assert layers.origin("mqtt.port") == "SPECKLED_MQTT__PORT"
    assert layers.origin("mqtt.root") is None
    assert layers.where("mqtt.root") == f"{path}:1"
    assert layers.where("list[0].name") == f"{path}:5"
    assert layers.where("elsewhere") == str(path)


def test_a_path_through_a_value_leads_nowhere():
    assert not has({"a": 1}, ("a", "b"))
    assert not has({"a": [1]}, ("a", 1))
    assert has({"a": [{"b": 1}]}, ("a", 0, "b"))
