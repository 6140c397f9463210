"""Nodes and channels that the tests of the simulator write with; the contract of every store is among them."""

import pytest

pytest.register_assert_rewrite("tests.storage.contract")

from tests.storage.conftest import pudong, shanghai, writer  # noqa: E402, F401 - fixtures
