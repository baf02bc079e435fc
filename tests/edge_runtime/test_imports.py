from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

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
