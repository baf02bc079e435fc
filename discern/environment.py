"""`${NAME}` in a config file stands for a variable of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping

from discern.errors import ConfigError

VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


def needed(text: str) -> list[str]:
    """Return the variables that a config file names outside its comment lines, sorted."""
    return sorted(set(VARIABLE.findall(_body(text))))


def fill_in(text: str, environment: Mapping[str, str], where: str) -> str:
    """Replace every `${NAME}` outside comment lines of `text` by its value.

    Args:
        text: the file's content; its comment lines are dropped.
        environment: the variables.
        where: the file, for the message.

    Raises:
        ConfigError: a variable is not set or empty.
    """
    body = _body(text)
    missing = [name for name in needed(text) if not environment.get(name)]
    if missing:
        raise ConfigError(
            f"{where} needs {' and '.join(missing)} in the environment: "
            f"run `source .envrc` and `export {missing[0]}=...` first."
        )
    return VARIABLE.sub(lambda match: environment[match.group(1)], body)


def _body(text: str) -> str:
    """Return a file's content without its comment lines."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
