from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.core import selftest
from edge_runtime.core.identify import Identifier
from edge_runtime.core.index import GRAPH_FILE, GalleryIndex
from edge_runtime.core.release import GOLDEN_VECTORS_FILE, MODEL_FILE, Release, open_release
from edge_runtime.core.selftest import check_golden, check_release, run_selftest
from edge_runtime.errors import ReleaseError
from tests.edge_runtime.toy_release import DIM, flip, repin, write_model


def test_a_good_release_passes(toy_release: Release) -> None:
    run_selftest(toy_release.folder, toy_release.id)


def test_the_child_checks_the_hashes_itself(release: Release) -> None:
    flip(release.folder / GRAPH_FILE)
    with pytest.raises(ReleaseError, match=r"index\.hnsw was altered"):
        run_selftest(release.folder, release.id)


def wild_links(graph: bytes, rows: int = 15) -> bytes:
    """Point every link of the lowest level outside the graph; hnswlib believes what it reads."""
    size, header = int.from_bytes(graph[24:32], "little"), 96
    wild = bytearray(graph)
    for row in range(rows):
        start = header + row * size + 4
        wild[start : start + 4 * 14] = b"\xff\xff\xff\x7f" * 14
    return bytes(wild)


def corrupt(graph: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "header only": graph[:96],
        "half": graph[: len(graph) // 2],
        "wild links": wild_links(graph),
        "all bytes set": graph[:96] + b"\xff" * (len(graph) - 96),
        "not a graph": b"\x7f" * len(graph),
    }


@pytest.mark.parametrize("kind", corrupt(b"\0" * 10_000))
def test_a_graph_that_may_crash_hnswlib_is_refused_and_the_parent_lives(release: Release, kind: str) -> None:
    path = release.folder / GRAPH_FILE
    path.write_bytes(corrupt(path.read_bytes())[kind])
    with pytest.raises(ReleaseError):
        run_selftest(release.folder, repin(release.folder))


def test_some_graph_does_crash_the_process(release: Release) -> None:
    """Why there is a child at all: if this stops failing, the child may go."""
    path = release.folder / GRAPH_FILE
    path.write_bytes(corrupt(path.read_bytes())["wild links"])
    number = repin(release.folder)
    command = [sys.executable, "-m", "edge_runtime.core.selftest", str(release.folder), number]
    child = subprocess.run(command, capture_output=True, check=False)
    assert child.returncode < 0
    with pytest.raises(ReleaseError, match=rf"crashed its self-test \(exit status {child.returncode}\)"):
        run_selftest(release.folder, number)


def test_a_graph_over_other_vectors_is_refused(release: Release) -> None:
    index = Identifier(release).index
    GalleryIndex.build(index.vectors[::-1].copy(), np.arange(15)).save(release.folder.parent)
    (release.folder.parent / GRAPH_FILE).replace(release.folder / GRAPH_FILE)
    with pytest.raises(ReleaseError, match="holds other vectors than"):
        run_selftest(release.folder, repin(release.folder))


def test_a_model_that_takes_colours_in_another_order_is_refused(release: Release) -> None:
    write_model(release.folder / MODEL_FILE, swap=True)
    number = repin(release.folder)
    with pytest.raises(ReleaseError, match="gives other answers than it was built with"):
        run_selftest(release.folder, number)
    with pytest.raises(ReleaseError, match="gives other answers"):
        check_golden(Identifier(open_release(release.folder)))


def test_a_model_of_another_dimension_is_refused(release: Release) -> None:
    write_model(release.folder / MODEL_FILE, dim=DIM * 2)
    with pytest.raises(ReleaseError):
        run_selftest(release.folder, repin(release.folder))


@pytest.mark.parametrize(("cosine", "accepted"), [(0.9995, True), (0.9985, False), (0.83, False)])
def test_an_embedding_may_turn_by_no_more_than_the_golden_cosine(
    release: Release, cosine: float, accepted: bool
) -> None:
    """Kernels of another processor stay above .9996, weights of 8 bits that saturate came to .83."""
    path = release.folder / GOLDEN_VECTORS_FILE
    vectors = np.load(path)
    aside = np.roll(vectors[1], 1)
    aside -= (aside @ vectors[1]) * vectors[1]
    aside /= np.linalg.norm(aside)
    vectors[1] = cosine * vectors[1] + np.sqrt(1 - cosine**2) * aside
    np.save(path, vectors)
    identifier = Identifier(open_release(release.folder, repin(release.folder)))
    if accepted:
        check_golden(identifier)
        return
    with pytest.raises(ReleaseError, match=rf"golden cosine {cosine:.4f}, at least 0\.999 needed"):
        check_golden(identifier)


def test_golden_embeddings_that_are_not_numbers_are_refused(release: Release) -> None:
    path = release.folder / GOLDEN_VECTORS_FILE
    np.save(path, np.full_like(np.load(path), np.nan))
    with pytest.raises(ReleaseError, match="golden cosine nan"):
        check_release(open_release(release.folder, repin(release.folder)))


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        (b'{"ok": true}\n', ""),
        (b'a library talks\n{"ok": true}\n', ""),
        (b'{"ok": false, "error": "altered"}\n', "altered"),
        (b'{"ok": "true"}\n', None),
        (b'{"ok": 1}\n', None),
        (b'{"ok": true}\nand more\n', None),
        (b"[]\n", None),
        (b"", None),
    ],
)
def test_only_a_plain_verdict_is_believed(output: bytes, verdict: str | None) -> None:
    assert selftest._verdict(output) == verdict


def test_a_child_that_hangs_is_a_refusal(toy_release: Release) -> None:
    with pytest.raises(ReleaseError, match=r"did not finish its self-test in 0 seconds"):
        run_selftest(toy_release.folder, toy_release.id, timeout=0.01)


def test_the_child_finds_the_package_from_any_folder(
    toy_release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run_selftest(toy_release.folder, toy_release.id)


def test_the_verdict_is_one_line(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert selftest.main([str(release.folder), release.id]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True}
    assert selftest.main([str(release.folder), "0" * 16]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["ok"] is False
    assert "release.json was altered" in verdict["error"]
