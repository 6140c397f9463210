"""The step of the demonstration in which one record is proven to somebody who trusts none of the nodes."""

from scripts.demo_network import PROVING, Demo
from scripts.xq_places import BY_ID, TOPICS


def prove(demo: Demo) -> None:
    """Export one record's evidence at a node that did not publish it, verify it, damage it, verify again."""
    ref = demo.first_record(PROVING, TOPICS[0].channel)["ref"]
    place = (ref["channel"], str(ref["index"]), str(ref["position"]))
    made = demo.product.run("prove", *place, "-o", "evidence.xq", "--home", BY_ID[PROVING].home, show=True)
    anchor = ("--root-fingerprint", demo.root_fingerprint)
    found = demo.product.run("verify", "evidence.xq", *anchor, show=True)
    document_number = found["record"]["values"]["CF_WSH"]
    witnesses = ", ".join(each["node"] for each in found["confirmed_by"])
    demo.screen.good(f"{made['bytes']:,} bytes prove {document_number}, published by {found['origin']['id']}")
    demo.screen.good(f"its log is confirmed by {witnesses}; no node, no registry and no network was asked")
    content = bytearray((demo.work / "evidence.xq").read_bytes())
    at = content.index(document_number.encode())
    content[at] ^= 1
    (demo.work / "damaged.xq").write_bytes(content)
    error = demo.product.refusal("verify", "damaged.xq", *anchor)
    demo.screen.good(f"with one bit of byte {at} turned: {error['code']}: {error['text']}")
    demo.summary["evidence"] = {"bytes": made["bytes"], "confirmed_by": found["confirmed_by"], "refused": error}
