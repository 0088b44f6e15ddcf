import pytest

from wire.lines import line_of

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
        ("entropy.partners[0].driver", 19),
        ("entropy.mqtt.root", 22),
        ("camera", None),
        ("", None),
    ],
)
def test_the_line_of_a_key_or_of_what_is_around_it(place: str, line: int | None) -> None:
    assert line_of(TEXT, place) == line
