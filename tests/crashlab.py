"""Load whose every event has its own $insert_id, and the check after crashes: nothing acknowledged is lost, what arrived
twice has the same $insert_id, and nothing arrived that isn't recorded in the keeper's exposures."""
import hashlib, hmac, http.client, itertools, random, struct, threading
from weirlab import *


class Load:
    """Threads that post batches to the gate until stopped.  acked and sent hold insert ids."""

    def __init__(self, weir, threads=3, batch=5, vendor="mixpanel", pause=0.004, tag=""):
        self.weir, self.batch, self.vendor, self.pause = weir, batch, vendor, pause
        self.acked, self.sent, self.person = set(), set(), {}
        self.errors = 0
        self.halt = threading.Event()
        self.lock = threading.Lock()
        self.tag = tag or f"{random.getrandbits(32):08x}"
        self.threads = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(threads)]
        for t in self.threads:
            t.start()

    def work(self, who):
        host = self.weir.gate.removeprefix("http://")
        conn = None
        for n in itertools.count():
            if self.halt.is_set():
                return
            ids = [f"{self.tag}-{who}-{n}-{k}" for k in range(self.batch)]
            people = [f"person-{random.randrange(5000)}" for _ in ids]
            body = json.dumps([event(distinct_id=p, **{"$insert_id": i, "time": int(time.time())}) for i, p in zip(ids, people)])
            with self.lock:
                self.sent.update(ids)
                self.person.update(zip(ids, people))
            try:
                conn = conn or http.client.HTTPConnection(host, timeout=10)
                conn.request("POST", f"/{self.vendor}/track?verbose=1", body, {"Content-Type": "application/json"})
                r = conn.getresponse()
                answer = r.read()
                if r.status == 200 and json.loads(answer).get("status") == 1:
                    with self.lock:
                        self.acked.update(ids)
                else:
                    self.errors += 1
            except (OSError, http.client.HTTPException):
                self.errors += 1
                conn = None
                time.sleep(0.005)
            time.sleep(self.pause)

    def stop(self):
        self.halt.set()
        for t in self.threads:
            t.join(15)
        note_sent(json.dumps(sorted(set(self.person.values()))).encode())


def frames(folder):
    """(type, seq, body) of every whole frame of a log directory (design section 7)."""
    for p in sorted(pathlib.Path(folder).glob("*.log")):
        data = p.read_bytes()
        if len(data) < 64 or data[:8] != b"WEIRLOG1":
            continue
        at = 64
        while at + 20 <= len(data):
            n, kind, seq, _crc = struct.unpack_from("<IB3xQI", data, at)
            if kind == 0 or at + 20 + n > len(data):
                break
            yield kind, seq, data[at + 20:at + 20 + n]
            at += 20 + n


def recorded_subjects(weir):
    """Subjects in the keeper's exposures; its frames carry the source sequence number, then the block as the gate wrote it."""
    out = set()
    for kind, _seq, body in frames(weir.dir / "state" / "ledger" / "open"):
        if kind != 6:
            continue
        b = body[8:]
        (vendor_len,) = struct.unpack_from("<B", b, 40)
        leaf_bytes, count, _dropped = struct.unpack_from("<HII", b, 41 + vendor_len)
        at = 41 + vendor_len + 10
        for _ in range(count):
            out.add(b[at:at + 16])
            at += 16 + 1 + 8 + 3 + 4 + 4 + 8 + leaf_bytes
    return out


def closed_subjects(weir):
    """Subjects of days that the ledger has closed meanwhile (the run went over midnight): their exposures are in sets by now."""
    if not any((weir.dir / "state" / "ledger" / "day").glob("*")):
        return set()
    r = weir.run("blast", "--vendor", "mixpanel", "--list", ok=None)
    return {bytes.fromhex(json.loads(line)["subject"]) for line in r.stdout.splitlines()}


def subject_of(weir, person, kind=b"user"):
    key = bytes.fromhex((weir.dir / "keys" / "subject.key").read_text().strip())
    return hmac.new(key, kind + b"\0" + person.encode(), hashlib.sha256).digest()[:16]


def check(weir, sink, loads, drain=60):
    """After the last crash, with the tree up: drain, then compare."""
    acked = set().union(*(l.acked for l in loads))
    sent = set().union(*(l.sent for l in loads))
    person = {k: v for l in loads for k, v in l.person.items()}

    def seen():
        return [e["properties"]["$insert_id"] for e in sink.events()]

    end = time.monotonic() + drain
    while time.monotonic() < end:
        got = seen()
        if acked <= set(got):
            break
        time.sleep(0.5)
    got = seen()
    lost = acked - set(got)
    assert not lost, f"{len(lost)} of {len(acked)} acknowledged events never arrived, such as {sorted(lost)[:3]}"
    strange = set(got) - sent
    assert not strange, f"{len(strange)} events arrived that nobody sent"
    by_id = {}
    for e in sink.events():
        by_id.setdefault(e["properties"]["$insert_id"], []).append(json.dumps(e, sort_keys=True))
    torn = [i for i, v in by_id.items() if len(set(v)) > 1]
    assert not torn, f"{len(torn)} duplicates differ from each other"
    want = {subject_of(weir, person[i]) for i in set(got)}
    wait_for("every delivered person in the exposures", lambda: want <= recorded_subjects(weir) | closed_subjects(weir), 20, 0.3)
    return {"acked": len(acked), "sent": len(sent), "arrived": len(got), "duplicates": len(got) - len(set(got))}
