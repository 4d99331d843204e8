from __future__ import annotations

from app.doctor.realtime import check_realtime
from tests.support.processes import free_port
from tests.support.streams import Gateway


def test_a_gateway_is_told_from_something_else_and_from_nothing(gateway: Gateway) -> None:
    [good] = check_realtime(gateway.url)
    assert (good.level, good.check) == ("ok", "realtime")
    [other] = check_realtime(f"{gateway.url}/elsewhere")
    assert (other.level, "404" in other.what) == ("warning", True)
    [nothing] = check_realtime(f"http://127.0.0.1:{free_port()}")
    assert nothing.level == "warning"
    assert "manage.py realtime" in nothing.advice
