"""The columns of a file of list entries, described as a catalogue item is, so that it is read as every file is."""

from node.core.catalogue import Field, Item

_COLUMNS = (
    (
        "subject",
        "统一社会信用代码或身份号码",
        "code of the subject",
        "uscc",
        ("主体代码", "统一社会信用代码", "身份证号", "代码"),
    ),
    ("subject_name", "主体名称", "name of the subject", "text", ("名称", "姓名", "企业名称")),
    ("decision", "决定文书号", "number of the decision", "text", ("文书号", "决定书文号", "列入决定文书号")),
    ("reason", "列入事由", "reason in the words of the decision", "text", ("事由", "列入原因")),
    ("decided_on", "决定日期", "day of the decision", "date", ("列入决定日期",)),
    ("notice_served", "告知日期", "day on which the subject was told", "date", ("告知书送达日期",)),
    ("until", "有效期至", "last day of the entry", "date", ("截止日期",)),
    ("measures", "措施", "measures by code", "text", ("措施代码",)),
)


def _field(number: int, code: str, title_zh: str, title_en: str, kind: str, aliases: tuple[str, ...]) -> Field:
    return Field(
        number=number,
        code=code,
        name=code,
        title_zh=title_zh,
        title_en=title_en,
        type=kind,
        max_chars=2_000,
        required="yes" if code == "subject" else "no",
        condition="",
        values=(),
        separators="",
        never_public=False,
        not_future=False,
        not_before="",
        basis=None,
        aliases=aliases,
    )


ENTRIES = Item(
    id="list.entry",
    title_zh="名单条目",
    title_en="entries of a list",
    content="",
    entry_rule="",
    query_period_years=None,
    source="",
    disclosure=("A", "B", "C"),
    key_authority="",
    key_document="",
    fields=tuple(_field(number, *column) for number, column in enumerate(_COLUMNS, start=1)),
)
"""What a file of list entries holds: one row for each subject; whatever it lacks may be given for all rows together."""


def title_of(column: str) -> str:
    """The heading of a column for people."""
    field = ENTRIES.by_code.get(column)
    return field.title_zh if field is not None else column
