import pytest
from conftest import ROOT

from soak import faults, plants
from soak.points import POINTS, owner


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.process}: {point.name}")
def test_each_fault_point_is_at_a_function_that_exists(point):
    place, name = owner(point.target)
    assert callable(getattr(place, name))


def test_a_point_whose_function_is_gone_says_what_to_do():
    with pytest.raises(LookupError, match="name what took its place"):
        owner("edge.relay.outbox:Outbox.no_such_function")


def test_points_and_kinds_of_fault_have_names_of_their_own():
    for names in ([point.name for point in POINTS], [kind.name for kind in faults.KINDS]):
        assert len(names) == len(set(names))


def test_every_process_between_frame_and_acknowledgement_has_points_and_planted_defects():
    processes = {"capture", "relay", "collector"}
    assert {point.process for point in POINTS} == processes
    assert {process for process, _ in plants.PLANTS.values()} == processes


def test_the_page_names_every_point_and_where_it_is():
    page = (ROOT / "docs" / "soak.md").read_text(encoding="utf-8")
    missing = [point for point in POINTS if f"| {point.process} | {point.name} | {point.when} " not in page]
    assert missing == []
    assert [point.target for point in POINTS if point.target.replace(":", ".") not in page] == []


def test_the_page_says_how_each_planted_defect_is_found():
    page = (ROOT / "docs" / "soak.md").read_text(encoding="utf-8")
    table = page.partition("| defect | found because, most often |")[2].partition("\n\n")[0]
    assert len(table.strip().splitlines()) - 1 == len(plants.PLANTS)
