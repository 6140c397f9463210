"""Tests read English, wherever they run; those about languages ask for theirs."""

import os

import pytest

os.environ["XINQIAO_LANG"] = "en"

# What several modules of tests assert with says what it saw, as they do.
pytest.register_assert_rewrite("tests.duties.delivering", "tests.evidence.bundles", "tests.simulator.violations")
