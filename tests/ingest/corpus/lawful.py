"""200 lawful rows of companies and units whose names or texts hold words that careless screens stumble over."""

from random import Random

from scripts.xq_generate import example_uscc
from tests.ingest.corpus.case import Case, Fields, Outcome, accepted, book, csv_file, sound, table

SEED = 20_260_501
# Words of prohibited categories of personal data (religion, blood, genes, illness, fingerprints, income), as they
# stand in the names of units, in matters and in facts that have nothing to do with a person.
UNITS = (
    "疾病预防控制中心",
    "宗教事务局",
    "血站",
    "中心血站",
    "民族宗教用品厂",
    "佛教文化用品商店",
    "基督教两会服务部",
    "清真寺餐饮服务部",
    "传染病医院",
    "精神卫生中心",
    "艾滋病防治协会",
    "职业病防治院",
    "肿瘤医院",
    "血液透析中心",
    "基因检测技术公司",
    "指纹锁业公司",
    "人脸识别科技公司",
    "殡仪馆",
    "婚姻介绍所",
    "计划生育技术服务站",
    "残疾人用品公司",
    "养老院",
    "律师事务所",
    "工会服务中心",
    "少数民族食品公司",
    "未成年人救助中心",
    "儿童福利院",
    "收入保险经纪公司",
    "不动产登记代理公司",
    "证券投资咨询公司",
    "血压计制造公司",
    "道教养生堂",
    "疫苗物流公司",
    "病理诊断中心",
    "虹膜设备公司",
)
FACTS = (
    "未按规定公示血液制品的储存温度",
    "销售的宗教用品未标明产地",
    "医疗废物转运联单填写不全",
    "指纹考勤设备未取得检定证书",
    "疾病诊断试剂超过有效期",
    "经营场所未悬挂营业执照",
    "基因检测广告使用绝对化用语",
    "存款保险标识使用不规范",
)


def rows() -> list[Fields]:
    """Return the rows; the same seed always makes the same."""
    random = Random(SEED)
    found: list[Fields] = []
    for place, row in enumerate(sound(200, seed=SEED)):
        unit = UNITS[place % len(UNITS)]
        kind = "12" if unit.endswith(("中心", "局", "站", "院", "馆")) else "91"
        text = random.choice(FACTS)
        found.append(
            {
                **row,
                "CF_XDR_MC": f"示例{place:03d}{unit}",
                "CF_XDR_SHXYM": example_uscc(kind, "310000", 50_000 + place),
                "CF_WFXW": text,
                "CF_SY": f"经查，当事人{text}，有现场笔录为证",
            }
        )
    return found


def _outcomes(found: list[Fields]) -> list[Outcome]:
    names = [str(row["CF_XDR_MC"]) for row in found]
    return [Outcome(one.row, values={"CF_XDR_MC": name}) for one, name in zip(accepted(200), names, strict=True)]


CASES = (
    Case("lawful.csv", "200 lawful rows", lambda: csv_file(rows()), _outcomes(rows())),
    Case("lawful.xlsx", "200 lawful rows", lambda: book(table(rows()), shared=True), _outcomes(rows())),
)
