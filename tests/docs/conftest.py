"""One replay of the beginning of the story for all tests of the documentation, over real processes."""

from collections.abc import Iterator

import pytest

from tests.docs.replay import Replay
from tests.docs.story import BEGINNING, tell


@pytest.fixture(scope="session")
def told() -> Iterator[Replay]:
    """The network after README.md: founded, two members, first records exchanged and proven."""
    replay = Replay()
    try:
        tell(replay, BEGINNING)
        yield replay
    finally:
        replay.close()
