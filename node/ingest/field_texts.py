"""What the catalogue says of a field, for people: must it be filled in, how is it written, what else to know."""

from collections.abc import Iterator

from node.core.catalogue import Field, Value
from node.texts import joined, phrase, term, words

CONDITION_TEXTS = {
    "subject_is_not_a_natural_person": "required unless the subject is a natural person",
    "subject_is_a_natural_person": "required where the subject is a natural person",
    "subject_is_an_organisation": "required where the subject is an organisation",
    "uscc_is_the_placeholder": "required where the unified social credit code is 00000000000000000X",
    "legal_rep_id_type_is_given": "required where the kind of the legal representative's document is given",
    "legal_rep_id_no_is_given": "required where the number of the legal representative's document is given",
    "penalty_includes_a_fine": "required where the penalty includes a fine",
    "penalty_includes_a_confiscation": "required where the penalty includes a confiscation",
    "penalty_includes_a_licence_action": "required where a licence is suspended or revoked",
}
FORMAT_TEXTS = {
    "text": "text",
    "date": "date, written YYYY-MM-DD",
    "enum": "one of a list",
    "amount_wan_yuan": "amount in units of 10,000 yuan",
    "amount_yuan": "amount in yuan",
    "uscc": "unified social credit code of 18 characters",
    "division": "code of a division, 6 digits",
    "org_code": "organisation code of 9 characters",
    "digits": "digits",
}


def required_text(field: Field) -> str:
    """Return whether a field must be filled in, always or under its condition."""
    if field.required == "conditional":
        return term(CONDITION_TEXTS[field.condition])
    return words("required") if field.required == "yes" else words("optional")


def format_text(field: Field) -> str:
    """Return how the value of a field is written."""
    form = term(FORMAT_TEXTS[field.type])
    is_open = field.type in ("text", "digits")
    return joined([form, words("at most {count} characters", count=field.max_chars)]) if is_open else form


def remarks_of(field: Field) -> Iterator[str]:
    """Yield what else the catalogue says of a field."""
    if field.never_public:
        yield words("never public: left out of channels of class A")
    if field.separators:
        yield words("several values in one cell are joined by {mark}", mark=field.separators[0])
    if any(value.prefix for value in field.values):
        yield words("a value that ends in - is completed in your own words")
    if field.not_future:
        yield words("not after today")
    if field.not_before:
        yield words("not before {code}", code=field.not_before)
    if field.long_term:
        yield words("without an end: write 长期 or {date}", date=field.long_term)
    if field.basis is not None:
        yield words("basis: {article}", article=phrase(field.basis.article))


def values_of(field: Field) -> list[str]:
    """Return the values of an enumeration, each with its code."""
    return [f"{chosen(value)} ({value.code})" if value.code else chosen(value) for value in field.values]


def chosen(value: Value) -> str:
    """Return a value as it is chosen from a list; what is completed by the publisher ends in a dash."""
    return f"{value.text}-" if value.prefix else value.text
