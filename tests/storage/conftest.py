"""Nodes and channels that the storage tests write with."""

import pytest

from tests.builders import ChannelWriter, SigningNode, make_node

pytest.register_assert_rewrite("tests.storage.contract")


@pytest.fixture(scope="session")
def shanghai() -> SigningNode:
    return make_node("310000")


@pytest.fixture(scope="session")
def pudong() -> SigningNode:
    return make_node("310115", level="district")


@pytest.fixture
def writer(shanghai: SigningNode) -> ChannelWriter:
    return ChannelWriter(shanghai, "310000/penalties")
