"""Reads an evidence bundle as its README.txt describes it, with nothing of Weir's: hashlib, and openssl for the one signature."""
import base64, hashlib, json, pathlib, struct, subprocess, tempfile

sha = lambda b: hashlib.sha256(b).digest()
un64 = lambda s: base64.b64decode(s, validate=True)


def root_from(leaf, index, size, path):
    """RFC 9162 2.1.3.2."""
    assert index < size
    r, fn, sn = sha(b"\0" + leaf), index, size - 1
    for p in path:
        assert sn
        if fn & 1 or fn == sn:
            r = sha(b"\1" + p + r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\1" + r + p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def open_note(note, vkey):
    """The checkpoint's size and root, if the key signed it."""
    name, kid, key = vkey.strip().split("+", 2)
    public = un64(key)[1:]
    text, signatures = note.split(b"\n\n", 1)
    text += b"\n"
    line = next(l for l in signatures.decode().splitlines() if l.split(" ")[1] == name)
    raw = un64(line.split(" ")[2])
    assert raw[:4].hex() == kid
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        (d / "k").write_bytes(bytes.fromhex("302a300506032b6570032100") + public)
        (d / "t").write_bytes(text)
        (d / "s").write_bytes(raw[4:])
        r = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", d / "k", "-rawin", "-in", d / "t", "-sigfile", d / "s"],
                           capture_output=True)
        assert r.returncode == 0, r
    origin, size, root = text.decode().splitlines()[:3]
    assert origin == name
    return int(size), un64(root)


def head(b):
    """(containers, root, [(kind, vendor)]) of the beginning of a day's file."""
    sets, containers = struct.unpack_from("<II", b, 24)
    at, out = 96, []
    for _ in range(sets):
        kind, _, n, fields = struct.unpack_from("<BBHH", b, at)
        out.append((kind, b[at + 6:at + 6 + n].decode()))
        at += 6 + n
        for _ in range(2 * fields):
            at += 2 + struct.unpack_from("<H", b, at)[0]
        at += 8
    assert at == len(b)
    return containers, b[48:80], out


def has(container, low):
    form, n, data = container[6], struct.unpack_from("<I", container, 8)[0], container[16:]
    if form == 1:
        return low in struct.unpack_from(f"<{n}H", data)
    if form == 2:
        return bool(data[low // 8] >> low % 8 & 1)
    return any(first <= low <= first + more for first, more in struct.iter_unpack("<HH", data[:4 * n]))


def in_sets(day, leaf, number, only):
    """The vendors that got something of the identifier on the day; only: of one."""
    h = un64(day["head"])
    assert sha(h).hex() == leaf["head"]
    n, root, sets = head(h)
    assert root.hex() == leaf["root"]
    shown = {}
    for c in day["containers"]:
        b = un64(c["bytes"])
        assert root_from(b, c["index"], n, map(un64, c["path"])) == root
        shown[struct.unpack_from("<IH", b)] = c["index"], b
    got = set()
    for k, (kind, vendor) in enumerate(sets):
        if kind > 2 or only not in (None, vendor):
            continue
        at = (k, number >> 16)
        if at in shown:
            if has(shown[at][1], number & 65535):
                got.add(vendor)
            continue
        before = max((i for key, (i, _) in shown.items() if key < at), default=-1)
        behind = min((i for key, (i, _) in shown.items() if key > at), default=n)
        assert behind == before + 1, "a container is missing"
    return got


def read(folder):
    """{vendor: set of days} of a person, or None where the bundle is about no person; raises where it proves nothing."""
    folder = pathlib.Path(folder)
    note = (folder / "checkpoint").read_bytes()
    size, root = open_note(note, (folder / "key.vkey").read_text())
    leaves = {}
    for f in folder.glob("entry-*.json"):
        index = int(f.stem[6:])
        top, hashes = f.with_suffix(".proof").read_bytes().split(b"\n\n", 1)[0].decode().split("\n", 2)[1:] + [""], None
        hashes = [un64(x) for x in top[1].splitlines()]
        assert top[0] == f"index {index}" and root_from(f.read_bytes(), index, size, hashes) == root
        leaves[index] = json.loads(f.read_bytes())
    text = (folder / "answer.json").read_bytes()
    answer = json.loads(text)
    state = next(l for l in leaves.values() if l["weir"] == "state" and l.get("answer") == sha(text).hex())
    days = sorted((l for l in leaves.values() if l["weir"] == "day"), key=lambda l: l["number"])
    assert [l["number"] for l in days] == list(range(1, state["days"] + 1))
    if "subject" not in answer:
        return None
    found = {}
    for hex in [answer["subject"], *answer["linked"]]:
        s = json.loads((folder / f"subject-{hex}.json").read_bytes())
        keys = un64(s["keys"])
        assert root_from(keys, s["id"] // 64, (state["subjects"] + 63) // 64, map(un64, s["path"])).hex() == state["dict"]
        assert keys[s["id"] % 64 * 16:][:16].hex() == hex
        for l in days:
            name = l["day"] + ("" if l["generation"] == 1 else f".{l['generation']}")
            for vendor in in_sets(json.loads((folder / f"day-{name}.json").read_bytes()), l, s["id"], answer.get("vendor")):
                found.setdefault(vendor, set()).add(l["day"])
    return found
