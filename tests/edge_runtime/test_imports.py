from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import edge_runtime

HEAVY = {"torch", "torchvision", "timm", "zenml", "fsspec", "s3fs", "pyarrow", "mlflow", "sklearn", "pandas", "discern"}
LOOK = (
    "import json, sys, importlib; [importlib.import_module(n) for n in sys.argv[1:]]; print(json.dumps([*sys.modules]))"
)


def imported(*names: str) -> set[str]:
    child = subprocess.run([sys.executable, "-c", LOOK, *names], capture_output=True, check=True)
    return set(json.loads(child.stdout))


def test_the_device_imports_nothing_heavy() -> None:
    modules = [module.name for module in pkgutil.walk_packages(edge_runtime.__path__, "edge_runtime.")]
    assert len(modules) > 15
    assert not HEAVY & imported(*(module for module in modules if not module.endswith("__main__")))


def test_the_command_line_starts_without_the_server_and_the_update_client() -> None:
    assert not {"fastapi", "uvicorn", "prometheus_client", "tuf", "boto3"} & imported("edge_runtime.service.cli")


def test_the_devices_tests_need_the_devices_package_alone() -> None:
    """Collected with the library out of reach; the whole run is the command in `no_discern`."""
    tests = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "tests.edge_runtime.no_discern"]
    child = subprocess.run(
        [*command, "-p", "no:cacheprovider", str(tests)],
        capture_output=True,
        check=False,
        cwd=tests.parent.parent,
        text=True,
    )
    assert child.returncode == 0, child.stdout
    assert "test_updates.py" in child.stdout
