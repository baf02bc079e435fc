"""The commands of the README and of the pages in docs are run, on the tiny use case; tables agree with their files."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import tables
from tests.e2e.conftest import CONFIGS, Workplace

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = {path.name: path.read_text() for path in [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]}
# The command is installed by `make setup`; a checkout that was not set up anew since has the module.
DISCERN = 'command -v discern >/dev/null || discern() { python -m cli "$@"; }'


def commands(page: str) -> list[str]:
    """Return the blocks of shell commands on a page."""
    return re.findall(r"^```bash\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


(STEPS,) = commands("README.md")
DEVICE, SERVICE = commands("device.md")
(VERSIONS,) = commands("data.md")
BUCKET, APPROVAL = commands("operations.md")


def shell(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run README lines in bash as a person would, but on the tiny configs and in a home of their own."""
    script = text.replace("configs/pills/", f"{CONFIGS}/").replace("photo.jpg", str(folder / "photo.jpg"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ZENML_", "DISCERN_"))}
    environment |= {"DISCERN_HOME": str(folder / "home"), "OMP_NUM_THREADS": "2", **variables}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"source .envrc\n{DISCERN}\n{script}"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory, loop: Workplace) -> Path:
    """The steps of the README were typed; a photo lies beside the home."""
    folder = tmp_path_factory.mktemp("readme")
    queries = loop.output("data", "dataset_version").select(split="test", role="query")
    (folder / "photo.jpg").write_bytes(queries.image_bytes(0))
    child = shell(STEPS, folder)
    assert child.returncode == 0, child.stderr[-2000:]
    return folder


@pytest.mark.long
def test_the_steps_leave_a_release(typed: Path) -> None:
    assert (typed / "home" / "releases" / "metadata" / "timestamp.json").is_file()
    assert list((typed / "home" / "reports" / "promotion").glob("*.html"))


@pytest.mark.long
def test_the_versions_are_listed_compared_and_restored(typed: Path) -> None:
    child = shell(VERSIONS.replace("old-pills", str(typed / "old")).replace("pills", "tiny"), typed)
    assert child.returncode == 0, child.stderr[-2000:]
    assert "no difference" in child.stdout
    assert len(list((typed / "old").glob("*/*.*"))) == 240


@pytest.mark.long
def test_a_release_is_approved_traced_rebuilt_and_checked(typed: Path) -> None:
    child = shell(APPROVAL.replace("pills", "tiny"), typed)
    assert child.returncode == 0, child.stderr[-2000:]
    assert "by Ada: tried on ten devices" in child.stdout
    assert "least cosine 1.0000" in child.stdout
    assert "tiny: channels, ZenML and MLflow agree." in child.stdout


@pytest.mark.long
def test_the_device_pulls_and_answers(typed: Path) -> None:
    child = shell(DEVICE, typed)
    assert child.returncode == 0, child.stderr[-2000:]
    assert '"known":' in child.stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def service(typed: Path) -> Iterator[int]:
    """`discern-edge serve` from the README runs, on a free port."""
    port = free_port()
    serve = SERVICE.splitlines()[0].replace("8000", str(port))
    environment = {
        **os.environ,
        "DISCERN_HOME": str(typed / "home"),
        "DISCERN_EDGE_HOME": str(typed / "home" / "device"),
    }
    script = f"source .envrc\nexec {serve}"
    process = subprocess.Popen(
        ["bash", "-c", script], cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not answers(url):
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.long
def test_the_service_answers(typed: Path, service: int) -> None:
    request = SERVICE.splitlines()[1].replace("8000", str(service))
    child = shell(request, typed)
    assert child.returncode == 0, child.stderr[-2000:]
    assert '"known":' in child.stdout


@pytest.mark.long
def test_the_bucket_steps(typed: Path, s3_endpoint: str) -> None:
    child = shell(
        BUCKET.replace("apply local-s3", "apply local-s3 --create-bucket"),
        typed,
        AWS_ENDPOINT_URL=s3_endpoint,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
    )
    assert child.returncode == 0, child.stderr[-2000:]


def test_the_tables_agree_with_the_benchmarks() -> None:
    assert tables.main(["--check"]) == 0


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES.values():
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", page, re.MULTILINE)) <= targets


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert len(PAGES["README.md"].encode()) <= 9_000
    for name, page in PAGES.items():
        folder = REPOSITORY if name == "README.md" else REPOSITORY / "docs"
        links = re.findall(r"\]\((?!https?:)([^)#]+)", page)
        assert [link for link in links if not (folder / link).exists()] == [], name


def test_no_page_has_commands_that_are_not_run() -> None:
    with_commands = {name for name in PAGES if commands(name)}
    assert with_commands == {"README.md", "device.md", "data.md", "operations.md"}
