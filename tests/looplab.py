"""What the tests of the loop share: a folder under the test clock, a filled-in assessment, what the sink gets now, the people of
an incident and its letters, a second person, and the trials of the cut-off."""
import itertools, random, threading
from weirlab import *

DAY = 86400
START = "2026-06-01T00:00:00Z"
REQUIRES = "requires:\n  assessment: {standard: mvsp, score: 80, within: P1Y}\n"
PLACE = "$browser"          # leaves while the flow is open, and isn't among what `restricted` leaves


def lab(folder, extra=REQUIRES, start=True, sink=None):
    """A weir at START with the contract proposed, and its sink (a new one unless given)."""
    sink = sink or Sink(folder)
    weir = Weir(folder, WEIR_TEST, env={"WEIR_NOW": START})
    text = contract(sink.url, extra=extra)
    weir.init(re.sub(r"(?m)^restricted:\n(  .*\n)+", "restricted: {identity: daily, drop: [properties.$browser]}\n", text))
    weir.apply()
    if start:
        weir.start()
    return weir, sink


def ask(weir, *args, ok=0):
    r = weir.run(*args, "--json", ok=ok)
    return json.loads(r.stdout) if r.stdout.startswith("{") else r


def fill(weir, folder, answer="yes", evidence=None, name="answers.yaml"):
    """The vendor's file, filled in away from Weir and imported."""
    path = pathlib.Path(folder) / name
    weir.run("assess", "export", "mixpanel", "-o", str(path))
    text = re.sub(r"(?m)^    answer: \w+$", f"    answer: {answer}", path.read_text())
    for control, (file, until) in (evidence or {}).items():
        (pathlib.Path(folder) / file).write_text(f"the {file}")
        text = re.sub(rf'(?s)(  "{re.escape(control)}":.*?    evidence:).*?(?=\n\n|\Z)',
                      rf'\1\n      - file: {file}\n        valid_until: {until}', text, count=1)
    path.write_text(text)
    return ask(weir, "assess", "import", str(path))


EVIDENCE = {"1.4": ("pentest.pdf", "2026-06-10"), "1.6": ("soc2.pdf", "2027-03-01")}
sent = 0


def send(weir):
    """One event; its status, or 0 where the gate resets connections (quarantined)."""
    global sent
    sent += 1
    try:
        return post(weir.gate + "/mixpanel/track", [event("signup", **{"$browser": "Firefox", "n": sent, "distinct_id": f"u{sent}"})])[0]
    except OSError:
        return 0


def shape(weir, sink, patience=1.5):
    """What the sink gets now: 'open', 'restricted' or 'nothing'."""
    before = len(sink.events())
    send(weir)
    try:
        wait_for("an event at the sink", lambda: len(sink.events()) > before, patience)
    except AssertionError:
        return "nothing"
    return "open" if PLACE in sink.events()[-1]["properties"] else "restricted"


def becomes(weir, sink, want, seconds=2.0):
    """The sink sees it within so many seconds from now; every event counts from its own sending."""
    began = time.monotonic()
    while True:
        at = time.monotonic()
        # an event accepted just before the change is held, so only the next one shows what holds now
        got = shape(weir, sink, 1.5 if want == "nothing" else 0.5)
        if got == want:
            return at - began
        assert at - began <= seconds, f"{got}, want {want} within {seconds} s\n{weir.run('assurance', 'explain', 'mixpanel', ok=None).stdout}"


TRACK = "/mixpanel/track?verbose=1"
SECOND = 54321          # another user of the system, in the folder's group


def js(weir, *args, ok=0, **kw):
    return json.loads(weir.run(*args, "--json", ok=ok, **kw).stdout)


def config(weir, port=None, extra=""):
    with (weir.dir / "weir.yaml").open("a") as f:
        f.write("mail:\n  organisation: Example Ltd\n  from: privacy@example.org\n"
                "  contact: Data protection officer, Example Ltd, 1 Example Street\n  site: www.example.org\n")
        if port:
            f.write(f"  server: localhost:{port}\n  ca: {weir.dir.parent}/mail-ca.pem\n")
        f.write(extra)


def traffic(weir, people, **properties):
    for at in range(0, len(people), 50):
        status, _ = post(weir.gate + TRACK, [event(distinct_id=p, **{"$os": "Linux", "$current_url": "https://app.example.com/x", **properties})
                                             for p in people[at:at + 50]])
        assert status == 200


def counted(weir, people):
    wait_for("the ledger", lambda: js(weir, "blast", "--vendor", "mixpanel")["people"] >= people)


def as_second(weir, *args, ok=0):
    """The same command as another user."""
    if os.getuid() != 0:
        raise Skip("needs root to act as a second user")
    for d in (weir.dir.parent, weir.dir):
        os.chmod(d, 0o755)
    for f in [weir.dir / "weir.yaml"]:
        os.chmod(f, 0o644)
    r = subprocess.run(["setpriv", f"--reuid={SECOND}", "--regid=0", "--clear-groups", weir.binary, *args, "--dir", str(weir.dir)],
                       env=weir.env, text=True, capture_output=True, timeout=60)
    assert r.returncode == ok, f"exit {r.returncode}\n{r.stdout}{r.stderr}"
    return r


def write_list(folder, rows, name="people.csv"):
    path = folder / name
    path.write_text("id,email,lang\n" + "".join(",".join(r) + "\n" for r in rows))
    return str(path)


def ready_incident(weir, people):
    traffic(weir, people)
    counted(weir, len(people))
    weir.run("incident", "open", "--vendor", "mixpanel", "--why", "the vendor wrote")
    (weir.dir.parent / "first.txt").write_text("We had an incident.")
    weir.run("incident", "message", "1", "--from", "Mixpanel", "--file", str(weir.dir.parent / "first.txt"), "--received", "2025-11-25T09:00:00Z")
    for lang in ("en", "de"):
        weir.run("incident", "draft", "1", "--kind", "people", "--lang", lang)


def cut_off_trials(weir, sink, trials):
    """Under load: what the sink has when `incident open` returns is all it gets until the cut-off is lifted."""
    stop, numbers = threading.Event(), itertools.count()

    def load():
        while not stop.is_set():
            people = [f"user-{next(numbers)}" for _ in range(5)]
            note_sent(json.dumps(people).encode())
            try:
                post(weir.gate + TRACK, [event(distinct_id=p) for p in people], timeout=2, told=False)
            except OSError:
                pass    # a quarantine resets connections

    threads = [threading.Thread(target=load) for _ in range(2)]
    for t in threads:
        t.start()
    after, began = 0, len(sink.bodies())
    try:
        for trial in range(trials):
            before = len(sink.bodies()) if trial % 20 == 0 else 0
            if trial % 20 == 0:
                wait_for("traffic", lambda: len(sink.bodies()) > before)
            else:
                time.sleep(random.uniform(0, 0.02))
            opened = js(weir, "incident", "open", "--vendor", "mixpanel", "--why", f"trial {trial}")
            size = sink.capture.stat().st_size
            time.sleep(0.03)
            after += sink.capture.stat().st_size - size
            weir.run("incident", "lift", str(opened["id"]), "--why", "next trial")
    finally:
        stop.set()
        for t in threads:
            t.join()
    delivered = len(sink.bodies()) - began
    assert after == 0, f"{after} bytes after the cut-off had returned, in {trials} trials"
    assert delivered > 10, "there was load"
    print(f"     {trials} trials, {delivered} requests delivered between them, {after} bytes after a cut-off")
