"""Tests read English, wherever they run; those about languages ask for theirs."""

import os

os.environ["XINQIAO_LANG"] = "en"
