import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.configuration.keys import toml_value
from wire.lines import line_of, lines_of, name_of, steps

TEXT = """# a comment
[device]
id = "ward-3"

[privacy]
profile = "custom"
"lut" = "log"

[privacy.custom]
pixels = 1024
[[privacy.custom.levels]]
name = "map"
cell = 16

[[ privacy.custom.levels ]]
name = "state"
cell=64
[entropy]
partners = [
  { driver = "tpm" },
]
mqtt.root = "x"
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("device.id", 3),
        ("privacy.lut", 7),
        ("privacy.custom.pixels", 10),
        ("privacy.custom.levels[0].cell", 13),
        ("privacy.custom.levels[1].name", 16),
        ("privacy.custom.levels[1].cell", 17),
        ("privacy.custom.levels[1].epsilon", 15),
        ("privacy.custom.levels[...].cell", 11),
        ("privacy.custom.visits", 9),
        ("privacy.residual", 5),
        ("entropy.partners[0].driver", 20),
        ("entropy.mqtt.root", 22),
        ("camera", None),
        ("", None),
    ],
)
def test_the_line_of_a_key_or_of_what_is_around_it(place: str, line: int | None) -> None:
    assert line_of(TEXT, place) == line


NASTY = '''\
# [not.a.table]  x = 1
"quoted.key" = 1   # "a" = 'b'
'literal key' = """
[not.a.table]
also = "nothing" \\"""
"""
a.b.c = 1.5
a . "b" . d = { e = [ 1, { f = "}" } ], g.h = '#' }
lists = [
  # a comment with ] in it
  [1, 2],
  ["]", QQQ
[x]
y = 1
QQQ],

  { driver = "a" },
]
date = 1979-05-27T07:32:00Z
[implied.table]
3.14 = "dotted"
[[implied.list]]
[[implied.list.deeper]]
x = -inf
[[implied.list.deeper]]
x = 1
[implied.list.under]
y = 0xff
[[implied.list]]
[[implied.list.deeper]]
x = """five quotes"""""
[ implied . spaced ]   # a comment
z = []
'''.replace("QQQ", 3 * "'")


def places(tree, at=()):
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*at, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*at, key))


def test_everything_in_a_file_has_a_line_and_nothing_else_does():
    assert set(lines_of(NASTY)) == set(places(tomllib.loads(NASTY)))


def test_the_line_is_that_on_which_the_key_or_item_begins():
    lines, text = lines_of(NASTY), NASTY.splitlines()
    for place, line in lines.items():
        word = next((step for step in reversed(place) if isinstance(step, str)), "")
        assert word in text[line - 1] or isinstance(place[-1], int) or place == ("implied",)
    assert text[lines["lists", 2] - 1].strip() == '{ driver = "a" },'
    assert text[lines["lists", 2, "driver"] - 1].strip() == '{ driver = "a" },'
    assert text[lines["implied", "list", 0, "deeper", 1] - 1] == "[[implied.list.deeper]]"
    assert lines["implied", "list", 0, "deeper", 0] < lines["implied", "list", 0, "deeper", 1]
    assert text[lines["implied",] - 1] == "[implied.table]"


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
TREES = st.dictionaries(
    WORDS.filter(bool),
    st.recursive(
        st.integers(-9, 9) | st.booleans() | WORDS | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b-c"]), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(TREES)
def test_any_file_is_read_line_by_line(tree):
    text = "".join(f"{toml_value(key)} = {toml_value(value)}\n" for key, value in tree.items())
    assert tomllib.loads(text) == tree
    lines = lines_of(text)
    assert set(lines) == set(places(tree))
    assert [lines[key,] for key in tree] == list(range(1, len(tree) + 1))


@given(st.lists(st.integers(0, 9) | st.text("abc-_", min_size=1), min_size=1).filter(lambda at: isinstance(at[0], str)))
def test_a_place_can_be_named_and_read_again(place):
    assert steps(name_of(tuple(place))) == tuple(place)
