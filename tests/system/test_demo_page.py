import urllib.request

from demo.__main__ import INPUT, PRIVATE_MAP, _page
from demo.broker import DemoBroker
from demo.progress import ProgressListener
from demo.stage import DEVICE, set_stage


def fetch(address):
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.headers["Content-Type"], answer.read()


def test_the_page_labels_what_is_not_published_and_says_what_each_picture_does_not_protect(tmp_path):
    broker = DemoBroker("none", 1, "5", process=None)
    stage = set_stage(tmp_path, broker, video=None, frames=None, rate=60, profile="place")
    with _page(stage, ProgressListener(tmp_path / "status.sock"), 0) as page:
        _, body = fetch(f"{page.address}device/{DEVICE}")
        text = " ".join(body.decode().split())
        assert "Demo only, not published" in text
        assert INPUT in text
        assert PRIVATE_MAP in text
        for picture in ("input", "map"):
            kind, data = fetch(f"{page.address}demo/{picture}.png")
            assert kind == "image/png"
            assert data.startswith(b"\x89PNG")
