"""Licence and penalty rows that anybody can make again, for benchmarks, demonstrations and tests.

Nothing here can be taken for a real company or authority:

- Subjects and authorities have codes whose check digits are right but whose registration division does not
  exist: the province with 9900 behind it (319900). No registrar has that division, so no such code is ever
  issued; every program that checks digits still treats it like a real one.
- Every name holds the word 示例 (example).
- Natural persons, which a plan puts in the place of a share of the subjects, have identity numbers of that same
  division, telephone numbers that begin with 100, as no telephone's does, and an address that is none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from node.core.catalogue import Item
from node.core.identifiers import (
    USCC_ALPHABET,
    USCC_PLACEHOLDER,
    org_code_check_character,
    resident_id_check_character,
    uscc_check_character,
)

FIRST_DAY = date(2024, 1, 2)
DAYS = 730
FIRST_BIRTH = date(1950, 1, 1)
BIRTH_DAYS = 14_000
SUBJECTS = 10_000  # the same subject has several records in a large file
RESIDENT_ID = "11010519491231002X"  # the example that the standard itself prints; nobody's number

_PLACES = ["浦江", "东湖", "西岭", "南屏", "北苑", "青溪", "金桥", "云台", "松江北", "临港新"]
_WORDS = ["恒信", "远达", "宏图", "瑞丰", "众合", "天成", "新程", "博源", "安泰", "嘉禾", "启明", "华远"]
_TRADES = ["贸易", "餐饮管理", "建筑工程", "物流", "环保科技", "食品", "医疗器械", "物业管理", "信息技术", "汽车维修"]
_FORMS = ["有限公司", "股份有限公司", "有限责任公司", "合伙企业"]
_SURNAMES = ["赵", "钱", "孙", "李", "周", "吴", "郑", "王", "冯", "陈"]
_GIVEN = ["示例", "例示", "试名", "样本"]
_DIGITS_ZH = "零一二三四五六七八九"
_BRACKETS = ["〔{}〕", "[{}]", "【{}】", "（{}）", "({})"]
_LICENCES = ["食品经营许可", "道路运输经营许可", "卫生许可", "排污许可", "建筑施工许可", "医疗器械经营许可"]
_VIOLATIONS = [
    ("未按规定公示有关信息", "《企业信息公示暂行条例》第十八条"),
    ("经营标签不符合规定的食品", "《中华人民共和国食品安全法》第一百二十五条"),
    ("未采取有效防尘降尘措施", "《中华人民共和国大气污染防治法》第一百一十五条"),
    ("发布虚假广告", "《中华人民共和国广告法》第五十五条"),
    ("超越许可范围从事经营活动", "《中华人民共和国行政许可法》第八十条"),
]

Row = dict[str, str]


def example_division(division: str) -> str:
    """Return the division that does not exist, in the province of one that does."""
    return f"{division[:2]}9900"


def example_uscc(kind: str, division: str, serial: int) -> str:
    """Return a USCC that checks but cannot be issued; kind is its first two characters, e.g. "91" or "11"."""
    # The prefix MX keeps all-digit codes away, which a spreadsheet would damage.
    body, base = "", len(USCC_ALPHABET)
    for _ in range(6):
        serial, digit = divmod(serial, base)
        body = USCC_ALPHABET[digit] + body
    org_code = f"MX{body}"
    first_17 = f"{kind}{example_division(division)}{org_code}{org_code_check_character(org_code)}"
    return first_17 + uscc_check_character(first_17)


def example_resident_id(division: str, serial: int) -> str:
    """Return a resident identity number that checks but cannot be issued; its owner was born before 1990."""
    days, order = divmod(serial, 1000)
    born = FIRST_BIRTH + timedelta(days=days * 37 % BIRTH_DAYS)
    first_17 = f"{example_division(division)}{born:%Y%m%d}{order:03d}"
    return first_17 + resident_id_check_character(first_17)


@dataclass(frozen=True)
class Person:
    """An example person: every value by which the person could be known."""

    id_no: str
    name: str
    telephone: str
    address: str

    @property
    def values(self) -> tuple[str, ...]:
        """All of them."""
        return self.id_no, self.name, self.telephone, self.address


def example_person(division: str, serial: int) -> Person:
    """Return the example person of a number, at most five digits long."""
    who = Random(f"person/{division}/{serial}")
    name = f"{who.choice(_SURNAMES)}示例{''.join(_DIGITS_ZH[int(digit)] for digit in f'{serial:05d}')}"
    address = f"示例{who.choice(_PLACES)}路{serial:05d}弄{who.randrange(1, 99)}号"
    return Person(example_resident_id(division, serial * 977), name, f"100{serial:08d}", address)


@dataclass(frozen=True)
class Plan:
    """What to generate: an item, how many rows, from which seed, of which division and authority.

    Row n of those about persons is about the example person number n + first_person.
    """

    item: str
    count: int
    seed: int
    division: str = "310115"
    authority: str = ""
    defects: float = 0.0
    persons: float = 0.0
    first_person: int = 1

    @property
    def authority_uscc(self) -> str:
        """The authority given, or an example one."""
        return self.authority or example_uscc("11", self.division, 1)


@dataclass(frozen=True)
class Generated:
    """One row; code and column are what a planted mistake must be reported as, empty for a sound row."""

    number: int
    row: Row
    code: str = ""
    column: str = ""


def generate(plan: Plan) -> Iterator[Generated]:
    """Yield the rows of a plan, numbered from 2, below the header."""
    sound = {"licence.2018": _licence, "penalty.2018": _penalty}[plan.item]
    plants = [plant for plant in DEFECTS if plan.item in plant.items]
    for index in range(plan.count):
        # A generator of its own for each row: row n is the same whatever the count.
        random = Random(f"{plan.item}/{plan.seed}/{plan.authority_uscc}/{index}")
        row = sound(plan, random, index)
        if Random(f"persons/{plan.seed}/{index}").random() < plan.persons:
            row |= _person("XK" if plan.item == "licence.2018" else "CF", plan, index)
        if random.random() < plan.defects:
            plant = plants[random.randrange(len(plants))]
            column = plant.change(row, "XK" if plan.item == "licence.2018" else "CF")
            yield Generated(index + 2, row, plant.code, column)
        else:
            yield Generated(index + 2, row)


def columns(item: Item) -> list[str]:
    """Return the header of a generated file: all columns of the item."""
    return [field.code for field in item.fields]


# --- Sound rows ---------------------------------------------------------------------------------------------


def _subject(prefix: str, plan: Plan, random: Random) -> Row:
    """Return the subject's columns: mostly companies, some of which appear again, and some sole traders."""
    serial = random.randrange(1, SUBJECTS)
    who = Random(f"subject/{plan.seed}/{serial}")
    sole_trader = serial % 12 == 0
    name = f"{who.choice(_PLACES)}{who.choice(_WORDS)}示例{serial:06d}{who.choice(_TRADES)}"
    row = {
        f"{prefix}_XDR_MC": name + ("经营部" if sole_trader else who.choice(_FORMS)),
        f"{prefix}_XDR_LB": "个体工商户" if sole_trader else "法人及非法人组织",
        f"{prefix}_XDR_SHXYM": example_uscc("92" if sole_trader else "91", plan.division, serial),
        f"{prefix}_FRDB": who.choice(_SURNAMES) + who.choice(_GIVEN),
    }
    if serial % 24 == 0:
        row |= {f"{prefix}_XDR_SHXYM": USCC_PLACEHOLDER, f"{prefix}_XDR_GSZC": f"{plan.division[:2]}9900{serial:09d}"}
    return row


def _person(prefix: str, plan: Plan, index: int) -> Row:
    """Return the subject's columns of a natural person; the remark is one that a clerk should not have written."""
    person = example_person(plan.division, plan.first_person + index)
    return {
        f"{prefix}_XDR_MC": person.name,
        f"{prefix}_XDR_LB": "自然人",
        f"{prefix}_XDR_SHXYM": "",
        f"{prefix}_XDR_GSZC": "",
        f"{prefix}_FRDB": "",
        f"{prefix}_XDR_ZJLX": "身份证",
        f"{prefix}_XDR_ZJHM": person.id_no,
        "BZ": f"联系电话{person.telephone}，住址{person.address}",
    }


def _document(plan: Plan, random: Random, index: int, word: str, year: int) -> str:
    return f"示{word}{random.choice(_BRACKETS).format(year)}{plan.division}{index + 1:06d}号"


def _licence(plan: Plan, random: Random, index: int) -> Row:
    decided = FIRST_DAY + timedelta(days=random.randrange(DAYS))
    licence = random.choice(_LICENCES)
    long_term = random.random() < 0.2
    return _subject("XK", plan, random) | {
        "XK_XKWS": f"准予{licence}决定书",
        "XK_WSH": _document(plan, random, index, "许字", decided.year),
        "XK_XKLB": random.choice(["普通", "核准", "登记", "其他-备案"]),
        "XK_XKZS": f"{licence}证",
        "XK_XKBH": f"SL{plan.division}{index + 1:08d}",
        "XK_NR": f"准予从事{licence[:-2]}活动，范围以证书副本所载为准",
        "XK_JDRQ": decided.isoformat(),
        "XK_YXQZ": decided.isoformat(),
        "XK_YXQZI": "2099-12-31" if long_term else (decided + timedelta(days=1826)).isoformat(),
        "XK_XKJG": f"示例{plan.division}行政审批局",
        "XK_XKJGDM": plan.authority_uscc,
        "XK_ZT": "1",
        "XK_LYDW": f"示例{plan.division}行政审批局",
        "XK_LYDWDM": plan.authority_uscc,
    }


def _penalty(plan: Plan, random: Random, index: int) -> Row:
    decided = FIRST_DAY + timedelta(days=random.randrange(DAYS))
    violation, basis = random.choice(_VIOLATIONS)
    row = _subject("CF", plan, random) | {
        "CF_WSH": _document(plan, random, index, "罚字", decided.year),
        "CF_WFXW": violation,
        "CF_SY": f"经查，当事人于{decided.year - 1}年{random.randrange(1, 13)}月{violation}，有现场笔录、询问笔录为证",
        "CF_YJ": basis,
        "CF_JDRQ": decided.isoformat(),
        "CF_YXQ": (decided + timedelta(days=365)).isoformat(),
        "CF_GSJZQ": (decided + timedelta(days=random.choice([90, 365, 1095]))).isoformat(),
        "CF_CFJG": f"示例{plan.division}市场监督管理局",
        "CF_CFJGDM": plan.authority_uscc,
        "CF_SJLY": f"示例{plan.division}市场监督管理局",
        "CF_SJLYDM": plan.authority_uscc,
        "CF_AJCXLB": "02",
    }
    return row | _sanction(random)


def _sanction(random: Random) -> Row:
    kind = random.randrange(4)
    if kind == 0:
        return {"CF_CFLB": "警告", "CF_NR": "警告"}
    yuan = random.randrange(5, 2000) * 100
    row = {"CF_CFLB": "罚款", "CF_NR": f"罚款人民币{yuan}元", "CF_NR_FK": f"{yuan // 10000}.{yuan % 10000:04d}00"}
    if kind == 1:
        taken = random.randrange(10_000, 9_000_000)  # fen
        row["CF_CFLB"] += ";没收违法所得、没收非法财物"
        row["CF_NR"] += f"；没收违法所得{taken // 100}.{taken % 100:02d}元"
        row["CF_NR_WFFF"] = f"{taken // 1_000_000}.{taken % 1_000_000:06d}"
    return row


# --- Planted mistakes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plant:
    """A kind of mistake: its change to a row (which returns the column at fault) and the code it must get."""

    code: str
    change: Callable[[Row, str], str]
    items: tuple[str, ...] = ("licence.2018", "penalty.2018")


def _set(name: str, text: str) -> Callable[[Row, str], str]:
    def change(row: Row, prefix: str) -> str:
        row[f"{prefix}_{name}"] = text
        return f"{prefix}_{name}"

    return change


def _wrong_check_digit(row: Row, prefix: str) -> str:
    column = f"{prefix}_XDR_SHXYM"
    code = example_uscc("91", "310000", 4711)
    row[column] = code[:-1] + ("1" if code[-1] == "0" else "0")
    return column


def _placeholder_of_a_company(row: Row, prefix: str) -> str:
    row |= {f"{prefix}_XDR_LB": "法人及非法人组织", f"{prefix}_XDR_SHXYM": USCC_PLACEHOLDER, f"{prefix}_XDR_GSZC": "1"}
    return f"{prefix}_XDR_SHXYM"


def _no_legal_representative(row: Row, prefix: str) -> str:
    row |= {f"{prefix}_XDR_LB": "法人及非法人组织", f"{prefix}_XDR_SHXYM": example_uscc("91", "310000", 4711)}
    del row[f"{prefix}_FRDB"]
    return f"{prefix}_FRDB"


def _no_document_number(row: Row, prefix: str) -> str:
    del row[f"{prefix}_WSH"]
    return f"{prefix}_WSH"


def _minor(row: Row, prefix: str) -> str:
    row |= {
        f"{prefix}_XDR_LB": "自然人",
        f"{prefix}_XDR_ZJLX": "身份证",
        f"{prefix}_XDR_ZJHM": RESIDENT_ID,
        f"{prefix}_JDRQ": "1960-01-04",
    }
    row.pop(f"{prefix}_XDR_SHXYM", None)
    return f"{prefix}_XDR_ZJHM"


def _old_resident_id(row: Row, prefix: str) -> str:
    row |= {f"{prefix}_XDR_LB": "自然人", f"{prefix}_XDR_ZJLX": "身份证", f"{prefix}_XDR_ZJHM": "110105491231002"}
    row.pop(f"{prefix}_XDR_SHXYM", None)
    return f"{prefix}_XDR_ZJHM"


DEFECTS: tuple[Plant, ...] = (
    Plant("FIELD_USCC_CHECK_DIGIT", _wrong_check_digit),
    Plant("FIELD_CODE_SPREADSHEET", _set("XDR_SHXYM", "913199001234568000")),
    Plant("FIELD_CODE_SPREADSHEET", _set("XDR_SHXYM", "9.13199E+17")),
    Plant("FIELD_USCC_PLACEHOLDER", _placeholder_of_a_company),
    Plant("FIELD_MISSING", _no_legal_representative),
    Plant("FIELD_MISSING", _no_document_number),
    Plant("FIELD_FUTURE", _set("JDRQ", "2098-01-01")),
    Plant("FIELD_DATE", _set("JDRQ", "2024/3")),
    Plant("FIELD_ENUM", _set("XDR_LB", "企业")),
    Plant("FIELD_RESIDENT_ID_15", _old_resident_id),
    Plant("RULE_MINOR", _minor),
    Plant("RULE_SIMPLE_PROCEDURE", _set("AJCXLB", "01"), ("penalty.2018",)),
    Plant("FIELD_AMOUNT", _set("NR_WFFF", "1,200美元"), ("penalty.2018",)),
    Plant("FIELD_AMOUNT", _set("NR_WFFF", "0.2000005"), ("penalty.2018",)),
)
