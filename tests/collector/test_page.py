import http.client
import re
import shutil
import socket
import urllib.request
from fractions import Fraction
from urllib.parse import urlsplit

import pytest
from factories import altered, make_observation, make_statement

from collector.errors import Unavailable
from collector.page import PageServer, Panel, make_app
from wire.codec import encode
from wire.cose import sign
from wire.exit import Exit
from wire.schema import State
from wire.topics import Topics

EPOCH = bytes(range(16))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def filled(store, key):
    for position in (1, 2, 5):
        store.add(*make_observation("cam-1", position, EPOCH, key, keypoints=40))
    store.add(*make_observation("ward-3", 1, EPOCH, key, keypoints=5, level="state"))
    store.set_state("cam-1", State(state="online", session="s", software="speckled 0.1.0"))
    topic = "speckled/v1/00/cam-1/observation"
    store.add_dead_letter(topic, "cam-1", b"x", reason="signature", detail="<script>alert(1)</script>")
    store.commit()
    return store


@pytest.fixture
def page(filled, tmp_path):
    with PageServer(make_app(tmp_path / "collector.db"), "127.0.0.1", 0) as server:
        yield server


def get(server, path="/"):
    address = urlsplit(server.address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_the_fleet_page_lists_each_device_without_any_script(page):
    answer, body = get(page)
    assert answer.status == 200
    assert re.findall(r'data-device="([^"]+)"', body) == ["cam-1", "ward-3"]


def test_the_device_page_states_the_guarantee_in_words_and_exact_numbers(page):
    _, body = get(page, "/device/cam-1")
    text = " ".join(body.split())
    assert "one visit shorter than 10 min with at most 1024 pixels in view of this camera" in text
    assert "1/614400" in text
    assert "exposure-dp" in text
    assert "SIMULATED" in text
    assert "position 5 of epoch" in text


def test_every_answer_forbids_what_the_page_does_not_need(page):
    for path in ("/", "/device/cam-1", "/static/page.js", "/nowhere"):
        answer, _ = get(page, path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_comes_from_outside_is_shown_and_not_obeyed(page):
    _, body = get(page)
    assert "&lt;script&gt;" in body
    assert "<script>alert" not in body


def test_a_page_without_a_store_waits_and_one_with_a_damaged_store_says_so(tmp_path):
    path = tmp_path / "later.db"
    with PageServer(make_app(path), "127.0.0.1", 0) as server:
        assert "has not stored anything yet" in get(server)[1]
        path.write_bytes(b"not a database" * 100)
        answer, body = get(server)
    assert answer.status == 503
    assert "later.db" in body


@pytest.mark.parametrize(
    ("construction", "partners", "words"),
    [
        ("rbg3-xor", [], "full entropy XOR a DRBG"),
        ("drbg", [], "computational: expanded by a DRBG"),
        ("rbg3-xor", ["tpm", "<i>"], "full entropy XOR a DRBG, XOR tpm, &lt;i&gt;"),
    ],
)
def test_the_statement_says_in_words_how_the_noise_was_made(filled, page, key, construction, partners, words):
    statement = make_statement()
    entropy = altered(statement.entropy, construction=construction, partners=partners)
    told = altered(statement, entropy=entropy)
    filled.add(*make_observation("cam-1", 9, EPOCH, key, statement=told, level="other", opened=2**52))
    filled.commit()
    assert f"hmac-sha-512; {words} <" in " ".join(get(page, "/device/cam-1")[1].split())


def test_long_numbers_are_shown_exactly(filled, page, key):
    total = Fraction(2**100 + 1, 7**40)
    unit = make_statement().unit
    total = Fraction(total.numerator >> 64, total.denominator)
    endless = altered(make_statement(), cost_total=total, epsilon=total * unit.exposure)
    filled.add(*make_observation("cam-1", 9, EPOCH, key, statement=endless, level="x" * 64, opened=2**52))
    filled.commit()
    answer, body = get(page, "/device/cam-1")
    assert answer.status == 200
    assert str(endless.epsilon) in body


def test_a_window_is_compared_with_the_newest_one_that_shares_no_release(filled, page, key):
    for position, fused in ((6, [5, 6]), (7, [5, 6, 7])):
        filled.add(*make_observation("cam-1", position, EPOCH, key, fused=fused))
    filled.commit()
    assert "between the windows at positions 2 and 7" in get(page, "/device/cam-1")[1]


def test_stored_messages_of_another_form_are_passed_over_and_the_others_shown(filled, page, key):
    observation, envelope = make_observation("cam-1", 6, EPOCH, key)
    filled.add(observation, envelope.replace(b"keypoints", b"keyspots!"))
    filled.add(*make_observation("cam-1", 7, EPOCH, key))
    filled.commit()
    answer, body = get(page, "/device/cam-1")
    assert answer.status == 200
    assert "between the windows at positions 5 and 7" in body
    newest, envelope = make_observation("cam-1", 8, EPOCH, key)
    filled.add(newest, envelope.replace(b"keypoints", b"keyspots!"))
    filled.commit()
    answer, body = get(page, "/device/cam-1")
    assert answer.status == 200
    assert 'data-position="7"' in body


def test_the_page_names_the_method_and_the_network_that_described_a_place(filled, page, key):
    observation, _ = make_observation("cam-1", 9, EPOCH, key)
    features = altered(observation.features, method="speckled-<1>", model=bytes.fromhex("c0ffee") + bytes(29))
    observation = altered(observation, features=features)
    filled.add(observation, sign(encode(observation), key, Topics("speckled", "cam-1").observation))
    filled.commit()
    text = " ".join(get(page, "/device/cam-1")[1].split())
    assert "described by speckled-&lt;1&gt;, network <code>c0ffee0000000000</code>" in text


def test_the_stream_tells_of_a_change_within_seconds(page, filled, key):
    with urllib.request.urlopen(page.address + "events", timeout=10) as stream:
        filled.add(*make_observation("cam-1", 9, EPOCH, key))
        filled.commit()
        assert any(line == b"event: change\n" for line in stream)


def test_progress_is_told_and_panels_stand_in_a_strip_that_says_not_published(filled, tmp_path):
    app = make_app(
        tmp_path / "collector.db",
        panels=[Panel("Input", "from the clip", "/static/icon.svg")],
        progress=lambda: [{"label": "day", "done": 3, "total": 144}],
    )
    with PageServer(app, "127.0.0.1", 0) as server:
        body = get(server)[1]
        with urllib.request.urlopen(server.address + "events", timeout=10) as stream:
            assert any(line == b'data: [{"label": "day", "done": 3, "total": 144}]\n' for line in stream)
    assert "Demo only, not published" in body
    assert '<img data-refresh src="/static/icon.svg" alt="Input: from the clip"' in body


def test_a_port_in_use_is_an_error_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Unavailable) as caught:
        PageServer(make_app("nowhere.db"), "127.0.0.1", taken.getsockname()[1])
    assert caught.value.exit == Exit.UNAVAILABLE


@pytest.fixture
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser):
    tab = browser.new_page()
    tab.complaints, tab.asked = [], []
    tab.on("console", lambda message: tab.complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("request", lambda request: tab.asked.append(request.url))
    return tab


@pytest.mark.browser
def test_the_constellation_is_drawn_and_follows_new_observations_without_a_reload(tab, page, filled, key):
    tab.goto(page.address)
    assert tab.locator("tr[data-device]").count() == 2
    tab.get_by_role("link", name="cam-1").click()
    level = tab.locator("section[data-level=day]")
    assert level.get_attribute("data-position") == "5"
    drawing = tab.get_by_role("img", name="40 keypoints of level day at ledger position 5")
    assert drawing.locator(".star").count() == 40
    assert drawing.locator(".halo").count() == 40
    assert drawing.bounding_box()["width"] > 200
    assert tab.locator("svg.pair .match").count() > 20
    tab.evaluate("window.mark = 1")
    tab.get_by_text("live", exact=True).wait_for()
    filled.add(*make_observation("cam-1", 6, EPOCH, key, keypoints=33))
    filled.commit()
    tab.get_by_role("img", name="33 keypoints of level day at ledger position 6").wait_for(timeout=10_000)
    assert tab.evaluate("window.mark") == 1
    assert all(url.startswith(page.address) for url in tab.asked)
    assert tab.complaints == []


@pytest.mark.browser
def test_progress_bars_fill_in_the_browser(tab, filled, tmp_path):
    done = iter(range(1000))
    app = make_app(
        tmp_path / "collector.db",
        panels=[Panel("Input", "from the clip", "/static/icon.svg")],
        progress=lambda: [{"label": "day", "done": next(done), "total": 144}],
    )
    with PageServer(app, "127.0.0.1", 0) as server:
        tab.goto(server.address + "device/cam-1")
        bar = tab.get_by_role("progressbar")
        bar.wait_for()
        first = bar.evaluate("bar => bar.value")
        tab.wait_for_function("first => document.querySelector('progress').value > first", arg=first)
        assert tab.complaints == []


@pytest.mark.browser
def test_the_page_fits_a_telephone_and_names_what_can_be_touched(tab, page):
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.goto(page.address + "device/cam-1")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    unnamed = "[...document.querySelectorAll('a, img, svg, meter, section[aria-labelledby]')].filter(e => !"
    unnamed += "(e.textContent.trim() || e.alt || e.getAttribute('aria-label'))).length"
    assert tab.evaluate(unnamed) == 0
