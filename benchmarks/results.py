"""Where figures go: a line on the terminal, and `benchmarks/results.json`."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("results.json")


@dataclass
class Results:
    """The figures of one run; those of earlier runs of other benchmarks stay in the file."""

    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str, of: str) -> None:
        """Print a figure and keep it; `of` says what it was measured against."""
        rounded = float(f"{value:.4g}")
        print(f"{name}: {rounded} {unit}", flush=True)
        self.figures[name] = {"value": rounded, "unit": unit, "of": of}

    def write(self, path: Path = PATH) -> None:
        """Write the file."""
        known = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.exists() else {}
        body = {"machine": machine(), "figures": dict(sorted({**known, **self.figures}.items()))}
        path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
