"""What people read, in their language: English is the source and stands in the code, Chinese in zh/*.toml.

Only the edges speak (the command lines and the files they write). Inside, on the wire, in storage and in logs stand
codes, parameters and the English source. A text without Chinese is shown in English, never left out; a test names it.

    errors     by code: `told(error)`
    commands   by their full name, and the help of arguments and options by its English (commands.py)
    lines      by their English template: `words("channel {channel} created", channel=name)`
    phrases    what stands inside an error's parameters, by the English template it was made from: `phrase(text)`
    terms      single words of state and outcome, by the English word: `term("active")`
"""

from node.texts.catalogue import Catalogue, chinese
from node.texts.language import LANGUAGES, VARIABLE, is_chinese, language, reader_language, speaking
from node.texts.telling import Told, joined, law, phrase, setting, term, told, told_together, words

__all__ = [
    "Catalogue",
    "LANGUAGES",
    "Told",
    "VARIABLE",
    "chinese",
    "is_chinese",
    "joined",
    "language",
    "law",
    "phrase",
    "reader_language",
    "setting",
    "speaking",
    "term",
    "told",
    "told_together",
    "words",
]
