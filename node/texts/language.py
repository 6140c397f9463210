"""The language of whoever reads: asked for, set in the environment, or that of the locale."""

import gettext
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (CHINESE, ENGLISH)
VARIABLE = "XINQIAO_LANG"
# As gettext and the C library order them: the first that is set decides.
LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")

FOLDER = Path(__file__).parent
_CLICK_DOMAIN = "messages"

_chosen: ContextVar[str] = ContextVar("xinqiao_language")


def reader_language(environment: Mapping[str, str]) -> str:
    """The language that an environment asks for: XINQIAO_LANG, else a locale beginning with zh, else English."""
    asked = environment.get(VARIABLE, "").strip().lower()
    if asked in LANGUAGES:
        return asked
    locale = next(filter(None, (environment.get(name, "") for name in LOCALE_VARIABLES)), "")
    return CHINESE if locale.lower().startswith(CHINESE) else ENGLISH


def language() -> str:
    """The language that is spoken now."""
    return _chosen.get(None) or reader_language(os.environ)


def is_chinese() -> bool:
    """Whether Chinese is spoken now."""
    return language() == CHINESE


@contextmanager
def speaking(chosen: str) -> Iterator[None]:
    """Speak one language for a while; click's own messages follow, which it looks up by gettext."""
    token = _chosen.set(chosen)
    before = os.environ.get("LANGUAGE")
    os.environ["LANGUAGE"] = chosen
    gettext.bindtextdomain(_CLICK_DOMAIN, str(FOLDER))
    try:
        yield
    finally:
        _chosen.reset(token)
        if before is None:
            os.environ.pop("LANGUAGE", None)
        else:
            os.environ["LANGUAGE"] = before
