"""What `status` says of the calendar of working days."""

from node.cli.reading import calendar_line
from node.core.errors import XinqiaoError, to_refusal
from node.pb import admin_service_pb2 as pb


def test_status_tells_how_far_the_calendar_reaches() -> None:
    found = pb.GetStatusResponse(working_days_known_until="2026-12-31")
    assert calendar_line(found) == "working days known until 2026-12-31"


def test_status_warns_of_a_calendar_that_ends_soon_and_says_who_publishes_the_next() -> None:
    short = to_refusal(XinqiaoError("CALENDAR_SHORT", day="2027-01-01"))
    line = calendar_line(pb.GetStatusResponse(working_days_known_until="2026-12-31", calendar=short))
    assert line.startswith("working days known until 2026-12-31; ")
    assert "does not know 2027-01-01" in line
    assert "xinqiao registry propose calendar" in line


def test_status_says_so_where_there_is_no_calendar() -> None:
    short = to_refusal(XinqiaoError("CALENDAR_SHORT", day="2026-11-22"))
    assert "by weekends alone" in calendar_line(pb.GetStatusResponse(calendar=short))
