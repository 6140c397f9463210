"""How values from outside are shown to people: exactly, and unable to disguise themselves."""

from datetime import UTC, datetime


def shown(text: str) -> str:
    """The text with everything invisible written out: control, direction and format characters, line ends."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def grouped(digest: str) -> str:
    """A hex digest in groups of four, as people read it to each other."""
    return " ".join(digest[place : place + 4] for place in range(0, len(digest), 4))


def when(unix_ms: int) -> str:
    """A time in UTC; what no calendar holds is shown as the number."""
    try:
        return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{unix_ms} ms"
