from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from edge_runtime.core.images import ImageLimits, decode, encode_png
from edge_runtime.core.release import MODEL_FILE, Release
from edge_runtime.device.home import Current, Home
from edge_runtime.device.updates import pull
from edge_runtime.service.api import create_app
from edge_runtime.service.settings import Secret, ServiceSettings
from tests.edge_runtime.toy_release import COLOURS, UNKNOWN, flip, photo
from tests.edge_runtime.toy_repository import ToyRepository

TOKEN = "correct horse battery"
LIMITS = ImageLimits(max_bytes=50_000, max_pixels=10_000)
SETTINGS = ServiceSettings(limits=LIMITS, max_request_bytes=60_000, poll_seconds=0.05)


@pytest.fixture(scope="module")
def client(toy_release: Release) -> Iterator[TestClient]:
    with TestClient(create_app(toy_release, SETTINGS)) as client:
        yield client


def test_a_raw_photo_is_identified(client: TestClient, toy_release: Release) -> None:
    response = client.post("/v1/identify", content=photo(COLOURS["red"], 77))
    assert response.status_code == 200
    answer = response.json()
    assert (answer["outcome"], answer["known"]) == ("match", True)
    assert answer["label"] == "red"
    assert answer["release"] == toy_release.id
    assert answer["matches"][0] == {"label": "red", "score": answer["score"], "thumbnail": "/v1/classes/0/thumbnail"}
    assert 0.5 < answer["probability"] < 1


def test_a_form_is_identified(client: TestClient) -> None:
    answer = client.post("/v1/identify", files={"photo": ("x.png", photo(COLOURS["blue"]), "image/png")}).json()
    assert answer["label"] == "blue"


def test_an_unknown_is_a_good_answer(client: TestClient) -> None:
    response = client.post("/v1/identify", content=photo(UNKNOWN))
    assert response.status_code == 200
    assert (response.json()["outcome"], response.json()["known"]) == ("unknown", False)
    assert response.json()["label"] is None


def test_two_to_look_at_and_a_photo_that_cannot_be_used(strict_release: Release) -> None:
    client = TestClient(create_app(strict_release, SETTINGS))
    two = client.post("/v1/identify", content=photo(COLOURS["red"])).json()
    assert (two["outcome"], two["known"], two["label"], two["reason"]) == ("look_closely", False, None, "within_margin")
    assert two["matches"][0]["label"] == "red"
    dark = client.post("/v1/identify", content=photo((9, 9, 9))).json()
    assert (dark["outcome"], dark["reason"], dark["probability"]) == ("unknown", "unusable_photo", None)
    assert "add light" in dark["explanation"]
    counts = client.get("/metrics").text
    assert '{outcome="look_closely"} 1.0' in counts
    assert client.get("/v1/release").json()["photo_limits"]["least_brightness"] == 0.2


@pytest.mark.parametrize("texts", [["red", "green"], ["red,green"], [" red , green "]])
def test_candidates_in_the_form_and_in_the_query(client: TestClient, texts: list[str]) -> None:
    files = {"photo": photo(COLOURS["blue"])}
    form = client.post("/v1/identify", files=files, data={"candidates": texts}).json()
    query = client.post("/v1/identify", params={"candidates": texts}, content=photo(COLOURS["blue"])).json()
    assert form == query
    assert form["reason"] == "outside_candidates"
    assert form["probability"] is None
    assert {match["label"] for match in form["matches"]} == {"red", "green"}


@pytest.mark.parametrize(("texts", "says"), [("para", "'para' is not a class"), ("", "empty list"), (" , ", "empty")])
def test_candidates_that_are_none_are_refused(client: TestClient, texts: str, says: str) -> None:
    response = client.post("/v1/identify", params={"candidates": texts}, content=photo(COLOURS["blue"]))
    assert response.status_code == 422
    assert says in response.json()["error"]


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"", 422, "the photo is empty"),
        (b"hello", 422, "the photo is not a picture"),
        (encode_png(np.zeros((101, 100, 3), np.uint8)), 422, "100 x 101 pixels, more than the 10,000 allowed"),
        (b"x" * 50_001, 422, "50,001 bytes, more than the 50,000 allowed"),
        (b"x" * 60_001, 413, "larger than the 60,000 bytes allowed"),
    ],
)
@pytest.mark.parametrize("way", ["raw", "form", "chunks"])
def test_bad_photos_get_one_sentence(client: TestClient, data: bytes, status: int, says: str, way: str) -> None:
    if way == "form":
        response = client.post("/v1/identify", files={"photo": data})
    else:
        response = client.post("/v1/identify", content=data if way == "raw" else iter([data]))
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert says in response.json()["error"]


@pytest.mark.parametrize("way", ["no photo", "text as photo", "two photos", "no boundary", "broken"])
def test_bad_forms_get_one_sentence(client: TestClient, way: str) -> None:
    data = photo(COLOURS["red"])
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = {
        "no photo": lambda: client.post("/v1/identify", files={"picture": data}),
        "text as photo": lambda: client.post("/v1/identify", files={"a": b""}, data={"photo": "red"}),
        "two photos": lambda: client.post("/v1/identify", files=[("photo", data), ("photo", data)]),
        "no boundary": lambda: client.post(
            "/v1/identify", content=b"", headers={"content-type": "multipart/form-data"}
        ),
        "broken": lambda: client.post("/v1/identify", content=b"--x\r\nbroken", headers=headers),
    }[way]()
    assert response.status_code == 422
    assert "photo" in response.json()["error"]


def test_the_release_and_its_pictures(client: TestClient, toy_release: Release) -> None:
    release = client.get("/v1/release").json()
    assert release["id"] == toy_release.id
    assert release["classes"] == list(COLOURS)
    assert release["decision"]["threshold"] == 0.97
    assert release["lineage"]["dataset_version"] == "0123456789abcdef"
    assert release["models"]["embedding"]["preprocessing"] == {"size": 16, "fit": "letterbox"}
    assert release["gallery"]["represent"] == "exemplars"
    for number, colour in enumerate(COLOURS.values()):
        response = client.get(f"/v1/classes/{number}/thumbnail")
        assert response.headers["content-type"] == "image/jpeg"
        assert abs(decode(response.content).mean(axis=(0, 1)) - colour).max() < 6
    assert client.get("/v1/classes/5/thumbnail").status_code == 404
    assert client.get("/v1/classes/red/thumbnail").status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/v1/identify", 405), ("POST", "/readyz", 405)]
)
def test_other_calls_get_one_sentence(client: TestClient, method: str, path: str, status: int) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert response.json()["error"].endswith(".")


@pytest.mark.parametrize("path", ["/", "/ui/app.js", "/healthz", "/readyz", "/metrics", "/v1/release"])
def test_head_is_get_without_a_body(client: TestClient, path: str) -> None:
    asked, got = client.head(path), client.get(path)
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert client.head("/nothing").status_code == 404
    assert client.head("/v1/identify").status_code == 405


def test_a_parameter_that_does_not_fit_gets_one_sentence(client: TestClient) -> None:
    answer = client.get("/v1/classes/x/thumbnail")
    assert answer.status_code == 422
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].startswith("number is 'x': input should be a valid integer")


def test_health_and_metrics(toy_release: Release) -> None:
    client = TestClient(create_app(toy_release, SETTINGS))
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "release": toy_release.id}
    for colour in (COLOURS["red"], COLOURS["green"], UNKNOWN):
        client.post("/v1/identify", content=photo(colour))
    client.post("/v1/identify", content=b"hello")
    text = client.get("/metrics").text
    for line in ('{outcome="match"} 2.0', '{outcome="unknown"} 1.0', '{outcome="refused"} 1.0'):
        assert f"discern_identifications_total{line}" in text
    assert "discern_identify_seconds_count 3.0" in text
    assert f'discern_release{{release="{toy_release.id}"}} 1.0' in text


def test_many_callers_share_one_model(client: TestClient) -> None:
    def ask(label: str) -> str:
        return str(client.post("/v1/identify", content=photo(COLOURS[label])).json()["label"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, list(COLOURS) * 8)) == list(COLOURS) * 8


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/ui/app.js", "/ui/style.css"):
        response = client.get(path)
        assert response.status_code == 200
        assert "http://" not in response.text
        assert "https://" not in response.text
        assert "default-src 'none'" in response.headers["content-security-policy"]
    assert client.get("/docs").status_code == 404
    assert client.get("/openapi.json").status_code == 200


@pytest.mark.parametrize("path", ["/v1/release", "/v1/classes/0/thumbnail", "/metrics", "/v1/identify"])
def test_a_token_guards_what_there_is_to_know(toy_release: Release, path: str) -> None:
    client = TestClient(create_app(toy_release, ServiceSettings(token=Secret(TOKEN))))
    method, content = ("POST", photo(COLOURS["red"])) if path == "/v1/identify" else ("GET", b"")
    for headers in ({}, {"authorization": f"Basic {TOKEN}"}, {"authorization": "Bearer wrong"}):
        response = client.request(method, path, content=content, headers=headers)
        assert response.status_code == 401
        assert "the token is missing or wrong" in response.json()["error"]
        assert response.headers["www-authenticate"] == "Bearer"
    allowed = client.request(method, path, content=content, headers={"authorization": f"Bearer {TOKEN}"})
    assert allowed.status_code == 200
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == client.get("/").status_code == 200


def ready(client: TestClient, release: str | None) -> bool:
    """Wait until the service answers with `release`; None for not at all."""
    for _ in range(100):
        response = client.get("/readyz")
        if (response.json().get("release") if response.status_code == 200 else None) == release:
            return True
        time.sleep(0.05)
    return False


def test_it_starts_without_a_release_and_takes_the_first_one(
    tmp_path: Path, repository: ToyRepository, toy_release: Release
) -> None:
    home = tmp_path / "fresh"
    with TestClient(create_app(home, SETTINGS)) as client:
        for path in ("/readyz", "/v1/release"):
            response = client.get(path)
            assert response.status_code == 503
            assert "discern-edge pull" in response.json()["error"]
        assert client.post("/v1/identify", content=photo(COLOURS["red"])).status_code == 503
        assert client.get("/healthz").status_code == 200
        pull(repository.url, home, trusted_root=repository.root)
        assert ready(client, toy_release.id)
        assert client.post("/v1/identify", content=photo(COLOURS["red"])).json()["label"] == "red"


def test_it_follows_a_pull_and_a_rollback(
    home: Path, repository: ToyRepository, toy_release: Release, newer_release: Release
) -> None:
    with TestClient(create_app(home, SETTINGS)) as client:
        assert ready(client, toy_release.id)
        repository.publish(newer_release, "production")
        pull(repository.url, home)
        assert ready(client, newer_release.id)
        assert client.post("/v1/identify", content=photo((250, 140, 20))).json()["label"] == "orange"
        repository.rollback("production", toy_release.id)
        pull(repository.url, home)
        assert ready(client, toy_release.id)


def test_an_altered_release_never_answers(home: Path, toy_release: Release) -> None:
    flip(Home(home).folder(toy_release.id) / MODEL_FILE)
    client = TestClient(create_app(home, SETTINGS))
    response = client.post("/v1/identify", content=photo(COLOURS["red"]))
    assert response.status_code == 503
    assert "model.onnx was altered" in response.json()["error"]
    assert client.get("/readyz").status_code == 503


def test_a_release_that_cannot_be_loaded_does_not_replace_one_that_answers(home: Path, toy_release: Release) -> None:
    with TestClient(create_app(home, SETTINGS)) as client:
        assert ready(client, toy_release.id)
        Home(home).write_current(Current("0" * 16, toy_release.id))
        time.sleep(0.3)
        assert client.get("/readyz").json()["release"] == toy_release.id
        assert client.post("/v1/identify", content=photo(COLOURS["red"])).json()["label"] == "red"


def test_answers_are_plain_json(client: TestClient) -> None:
    """NaN and Infinity are no JSON, and a margin could be either."""
    text = client.post("/v1/identify", params={"candidates": "red"}, content=photo(COLOURS["red"])).text
    answer = json.loads(text, parse_constant=pytest.fail)
    assert answer["margin"] == pytest.approx(answer["score"] + 1)
