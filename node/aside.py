"""How duties run a step that takes long and only reads."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Aside(Protocol):
    """How a step that takes long and only reads is run: beside the event loop, where there is a place for it."""

    async def __call__(self, step: Callable[..., T], /, *arguments: Any) -> T:
        """Run it, and return what it returns."""


async def in_turn(step: Callable[..., T], /, *arguments: Any) -> T:
    """The Aside of a world without threads."""
    return step(*arguments)
