"""Write node/texts/zh/LC_MESSAGES/messages.mo, in which click looks up its own words, or check that it is up to date.

The form is that of GNU gettext ("The Format of GNU MO Files"): header, table of originals, table of translations,
texts. Each text stands there as a singular and as a plural, for Chinese has one form for both.
"""

import argparse
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from node.texts import chinese
from node.texts.language import FOLDER

MAGIC = 0x950412DE
HEADER_BYTES, ROW_BYTES = 28, 8
FILE = FOLDER / "zh" / "LC_MESSAGES" / "messages.mo"
ABOUT = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=1; plural=0;\n"


def encoded(texts: Mapping[str, str]) -> bytes:
    """The file for these texts."""
    both = {form: other for text, other in texts.items() for form in (text, f"{text}\0{text}")} | {"": ABOUT}
    pairs = sorted((text.encode(), other.encode()) for text, other in both.items())
    start = HEADER_BYTES + 2 * ROW_BYTES * len(pairs)
    rows: list[bytes] = []
    content = b""
    for column in zip(*pairs, strict=True):
        for text in column:
            rows.append(struct.pack("<II", len(text), start + len(content)))
            content += text + b"\0"
    second = HEADER_BYTES + ROW_BYTES * len(pairs)
    header = struct.pack("<7I", MAGIC, 0, len(pairs), HEADER_BYTES, second, 0, start)
    return header + b"".join(rows) + content


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/gen_texts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and say what differs")
    parser.add_argument("--file", type=Path, default=FILE, help="file to write")
    options = parser.parse_args(arguments)
    wanted = encoded(chinese().click)
    if options.check:
        if options.file.is_file() and options.file.read_bytes() == wanted:
            return 0
        print(f"differs: {options.file.name}. Run scripts/gen_texts and commit it.")
        return 1
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_bytes(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
