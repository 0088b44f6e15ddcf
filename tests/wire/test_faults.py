import tomllib
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from wire.faults import find_faults
from wire.layers import Layer, Layers
from wire.settings import SettingsError, settings_from


class Row(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An item of a list."""

    name: Annotated[str, Meta(min_length=1)]
    size: Annotated[int, Meta(ge=1, le=9)] = 1


class Cat(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="cat"):
    """One kind."""

    lives: int = 9


class Dog(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="dog"):
    """Another kind."""

    bark: Literal["high", "low"]


class Made(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of each thing that settings are made of."""

    port: Annotated[int, Meta(ge=1, le=65535)] = 1
    word: str | None = None
    pair: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(le=255)]] = (0, 255)
    rows: Annotated[list[Row], Meta(max_length=3)] = []
    pets: tuple[Cat | Dog, ...] = ()
    share: str | Annotated[float, Meta(gt=0, le=8)] | None = None


class Whole(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file."""

    made: Made = Made()
    pet: Cat | Dog


def faults_of(text, kind=Whole):
    return find_faults(Layers((Layer("a.toml", tomllib.loads(text), text),)), kind)


def lines(text):
    return [(fault.where, fault.place, fault.remedy) for fault in faults_of(text)]


def test_no_fault_hides_another_one():
    text = """\
[made]
prot = 1
port = 0
word = 3
pair = [-1, 256]
[[made.rows]]
name = ""
size = 10
[[made.rows]]
nam = "x"
size = "y"
[pet]
driver = "dog"
bark = "hgih"
lives = 9
"""
    assert lines(text) == [
        ("a.toml:2", "made", "did you mean `port`?"),
        ("a.toml:3", "made.port", "correct the value: a whole number, 1 to 65535"),
        ("a.toml:4", "made.word", "correct the value: text in quotes"),
        ("a.toml:5", "made.pair[0]", "correct the value: a whole number, at least 0"),
        ("a.toml:5", "made.pair[1]", "correct the value: a whole number, at most 255"),
        ("a.toml:7", "made.rows[0].name", "correct the value: text in quotes, not empty"),
        ("a.toml:8", "made.rows[0].size", "correct the value: a whole number, 1 to 9"),
        ("a.toml:10", "made.rows[1]", "did you mean `name`?"),
        ("a.toml:11", "made.rows[1].size", "correct the value: a whole number, 1 to 9"),
        ("a.toml:14", "pet.bark", "did you mean `high`?"),
        ("a.toml:15", "pet", "remove the key"),
    ]


def test_a_list_that_is_too_long_is_a_fault_beside_those_of_its_items():
    text = '[pet]\ndriver = "cat"\n[made]\nrows = [{}, {name = "a"}, {name = "b"}, {name = "c"}]\n'
    assert [(fault.place, fault.what) for fault in faults_of(text)] == [
        ("made.rows[0]", "Object missing required field `name`"),
        ("made.rows", "Expected `array` of length <= 3"),
    ]


def test_every_key_and_section_that_is_missing_is_named():
    text = '[made]\nrows = [{}]\npets = [{}, {driver = "dog"}, {driver = "dgo"}, {driver = 3}, 4]\n'
    assert [(fault.place, fault.what, fault.remedy) for fault in faults_of(text)] == [
        ("made.rows[0]", "Object missing required field `name`", "add the key `name`"),
        ("made.pets[0]", "Object missing required field `driver`", "add the key `driver`"),
        ("made.pets[1]", "Object missing required field `bark`", "add the key `bark`"),
        ("made.pets[2].driver", "Invalid value 'dgo'", "did you mean `dog`?"),
        ("made.pets[3].driver", "Invalid value 3", "choose one of cat, dog"),
        ("made.pets[4]", "Expected `object`, got `int`", "correct the value: a table"),
        ("", "Object missing required field `pet`", "add the section [pet]"),
    ]


def test_a_required_key_that_is_misspelt_is_one_fault_and_not_two():
    assert lines('[pet]\ndriver = "dog"\nbarck = "low"\n') == [("a.toml:3", "pet", "did you mean `bark`?")]


@pytest.mark.parametrize(
    ("text", "what"), [("made = 3\n", "made"), ("[[made]]\n", "made"), ("made.rows = 3\n", "made.rows")]
)
def test_a_value_in_the_place_of_a_table_or_list_is_named(text, what):
    assert (
        faults_of(text + 'pet.driver = "cat"\n' if "[[" not in text else 'pet.driver = "cat"\n' + text)[0].place == what
    )


def test_what_a_value_can_be_is_said_for_each_of_its_kinds():
    (fault,) = faults_of('[pet]\ndriver = "cat"\n[made]\nshare = 9.0\n')
    assert fault.remedy == "correct the value: text in quotes or a number, above 0, at most 8"


LEAVES = st.integers(-2, 300) | st.booleans() | st.sampled_from(["", "a", "dog", "cat", "high"]) | st.floats(-1, 9)
KEYS = st.sampled_from(["made", "pet", "port", "word", "pair", "rows", "pets", "name", "size", "driver", "bark", "x"])
TREES = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)),
    max_size=3,
)

ROWS = st.lists(st.fixed_dictionaries({"name": st.sampled_from(["a", ""])}, optional={"size": st.integers(0, 10)}))
PETS = st.fixed_dictionaries(
    {"driver": st.sampled_from(["cat", "dog", "cow"])}, optional={"bark": st.sampled_from(["high", "low", "mid"])}
)
NEARLY_RIGHT = st.fixed_dictionaries(
    {"pet": PETS},
    optional={
        "made": st.fixed_dictionaries(
            {}, optional={"port": st.integers(0, 3), "rows": ROWS, "pets": st.lists(PETS, max_size=2), "word": LEAVES}
        )
    },
)


def _accepted(tree):
    try:
        msgspec.convert(tree, Whole)
    except msgspec.ValidationError:
        return False
    return True


@given(TREES | NEARLY_RIGHT)
def test_faults_are_found_exactly_where_the_reader_refuses(tree):
    found = find_faults(Layers((Layer("a", tree),)), Whole)
    assert bool(found) != _accepted(tree)


def test_the_first_fault_is_raised_with_the_number_of_the_others():
    text = "[made]\nport = 0\nword = 1\n"
    layers = Layers((Layer("a.toml", tomllib.loads(text), text),))
    with pytest.raises(SettingsError, match=r"a\.toml:2: .+ - at `\$\.made\.port` \(and 2 more\)$"):
        settings_from(layers, Whole)
    with pytest.raises(SettingsError, match=r"\(and 2 more: `look` lists them\)$"):
        settings_from(layers, Whole, lister="look")
