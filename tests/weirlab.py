"""What end-to-end tests share: a sink, a weir folder, the process tree, and a runner that closes with a count.

A test is a function whose name starts with test_; main() runs those of the calling script in order, each in a folder of
its own, prints a line each and closes with `N passed, N failed, N skipped`.  Raise Skip to skip with a reason.

With WEIR_I2 (a file) a test notes in its folder what was sent, where sinks and weirs stand, and how the clocks went; when it has
passed tests/i2_check compares them and writes a line there, and the folder goes.
"""
import base64, contextlib, json, os, pathlib, re, shutil, signal, socket, subprocess, sys, tempfile, time, traceback
import urllib.error, urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = str(ROOT / "build" / "weir")                 # what people run
WEIR_TEST = str(ROOT / "build-test" / "weir")       # run/clock and run/broken work here
WEB_TOKEN, VENDOR_TOKEN = "web-source-token", "vendor-credential"


I2 = os.environ.get("WEIR_I2")
SENT_BYTES, BODY_BYTES = 64 << 20, 1 << 20      # of one test, and of one request; what is more isn't noted
here = None     # the running test's folder, with WEIR_I2


class Skip(Exception):
    pass


def note(name, **row):
    """A line for tests/i2_check."""
    if here:
        with open(here / ".i2" / f"{name}.ndjson", "a") as f:
            f.write(json.dumps(row) + "\n")
            return f.tell()


def note_sent(body):
    """What a client sends: the identifiers in it are whom the vendor may come to know."""
    global noted
    if here and body and noted < SENT_BYTES and len(body) <= BODY_BYTES:
        noted = note("sent", body=base64.b64encode(body).decode())


def wait_for(what, check, seconds=10.0, every=0.02):
    """Poll until check() is true; what names the thing in the failure."""
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(every)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sink:
    """`weir sink`: the stand-in vendor, and what it captured."""

    def __init__(self, folder, *args, name="sink", port=0):
        self.capture = pathlib.Path(folder) / f"{name}.ndjson"
        self.read_to, self.seen = 0, []
        self.process = subprocess.Popen([WEIR, "sink", "--listen", f"127.0.0.1:{port}", "--json", "--capture", str(self.capture), *args],
                                        stdout=subprocess.PIPE, stderr=open(pathlib.Path(folder) / f"{name}.err", "ab"))
        line = self.process.stdout.readline().decode()
        m = re.search(r"http://[\d.:]+", line)
        assert m, f"sink said {line!r}"
        self.url = m[0]
        self.port = int(self.url.rsplit(":", 1)[1])
        note("sinks", url=self.url, capture=str(self.capture))

    def requests(self):
        """Everything captured so far; only what is new is read and parsed."""
        if self.capture.exists():
            with open(self.capture, "rb") as f:
                f.seek(self.read_to)
                new = f.read()
            end = new.rfind(b"\n") + 1
            self.read_to += end
            self.seen += [json.loads(x) for x in new[:end].splitlines()]
        return self.seen

    def events(self):
        return [e for r in self.requests() for e in r["events"]]

    def bodies(self):
        return [base64.b64decode(r["body_b64"]) for r in self.requests()]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


def contract(upstream, vendor="mixpanel", version=1, quota="2GiB", extra="", sources="web", token="env:WEB_TOKEN"):
    """The starter contract for a vendor of that name and upstream."""
    text = (ROOT / "catalog" / "starter" / "mixpanel.yaml").read_text()
    text = re.sub(r"(?m)^vendor:.*$", f"vendor: {vendor}", text)
    text = re.sub(r"(?m)^version:.*$", f"version: {version}", text)
    text = re.sub(r"(?m)^(\s+)upstream:.*$", rf"\1upstream: {upstream}", text)
    text = re.sub(r"(?m)^(\s+)quota:.*$", rf"\1quota: {quota}", text)
    return text + extra


class Weir:
    """A weir folder and its running tree."""

    def __init__(self, folder, binary=WEIR, env=None):
        self.dir = pathlib.Path(folder) / "weir"
        self.binary = binary
        self.env = {**os.environ, "WEB_TOKEN": WEB_TOKEN, "MIXPANEL_TOKEN": VENDOR_TOKEN, "NO_COLOR": "1", **(env or {})}
        self.env.pop("WEIR_DIR", None)
        self.process = None
        self.log = pathlib.Path(folder) / "weir.err"
        note("weirs", dir=str(self.dir), credentials=[v for k, v in self.env.items() if k in ("MIXPANEL_TOKEN", *(env or {}))])

    def run(self, *args, ok=0, stdin=None, env=None):
        """A command; ok is the exit status expected, None for any.  Returns the completed process (text)."""
        r = subprocess.run([self.binary, *args, "--dir", str(self.dir)], env={**self.env, **(env or {})}, text=True, input=stdin,
                           capture_output=True, timeout=60)
        if ok is not None:
            assert r.returncode == ok, f"weir {' '.join(args)}: exit {r.returncode}, want {ok}\n{r.stdout}{r.stderr}"
        if args[:2] == ("canary", "plant"):     # the planted identity, and what stands for it where an identifier has to be short
            for planted, token in re.findall(r"([\w.@-]*([a-z]{20})[\w.@-]*)", r.stdout):
                note_sent(json.dumps([planted, "canary-" + token[-8:]]).encode())
        return r

    def init(self, *contracts):
        r = subprocess.run([self.binary, "init", str(self.dir)], env=self.env, capture_output=True, text=True, timeout=30)
        assert r.returncode == 0, r.stderr
        for f in (self.dir / "contracts").glob("*.yaml"):
            f.unlink()
        for text in contracts:
            self.put(text)

    def put(self, text):
        vendor = re.search(r"(?m)^vendor: (\S+)", text)[1]
        (self.dir / "contracts" / f"{vendor}.yaml").write_text(text)

    def apply(self, *approve, ok=0):
        self.run("apply", "--yes", ok=ok)
        for v in approve:
            self.run("approve", v, "--why", "test")

    def start(self, *args, env=None, wait=True):
        ready = self.dir / "run" / "ready.json"
        ready.unlink(missing_ok=True)
        note("clock", real=time.time(), start={**self.env, **(env or {})}.get("WEIR_NOW") if self.binary == WEIR_TEST else None)
        self.process = subprocess.Popen([self.binary, "serve", "--dir", str(self.dir), "--gate", "127.0.0.1:0", "--api", "127.0.0.1:0", *args],
                                        env={**self.env, **(env or {})}, stdout=subprocess.DEVNULL, stderr=open(self.log, "ab"))
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=10):
        ready = self.dir / "run" / "ready.json"

        def check():
            assert self.process.poll() is None, f"weir serve ended with {self.process.returncode}\n{self.tail()}"
            return ready.exists() and ready.read_text().strip().endswith("}")

        wait_for("run/ready.json", check, seconds)
        r = json.loads(ready.read_text())
        self.gate, self.api = r["gate"].rstrip("/"), r["api"].rstrip("/")

    def tail(self, n=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-n:]) if self.log.exists() else ""

    def children(self):
        """role -> pid of the running tree."""
        out = {}
        pids = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in pids:
            with contextlib.suppress(OSError):
                argv = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if b"--child" in argv:
                    out[argv[argv.index(b"--child") + 1].decode()] = int(pid)
        return out

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode if self.process else None

    def clock(self, seconds):
        """Test builds: move every process's clock by that much."""
        note("clock", real=time.time(), offset=seconds)
        (self.dir / "run" / "clock").write_text(f"{seconds}\n")

    def metrics(self):
        with urllib.request.urlopen(self.api + "/metrics", timeout=5) as r:
            return r.read().decode()

    def metric(self, name, **labels):
        total = 0.0
        for line in self.metrics().splitlines():
            m = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
            if m and m[1] == name and all(f'{k}="{v}"' in (m[2] or "") for k, v in labels.items()):
                total += float(m[3])
        return total


def post(url, body, headers=None, method="POST", timeout=10, told=True):
    """(status, body) of one request; never raises for a status.  told: as it is to i2_check."""
    if not isinstance(body, (bytes, type(None))):
        body = json.dumps(body).encode()
    if told:
        note_sent(body)
    rq = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(rq, timeout=timeout) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def event(name="signup", token=WEB_TOKEN, **properties):
    return {"event": name, "properties": {"token": token, **properties}}


def node(script, *args, timeout=120):
    """A script of tests/sdk under Node.js; returns its last line as JSON."""
    r = subprocess.run(["node", str(ROOT / "tests" / "sdk" / script), *args], capture_output=True, text=True, timeout=timeout,
                       cwd=ROOT / "tests" / "sdk", env={**os.environ, **({"WEIR_SENT": str(here / ".i2" / "sent.ndjson")} if here else {})})
    assert r.returncode == 0, f"{script}: exit {r.returncode}\n{r.stdout[-2000:]}{r.stderr[-3000:]}"
    return json.loads(r.stdout.strip().splitlines()[-1])


@contextlib.contextmanager
def tree(folder, binary=WEIR, sink_args=(), extra="", start=True, **contract_args):
    """A sink and a started weir with the starter contract approved."""
    sink = Sink(folder, *sink_args)
    weir = Weir(folder, binary)
    try:
        weir.init(contract(sink.url, extra=extra, **contract_args))
        weir.apply("mixpanel@1")
        if start:
            weir.start()
        yield weir, sink
    finally:
        weir.stop()
        sink.stop()


def begin(name):
    global here, noted
    folder = tempfile.mkdtemp(prefix=f"weir-{name[5:25]}-")
    here, noted = pathlib.Path(folder) if I2 else None, 0
    if here:
        (here / ".i2").mkdir()
    return folder


def keep(weir_dir):
    """Of a weir folder that goes before the test ends: what tests/i2_check reads."""
    if here and weir_dir.exists():
        shutil.copytree(weir_dir, here / ".i2" / "kept", dirs_exist_ok=True, ignore=lambda d, names: [n for n in names if n in ("run", "queue", "dead")])
        note("weirs", dir=str(here / ".i2" / "kept"), credentials=[VENDOR_TOKEN])


def end(folder, name):
    """The folder goes; what stands in it for i2_check is compared before."""
    if I2 and (here / ".i2" / "sinks.ndjson").exists():
        name = f"{pathlib.Path(sys.argv[0]).name}:{name}"
        r = subprocess.run([str(ROOT / "tests" / "i2_check"), "--test", folder, name, I2], stdout=sys.stderr)
        if r.returncode:
            return print(f"     bytes without an entry in the ledger: {folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)


def main(scope):
    passed = failed = skipped = 0
    only = set(sys.argv[1:])
    for name, fn in list(scope.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        folder = begin(name)
        began = time.monotonic()
        try:
            fn(pathlib.Path(folder))
            passed += 1
            print(f"ok   {name} {time.monotonic() - began:.1f} s", flush=True)
            end(folder, name)
        except Skip as e:
            skipped += 1
            print(f"skipped: {name}: {e}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
        except Exception:
            failed += 1
            print(f"FAIL {name} ({folder})\n{traceback.format_exc()}", flush=True)
            err = pathlib.Path(folder) / "weir.err"
            if err.exists():
                print("\n".join(err.read_text(errors="replace").splitlines()[-25:]), flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)
