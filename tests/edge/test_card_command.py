import json
import re
import shutil
from dataclasses import replace
from fractions import Fraction

import pytest

from edge.card.card import RAW_DEPTHS, Options, make_card
from edge.card.command import main
from edge.card.events import EVENTS, frames_of
from edge.card.geometry import pixels
from edge.card.page import page
from edge.card.picture import picture
from edge.card.table import DISTANCES, nearest
from edge.card.text import document, text
from edge.card.words import NOT_PROMISED, lead, odds, rounded_up, sentence, sure
from edge.commands import card as card_command
from edge.config import load
from edge.errors import ConfigError
from edge.privacy.plan import Curve, plan_for
from edge.privacy.profiles import PROFILES, named
from wire.exit import Exit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
RAW = 'driver = "picamera2"\nstream = "raw"\nwidth = 820\nheight = 616'
LUMA = 'driver = "picamera2"\nstream = "luma"\nwidth = 640\nheight = 480'
WEBCAM = 'driver = "opencv"\nsource = 0'


@pytest.fixture
def write(tmp_path):
    def write(camera=RAW, privacy=""):
        path = tmp_path / "speckled.toml"
        path.write_text(f'[device]\nid = "ward-3"\n[camera]\n{camera}\n[privacy]\n{privacy}\n[mqtt]\nhost = "h"\n')
        return path

    return write


@pytest.fixture
def make(write):
    def make(camera=RAW, privacy="", **options):
        return make_card(load(write(camera, privacy)), Options(**options))

    return make


def run(path, *arguments):
    return main(["--config", str(path), *arguments])


@pytest.mark.parametrize("profile", PROFILES)
def test_epsilon_of_each_event_is_its_exposure_times_the_slope_that_the_ledger_keeps(make, profile):
    card = make(profile=profile, privacy='frames_per_second = "2/3"')
    plan = plan_for(
        named(profile), width=820, height=616, max_value=4092, frame_rate=Fraction(2, 3), curve=Curve("log"), tau=32
    )
    assert (card.cost_total, card.epsilon) == (plan.cost_total, plan.epsilon)
    assert [event for event, _ in card.events] == list(EVENTS)
    for event, cost in card.events:
        covered = 820 * 616 if event.thing is None else pixels(card.camera, event.thing, event.distance)
        frames = event.times * max(1, -(-event.seconds * 2 // 3))
        assert (cost.pixels, cost.frames, cost.exposure) == (covered, frames, covered * frames)
        assert cost.epsilon == plan.cost_total * covered * frames


def test_the_slope_is_the_largest_of_any_depth_that_a_sensor_may_have(make):
    card = make(privacy='profile = "resident"\nframes_per_second = "1/28801"')
    plans = [
        plan_for(
            named("resident"),
            width=820,
            height=616,
            max_value=4 * (2**depth - 1),
            frame_rate=Fraction(1, 28801),
            curve=Curve("log"),
            tau=32,
        )
        for depth in RAW_DEPTHS
    ]
    assert card.cost_total == max(plan.cost_total for plan in plans)


def test_a_person_at_the_border_has_the_limit_and_a_decimetre_closer_has_not(make):
    card = make()
    for limit, distance in card.borders:
        event = EVENTS[1]
        costs = [
            card.cost_total * card.unit.frames * pixels(card.camera, event.thing, place)
            for place in (distance, distance - 0.1)
        ]
        assert costs[0] <= limit < costs[1]


def test_no_border_is_claimed_where_the_rim_alone_costs_too_much(make):
    card = make(LUMA)
    assert card.camera.rim == 28
    assert dict(card.borders)[Fraction(1)] is None
    assert "at no distance up to 200 m" in page(card)
    assert dict(make(LUMA, rim=4).borders)[Fraction(1)] < 100


def test_a_picture_without_a_border_says_on_which_side_all_of_it_is(make):
    assert "ε above 3 up to 200 m" in picture(make(LUMA))
    slow = make(privacy='profile = "month"\nframes_per_second = "1/300"', frame=None, lens=120, rim=0)
    assert "everywhere" not in picture(slow)
    dim = replace(slow, borders=tuple((limit, 0.0) for limit, _ in slow.borders))
    assert "ε ≤ 1/2 everywhere" in picture(dim)


def test_a_border_of_zero_is_any_distance(make):
    card = make()
    plan = plan_for(
        named("place"), width=820, height=616, max_value=4092, frame_rate=Fraction(1), curve=Curve("log"), tau=32
    )
    assert nearest(card.camera, Fraction(10**6), plan, times=1, frames=1) == 0.0


def test_the_grid_grows_with_time_and_falls_with_distance(make):
    card = make()
    assert all(len(row.epsilons) == len(DISTANCES) for row in card.rows)
    for row in card.rows:
        assert list(row.epsilons) == sorted(row.epsilons, reverse=True)
    for column in zip(*(row.epsilons for row in card.rows), strict=True):
        assert list(column) == sorted(column)


def test_a_presence_shorter_than_a_frame_still_touches_one():
    assert frames_of(10, Fraction(1, 600)) == 1
    assert frames_of(10, Fraction(1)) == 10


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0"), ("1", "1"), ("1001/1000", "1.1"), ("1/3", "0.34"), ("1/2", "0.5"), ("63/10000", "0.0063"),
     ("99", "99"), ("991/10", "100"), ("132", "140"), ("1234", "1 300"), ("123456", "124 000")],
)  # fmt: skip
def test_what_is_printed_is_never_smaller_than_what_is_so(value, text):
    assert rounded_up(Fraction(value)) == text
    assert Fraction(text.replace(" ", "")) >= Fraction(value)


def test_words_follow_bayes_rule_for_pure_differential_privacy():
    assert odds(Fraction(1, 2)) == "1.65"
    assert odds(Fraction(1)) == "2.72"
    assert sure(Fraction(1, 2)) == (63, 37)
    assert "ε = 0.5" in sentence(Fraction(1, 2))
    assert "at most 1.65 times better than before" in sentence(Fraction(1, 2))
    assert "more than 1000 times" in sentence(Fraction(7000))


def test_the_command_prints_text_that_repeats_what_was_assumed(write, capsys):
    assert card_command(["--config", str(write()), "--lens", "70", "--mounted", "3", "--tilt", "20"]) == Exit.OK
    text = capsys.readouterr().out
    for said in ("70°", "3 m above the floor", "20° down", "820 x 616", "does not promise", *NOT_PROMISED):
        assert said in text
    assert max(map(len, text.splitlines())) <= 100


def test_json_is_exact(write, capsys, make):
    assert run(write(), "--json") == Exit.OK
    document = json.loads(capsys.readouterr().out)
    card = make()
    assert Fraction(document["epsilon"]) == card.epsilon
    assert [Fraction(event["epsilon"]) for event in document["events"]] == [cost.epsilon for _, cost in card.events]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lens", "200"], "--lens 200 is not within 5 to 120 degrees"),
        (["--mounted", "-1"], "--mounted -1 is not within"),
        (["--profile", "palace"], "there is no profile `palace`"),
        (["--frame", "640"], "--frame 640 is no size"),
        (["--frame", "640x480"], "another size than the configuration's 820 x 616"),
        (["--html", "/nowhere/card.html"], "/nowhere/card.html: No such file"),
    ],
)
def test_a_bad_option_is_one_line_with_a_remedy(write, arguments, said):
    with pytest.raises(ConfigError) as caught:
        run(write(), *arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) + caught.value.remedy


def test_a_camera_of_unknown_size_needs_it_and_its_own_processing_is_named_as_unknown(write, make):
    with pytest.raises(ConfigError, match="how large"):
        run(write(WEBCAM))
    assert any("not known" in text for text in make(WEBCAM, frame=(640, 480)).assumptions)


def test_the_page_stands_alone_and_shows_every_exact_epsilon(make):
    card = make()
    html = page(card)
    assert re.findall(r'data-epsilon="([^"]+)"', html) == [str(cost.epsilon) for _, cost in card.events]
    assert not re.search(r"<script|src=|@import|url\(|<link", html)
    assert set(re.findall(r'https?://[^"\s]+', html)) == {"http://www.w3.org/2000/svg"}


def test_no_word_of_the_card_promises_without_a_unit(make, write, capsys):
    run(write())
    for said in (page(make()), capsys.readouterr().out):
        assert not re.search(r"hidden|anonym|invisible|safe\b|protected|GDPR", said, re.IGNORECASE)


@pytest.fixture
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.browser
def test_the_page_fits_a_telephone_a_sheet_of_paper_and_the_dark(browser, write, tmp_path):
    assert run(write(), "--html", str(tmp_path / "card.html"), "--svg", str(tmp_path / "card.svg")) == Exit.OK
    paper = {}
    for scheme, width in (("light", 1000), ("dark", 360)):
        tab = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 740})
        complaints = []
        tab.on("console", lambda message, kept=complaints: kept.append(message.text))
        tab.goto((tmp_path / "card.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        drawing = tab.get_by_role("img", name="ε of a standing person")
        assert drawing.bounding_box()["width"] > 250
        assert drawing.locator("text", has_text="ε ≤ 1").count() == 2
        paper[scheme] = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert complaints == []
    assert paper["light"] != paper["dark"]
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_card_of_gaussian_noise_says_delta_and_counts_how_a_body_can_crowd(make):
    custom = """profile = "custom"
[privacy.custom]
visit_seconds = 600
pixels = 1024
epsilon = "1"
noise = "gaussian"
delta = "1/1000000000000"
[[privacy.custom.levels]]
name = "day"
window_seconds = 86400
cell = 16
epsilon = "1"
"""
    card = make(privacy=custom)
    assert card.delta == Fraction(1, 10**12)
    assert "ε = 1 (with δ = 1e-12) for one visit" in text(card)
    assert "in proportion" not in lead(card)
    assert "zCDP" in page(card)
    assert "no δ" not in page(card)
    assert document(card)["delta"] == "1/1000000000000"
    unit = card.unit
    for event, cost in card.events:
        if cost.exposure > 100 * unit.exposure:
            assert cost.epsilon > 10, event.name
