"""Scenes: what right code does, and what it does with a bug planted."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

Scene = Callable[[Path], Coroutine[Any, Any, object]]
SCENES: dict[str, tuple[Scene, object, object]] = {}


def shows(bug: str, *, right: object, wrong: object) -> Callable[[Scene], Scene]:
    """What a scene finds with right code, and with the bug planted."""

    def note(scene: Scene) -> Scene:
        SCENES[bug] = (scene, right, wrong)
        return scene

    return note
