import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

import config

ROOT = Path(__file__).resolve().parents[1]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")

OURS = ("migrate", "web", "worker", "beat")
# ${NAME}, ${NAME:-default} and ${NAME:?what to do}; $$ is a dollar.
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")
COMMANDS = {
    "migrate": ["python", "manage.py", "db", "upgrade"],
    "web": ["gunicorn", "manage:app"],
    "worker": ["celery", "-A", "celery_worker.celery", "worker"],
    "beat": ["celery", "-A", "celery_worker.celery", "beat"],
}


def example() -> dict[str, str]:
    lines = (line for line in EXAMPLE.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def _filled(text: str, values: dict[str, str]) -> str:
    """What compose makes of a value."""
    return VARIABLE.sub(lambda match: values.get(match[1]) or (match[3] if match[2] == "-" else ""), text)


def requirements(name: str) -> set[str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return {normal(pin) for pin in pins}


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_process_and_both_servers_are_there() -> None:
    assert set(SERVICES) == {"postgres", "redis", "realtime", *OURS}


def test_the_gateway_needs_redis_alone_and_gets_neither_the_database_nor_the_key_of_the_settings() -> None:
    gateway = SERVICES["realtime"]
    assert gateway["command"][:3] == ["python", "manage.py", "realtime"]
    assert set(gateway["depends_on"]) == {"redis"}
    assert set(config.REQUIRED_OF_GATEWAY) <= gateway["environment"].keys()
    assert not {"DATABASE_URL", "PGPASSWORD", "SETTINGS_KEY"} & gateway["environment"].keys()
    values = example() | {"SECRET_KEY": "x"}
    environment = {name: _filled(str(value), values) for name, value in gateway["environment"].items()}
    loaded = config.load(environment, for_gateway=True)
    assert (loaded.realtime_url, loaded.realtime_connections) == (values["FRONTEND_URL"], 10_000)
    assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])


@pytest.mark.parametrize("service", OURS)
def test_a_service_runs_the_command_of_the_contract(service: str) -> None:
    command = SERVICES[service]["command"]
    assert command[: len(COMMANDS[service])] == COMMANDS[service]


@pytest.mark.parametrize("service", ["postgres", "redis", "web", "worker", "realtime"])
def test_what_answers_questions_has_a_health_check(service: str) -> None:
    check = SERVICES[service]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= check.keys()


@pytest.mark.parametrize("service", OURS)
def test_a_service_waits_for_its_servers_and_the_migrations(service: str) -> None:
    waits = {name: entry["condition"] for name, entry in SERVICES[service]["depends_on"].items()}
    assert waits["postgres"] == "service_healthy"
    if service != "migrate":
        assert waits["redis"] == "service_healthy"
        assert waits["migrate"] == "service_completed_successfully"


def test_no_process_of_ours_waits_for_another_that_goes_on() -> None:
    """Web is ready once a worker is: were that its health, and the worker waited for it, neither would ever start."""
    for service in OURS:
        assert set(SERVICES[service]["depends_on"]) <= {"postgres", "redis", "migrate"}
        assert "/ready" not in str(SERVICES[service].get("healthcheck"))


def test_the_migrations_run_once() -> None:
    assert SERVICES["migrate"]["restart"] == "no"


@pytest.mark.parametrize("service", OURS)
def test_a_service_gets_what_production_demands(service: str) -> None:
    environment = SERVICES[service]["environment"]
    assert set(config.REQUIRED_IN_PRODUCTION) <= environment.keys()
    assert environment["APP_ENVIRONMENT"] == "${APP_ENVIRONMENT:-production}"


@pytest.mark.parametrize("service", OURS)
def test_the_environment_of_a_service_is_one_that_the_configuration_takes(service: str) -> None:
    values = example() | {"SETTINGS_KEY": Fernet.generate_key().decode(), "SECRET_KEY": "x", "POSTGRES_PASSWORD": "x"}
    environment = {name: _filled(str(value), values) for name, value in SERVICES[service]["environment"].items()}
    loaded = config.load(environment)
    assert loaded.is_production
    assert loaded.frontend_url == values["FRONTEND_URL"]


def test_a_variable_that_must_be_set_stops_compose_when_it_is_not() -> None:
    for name in ("SECRET_KEY", "SETTINGS_KEY", "POSTGRES_PASSWORD", "FRONTEND_URL"):
        uses = [match for match in VARIABLE.finditer(COMPOSE_TEXT) if match[1] == name]
        assert uses
        assert all(match[2] == "?" and match[3] for match in uses), name


def test_every_variable_is_in_the_example_and_the_other_way_round() -> None:
    assert {match[1] for match in VARIABLE.finditer(COMPOSE_TEXT)} == example().keys()


def test_there_is_no_secret_in_any_of_the_files() -> None:
    assert {name for name, value in example().items() if not value} >= {
        "POSTGRES_PASSWORD",
        "SECRET_KEY",
        "SETTINGS_KEY",
    }
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name.endswith(("_KEY", "PASSWORD")):
                assert VARIABLE.fullmatch(value), f"{name} is written out"
    # user:password@ in an address
    assert not re.search(r"://[^/\s:@$]*:[^/\s@]+@", COMPOSE_TEXT + DOCKERFILE + EXAMPLE)
    assert "SECRET_KEY" not in DOCKERFILE
    assert "SETTINGS_KEY" not in DOCKERFILE


def test_database_and_broker_are_not_reached_from_outside() -> None:
    for service in ("postgres", "redis"):
        assert "ports" not in SERVICES[service]
        assert SERVICES[service]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["web"]["ports"])


def test_the_image_runs_as_an_ordinary_user_with_pinned_packages_only() -> None:
    assert re.search(r"^USER [1-9][0-9]*:[1-9][0-9]*$", DOCKERFILE, re.MULTILINE)
    installs = re.findall(r"pip install .*", DOCKERFILE)
    assert len(installs) == 1
    assert "--require-hashes -r requirements.txt" in installs[0]
    assert "requirements-dev" not in DOCKERFILE


def test_whatever_the_image_copies_is_let_through_to_the_builder() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    copies = [
        line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    for source in (name for names in copies for name in names):
        assert (ROOT / source).exists()
        assert f"!{source}" in ignore
    assert "*" in ignore


# Imports web, worker, beat and the gateway with the packages away that only development installs.
IMPORT_ALL = """
import json, sys

missing = set(json.loads(sys.argv[1]))

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"the image does not install {name}", name=name)

sys.meta_path.insert(0, NotInstalled())
import manage, celery_worker
manage.app
celery_worker.celery.loader.import_default_modules()
import app.realtime.server
"""


def test_the_image_has_every_package_that_our_processes_import() -> None:
    installed = requirements("requirements.txt")
    missing = [
        module
        for module, packages in packages_distributions().items()
        if not {normal(package) for package in packages} & installed
    ]
    assert {"pytest", "hypothesis"} <= set(missing)
    environment = {
        "PATH": os.environ["PATH"],
        "APP_ENVIRONMENT": "production",
        "DATABASE_URL": "postgresql://usher@127.0.0.1:1/usher",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "not a secret, since nothing is signed here",
        "SETTINGS_KEY": Fernet.generate_key().decode(),
    }
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps(missing)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
