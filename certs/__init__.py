"""Profiles of every key and certificate; profiles.toml says what the code makes, README.md who holds it and why."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def profile(name: str) -> dict[str, Any]:
    """One table of profiles.toml; found in a checkout and in an installed package alike."""
    table: dict[str, Any] = tomllib.loads(files(__name__).joinpath("profiles.toml").read_text("utf-8"))[name]
    return table
