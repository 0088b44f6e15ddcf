import pytest
from hypothesis import given
from hypothesis import strategies as st

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
