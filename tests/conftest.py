from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The clips and photographs that are kept beside the checkout, never in it."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no clips and photographs beside the checkout (../shared/data)")
    return path
