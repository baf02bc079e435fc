"""The page of all keys, in Markdown: a part a pipeline, a table a model, a table a kind of source. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cli.config_page.described import Model, held_models, kind_of, meanings, summary
from cli.config_page.words import default_words, value_words

CELL = 200  # characters; of a longer meaning only the first sentence stands in the table
HEAD = """\
# Configs

The folder `configs/NAME/` holds the configs of the use case NAME. `discern data run NAME` takes its `data.yaml`,
`discern train NAME` its `training.yaml`, `discern promote NAME` its `promotion.yaml`; with `-c FILE` each takes another
file, as `zenml pipeline run pipelines.data.data_pipeline -c FILE` does. `discern init NAME --photos PLACE` writes all
three.

This page lists every key, from the models by which a config is checked before anything runs: a key that is not here is
refused, with the nearest that is. `${VARIABLE}` stands for a variable of the environment. (`make docs` writes this
page.)

"""


@dataclass(frozen=True)
class Part:
    """One pipeline's part of the page.

    Args:
        file: name of its config.
        model: its parameters, as a model.
        example: a short config, in YAML.
        steps: names of its steps.
        defaults: what holds where a key is left out, for those of which the model does not say it.
    """

    file: str
    model: Model
    example: str
    steps: Sequence[str]
    defaults: Mapping[str, str]


@dataclass
class _Contents:
    """The models of a page, each once, in the order in which their keys come.

    Attributes:
        models: of each part, by its file.
        keys: model -> the keys that hold it.
    """

    models: dict[str, list[Model]] = field(default_factory=dict)
    keys: dict[Model, list[str]] = field(default_factory=dict)

    def add(self, file: str, model: Model) -> None:
        """Add the models inside `model`."""
        for key, held in held_models(model):
            is_new = held not in self.keys
            keys = self.keys.setdefault(held, [])
            if key not in keys:
                keys.append(key)
            if is_new:
                self.models.setdefault(file, []).append(held)
                self.add(file, held)

    def title(self, model: Model) -> str:
        """Return the heading of a model: its kind, or the keys that hold it, with their file where two have such."""
        kind = kind_of(model)
        if kind:
            return f"`kind: {kind}`"
        keys = ", ".join(f"`{key}`" for key in self.keys[model])
        alike = [other for other, held in self.keys.items() if held == self.keys[model] and not kind_of(other)]
        if len(alike) == 1:
            return keys
        file = next(name for name, models in self.models.items() if model in models)
        return f"{keys} of `{file}`"

    def link(self, name: str) -> str:
        """Return the link to a model by the name of its class; one of several kinds leads to the list of them."""
        (model,) = [model for model in self.keys if model.__name__ == name]
        if kind_of(model):
            return link("one of its kinds", kinds_title(self.keys[model][0]))
        return link(self.title(model), self.title(model))


def render(parts: Sequence[Part], foot: str) -> str:
    """Return the page.

    Args:
        parts: one a pipeline.
        foot: what stands at the end, from its heading on.

    Raises:
        ValueError: nobody says what a key means, or two headings are the same.
    """
    contents = _Contents()
    for part in parts:
        contents.add(part.file, part.model)
    body = "\n".join(line for part in parts for line in _part(part, contents)) + f"\n{foot}"
    headings = re.findall(r"^(##+) (.+)$", body, re.MULTILINE)
    if len({slug(title) for _, title in headings}) < len(headings):
        raise ValueError("two headings of the page are the same: give the keys other names")
    listed = (f"{'  ' * (len(level) - 2)}- {link(title, title)}" for level, title in headings)
    return HEAD + "\n".join(listed) + f"\n\n{body}"


def slug(title: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def link(text: str, title: str) -> str:
    """Return a link to a heading of the page."""
    return f"[{text}](#{slug(title)})"


def kinds_title(key: str) -> str:
    """Return the heading of the models that a key chooses from by `kind`."""
    return f"The kinds of `{key}`"


def _part(part: Part, contents: _Contents) -> Iterator[str]:
    yield f"## `{part.file}`\n"
    yield f"{summary(part.model)} Its keys stand under `parameters`:\n\n```yaml\n{part.example}```\n"
    yield from _table(part.model, contents, part.defaults)
    yield f"Steps, which may be named under `steps`: {', '.join(f'`{name}`' for name in part.steps)}.\n"
    models = contents.models.get(part.file, [])
    kinds = [model for model in models if kind_of(model)]
    for model in models:
        if model in kinds[:1]:
            yield from _kinds(kinds, contents)
        elif model not in kinds:
            yield f"### {contents.title(model)}\n\n{summary(model)}\n"
            yield from _table(model, contents)


def _kinds(kinds: Sequence[Model], contents: _Contents) -> Iterator[str]:
    yield f"### {kinds_title(contents.keys[kinds[0]][0])}\n"
    yield from _rows(
        ("`kind`", "what"), ((link(f"{kind_of(kind)}", contents.title(kind)), _brief(kind)) for kind in kinds)
    )
    for kind in kinds:
        yield f"#### {contents.title(kind)}\n\n{summary(kind)}\n"
        yield from _table(kind, contents)


def _brief(model: Model) -> str:
    return _sentences(summary(model))[0]


def _table(model: Model, contents: _Contents, defaults: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the table of a model's keys, and below it what is too long for a cell."""
    properties = model.model_json_schema()
    schemas = properties.get("properties") or properties["$defs"][model.__name__]["properties"]
    rows, below = [], []
    for name, meaning in meanings(model).items():
        if name == "kind" and kind_of(model):
            continue
        if not meaning:
            raise ValueError(f"{model.__name__}.{name} has no meaning: say it in its description or the docstring")
        value = value_words(schemas[name], contents.link)
        if len(value) > CELL:
            below.append(f"`{name}` holds: {value}\n")
            value = "see below"
        told, *others = _sentences(meaning) if len(meaning) > CELL else [meaning]
        if others:
            below.append(f"`{name}`: {' '.join(others)}\n")
        default = (defaults or {}).get(name) or default_words(model.model_fields[name])
        rows.append((f"`{name}`", value, default, told.removesuffix(".")))
    yield from _rows(("key", "value", "default", "meaning"), rows)
    yield from below


def _rows(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.)\s+(?=[A-Z`])", text)
