"""What the officers of a simulated network publish for lists: a few measures, and one matter to be checked in."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from node.core import registry_targets as paths

MEASURES = ("SHR-29-1", "SHR-31-1", "SHR-31-2", "ZJR-26-4")
"""The codes that are published, the first of them an incentive."""
MATTER = "bidding.tender"
UNIT = "11319900MX00000199"
"""The unit that may ask in the matter; nobody can be issued this code."""

_DATED = {"format": 1, "version": "2026.1", "in_force_from": "2026-01-01"}


@cache
def published() -> Mapping[str, bytes]:
    """The targets, by path."""
    matter = {
        "code": MATTER,
        "title_zh": "招标投标资格审查",
        "title_en": "qualification of bidders",
        "units": [UNIT],
        "measures": list(MEASURES),
    }
    return {
        paths.measures_path("2026.1"): _edition(measures=[_measure(code) for code in MEASURES]),
        paths.matters_path("2026.1"): _edition(matters=[matter]),
    }


def _measure(code: str) -> dict[str, Any]:
    kind = "incentive" if code == MEASURES[0] else "serious"
    return {
        "code": code,
        "title_zh": code,
        "title_en": code,
        "kind": kind,
        "basis": "made for simulations",
        "article": "-",
    }


def _edition(**content: Any) -> bytes:
    return json.dumps(_DATED | content, ensure_ascii=False).encode()
