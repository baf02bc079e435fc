from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from discern.reports.html import render

PAGE = """{% extends "page.html" %}
{% from "parts.html" import table, verdict %}
{% block title %}{{ name }}{% endblock %}
{% block header %}<h1>{{ name }}</h1>{{ verdict("good", "Fit", name) }}{% endblock %}
{% block main %}{{ table([("Class", "")], [[name]], "All") }}{% endblock %}
"""


def test_what_is_shown_is_escaped_everywhere(tmp_path: Path) -> None:
    (tmp_path / "class.html").write_text(PAGE)
    html = render("class.html", tmp_path, name="<b>M5 & M6")
    assert "<b>" not in html
    assert html.count("&lt;b&gt;M5 &amp; M6") == 4


def test_a_value_that_is_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "class.html").write_text(PAGE)
    with pytest.raises(jinja2.UndefinedError, match="name"):
        render("class.html", tmp_path)
