from __future__ import annotations

from pathlib import Path

import pytest

from discern.source_code import code_fingerprint, imported_modules

TREE = {
    "shop/__init__.py": "",
    "shop/till.py": "from shop.prices import price\n\n\n"
    "def pay(x):\n    from shop import vat\n    return vat.add(price(x))\n",
    "shop/prices.py": "import json\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import shop.owner\n\n\n"
    "def price(x):\n    return 2 * x\n",
    "shop/vat.py": "def add(x):\n    return x\n",
    "shop/owner.py": "",
    "shop/window.py": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        write(tmp_path, name, text)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def test_imports_are_followed_but_those_of_type_checkers(root: Path) -> None:
    found = imported_modules(["shop.till"], root)
    assert sorted(found) == ["shop", "shop.prices", "shop.till", "shop.vat"]
    assert found["shop.vat"] == root / "shop/vat.py"


def test_a_module_that_is_not_there_is_an_error(root: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"holds no module 'shop\.roof'"):
        imported_modules(["shop.roof"], root)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shop/prices.py", '"""Prices."""\n' + TREE["shop/prices.py"].replace("(x):", '(x):\n    """Twice."""  # so')),
        ("shop/vat.py", "async def add(x):\n    return x\n"[6:]),
        ("shop/owner.py", "NAME = 'somebody'\n"),
        ("shop/window.py", "WIDTH = 3\n"),
    ],
)
def test_comments_and_modules_that_are_not_imported_change_nothing(root: Path, name: str, text: str) -> None:
    before = code_fingerprint(["shop.till"], root)
    write(root, name, text)
    assert code_fingerprint(["shop.till"], root) == before
    assert len(before) == 16


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shop/prices.py", TREE["shop/prices.py"].replace("2 * x", "3 * x")),
        ("shop/vat.py", "def add(x):\n    return x + 1\n"),
        ("shop/__init__.py", "OPEN = True\n"),
        ("shop/prices.py", "from shop.window import *\n" + TREE["shop/prices.py"]),
    ],
)
def test_what_the_code_does_changes_the_fingerprint(root: Path, name: str, text: str) -> None:
    before = code_fingerprint(["shop.till"], root)
    write(root, name, text)
    assert code_fingerprint(["shop.till"], root) != before


def test_templates_beside_an_imported_module_count(root: Path) -> None:
    before = code_fingerprint(["shop.till"], root)
    write(root, "shop/templates/bill.html", "{{ sum }}")
    with_template = code_fingerprint(["shop.till"], root)
    write(root, "shop/templates/bill.html", "{{ total }}")
    assert len({before, with_template, code_fingerprint(["shop.till"], root)}) == 3


def test_templates_of_other_rooms_do_not(root: Path) -> None:
    before = code_fingerprint(["shop.till"], root)
    write(root, "office/templates/bill.html", "{{ sum }}")
    assert code_fingerprint(["shop.till"], root) == before
