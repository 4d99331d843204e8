"""The peer's virtual environment, where nothing can be installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers.environment import POST_OFFICE, PeerError, folder, peer_python


@pytest.mark.slow
def test_without_a_package_index_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PeerError, match=r"install .*Django(.|\n)*need a network"):
        peer_python(POST_OFFICE)
    # The next try begins anew: what is half made is not taken for complete.
    assert folder(POST_OFFICE).is_relative_to(tmp_path)
    assert not (folder(POST_OFFICE) / "complete").exists()
