"""What is pinned: production needs no package of the embedded servers, and every package that is imported is named."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from app.embedded.stack import EmbeddedStack

ROOT = Path(__file__).resolve().parents[1]
# Folders that only development uses.
DEVELOPMENT = ("app/embedded", "app/demo", "tests", "benchmarks")

_WITHOUT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is not a package of production", name=name)

sys.meta_path.insert(0, Blocker())
import manage, celery_worker
assert manage.app.name == "app"
"""


def pinned(name: str) -> set[str]:
    return {normal(pin) for pin in re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / name).read_text(), re.MULTILINE)}


def named(name: str) -> set[str]:
    """The packages that a person has written down."""
    lines = (ROOT / name).read_text().splitlines()
    return {normal(match[0]) for line in lines if (match := re.match(r"[A-Za-z][A-Za-z0-9._-]*", line))}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder: Path) -> dict[str, str]:
    """The distributions that the modules below a folder import, each with one of the modules."""
    owners = packages_distributions()
    found: dict[str, str] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                for owner in owners.get(name.partition(".")[0], ()):
                    found[normal(owner)] = str(path.relative_to(ROOT))
    return found


def test_production_starts_without_the_packages_of_development(stack: EmbeddedStack) -> None:
    extra = pinned("requirements-dev.txt") - pinned("requirements.txt")
    assert "psutil" in extra
    blocked = {module for module, owners in packages_distributions().items() if {normal(o) for o in owners} <= extra}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT.format(blocked=blocked)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_package_that_production_imports_is_named_in_its_requirements() -> None:
    wanted = named("requirements.in")
    missing = {
        package: path
        for package, path in imported(ROOT / "app").items()
        if package not in wanted and not path.startswith(DEVELOPMENT)
    }
    assert missing == {}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert text.count("==") <= text.count("--hash=sha256:")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_what_production_pins_is_pinned_alike_for_development() -> None:
    pins = set(re.findall(r"^\S+==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert pins <= set(re.findall(r"^\S+==\S+", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
