"""Tests read English, wherever they run; those about languages ask for theirs. In several workers they run in lanes."""

import os
from typing import Any

import pytest

os.environ["XINQIAO_LANG"] = "en"

# What several modules of tests assert with says what it saw, as they do.
pytest.register_assert_rewrite("tests.duties.delivering", "tests.evidence.bundles", "tests.simulator.violations")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run tests in lanes where whole files are to stay together; any other way of dividing them is as it was asked."""
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.lanes import Lanes

    return Lanes(config, log)
