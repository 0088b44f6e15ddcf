from collector.page.app import make_app
from collector.page.live import Progress
from collector.page.server import PageServer
from collector.page.view import Panel

__all__ = ["PageServer", "Panel", "Progress", "make_app"]
