"""Lists: pages, order, links and counts."""

from __future__ import annotations

from toybox import Toys


def test_a_list_a_detail_a_post_and_a_patch_work(toys: Toys) -> None:
    event = toys.gathering()
    body = {
        "data": {
            "type": "talk",
            "attributes": {"title": "Knots", "state": "accepted"},
            "relationships": {"event": {"data": {"type": "gathering", "id": str(event)}}},
        }
    }
    made = toys.send("POST", "/talks", json=body)
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == made.json["data"]["links"]["self"] == "/toy/talks/1"
    change = {"data": {"type": "talk", "id": "1", "attributes": {"title": "Bends"}}}
    assert toys.send("PATCH", "/talks/1", json=change).json["data"]["attributes"]["title"] == "Bends"
    listed = toys.get("/talks")
    assert listed.headers["Content-Type"] == "application/vnd.api+json"
    assert [item["attributes"]["title"] for item in listed.json["data"]] == ["Bends"]
    assert listed.json["meta"] == {"count": 1}
    assert toys.send("DELETE", "/talks/1").status_code == 204
    assert toys.get("/talks/1").status_code == 404
