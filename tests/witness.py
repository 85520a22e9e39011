"""For tests: a C2SP witness and an RFC 3161 authority on loopback, made of Python's library and the openssl command."""
import base64
import hashlib
import http.server
import pathlib
import struct
import subprocess
import threading
import time


def openssl(*args, data=None):
    return subprocess.run(["openssl", *map(str, args)], input=data, capture_output=True, check=True, timeout=20).stdout


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def consistent(old, old_root, size, root, proof):
    """RFC 9162 2.1.4.2."""
    if old == size:
        return not proof and old_root == root
    if not proof:
        return False
    path = ([old_root] if old & (old - 1) == 0 else []) + proof
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (old_root, root, 0)


class Server:
    def __init__(self, handle):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = handle(self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class Witness(Server):
    def __init__(self, folder, name="witness.example/w"):
        self.name, self.folder, self.state, self.asked = name, pathlib.Path(folder), {}, 0
        self.key = self.folder / "witness.pem"
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.key)
        public = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-32:]
        typed = b"\4" + public
        self.id = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(typed).decode()}"
        super().__init__(self.add_checkpoint)

    def sign(self, message):
        (self.folder / "message").write_bytes(message)
        return openssl("pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", self.folder / "message")

    def add_checkpoint(self, path, body):
        assert path == "/add-checkpoint", path
        self.asked += 1
        head, note = body.decode().split("\n\n", 1)
        old, proof = int(head.split("\n")[0].split()[1]), [base64.b64decode(l) for l in head.split("\n")[1:]]
        text = note.split("\n\n")[0] + "\n"
        origin, size, root = text.split("\n")[:3]
        size, root = int(size), base64.b64decode(root)
        known, known_root = self.state.get(origin, (0, None))
        if old != known:
            return 409, f"{known}\n".encode()
        if old > size:
            return 400, b"older"
        if old and not consistent(old, known_root, size, root, proof):
            return 422, b"no"
        self.state[origin] = size, root
        now = int(time.time())
        signature = self.sign(f"cosignature/v1\ntime {now}\n{text}".encode())
        line = base64.b64encode(self.id + struct.pack(">Q", now) + signature).decode()
        return 200, f"\u2014 {self.name} {line}\n".encode()


CONFIG = """
[tsa]
default_tsa = t
[t]
serial = {0}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[ext]
extendedKeyUsage = critical,timeStamping
[ca]
basicConstraints = critical,CA:true
"""


class Authority(Server):
    """`openssl ts` behind a port."""

    def __init__(self, folder):
        self.folder = f = pathlib.Path(folder)
        (f / "serial").write_text("01")
        (f / "tsa.cnf").write_text(CONFIG.format(f))
        self.ca = f / "ca.pem"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test root", "-keyout", f / "ca.key", "-out", self.ca, "-days", "30")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test authority", "-keyout", f / "tsa.key", "-out", f / "tsa.csr")
        openssl("x509", "-req", "-in", f / "tsa.csr", "-CA", self.ca, "-CAkey", f / "ca.key", "-CAcreateserial", "-out", f / "tsa.pem", "-days", "30",
                "-extfile", f / "tsa.cnf", "-extensions", "ext")
        super().__init__(self.stamp)

    def stamp(self, path, body):
        f = self.folder
        (f / "query.tsq").write_bytes(body)
        openssl("ts", "-reply", "-config", f / "tsa.cnf", "-section", "t", "-queryfile", f / "query.tsq", "-signer", f / "tsa.pem", "-inkey", f / "tsa.key",
                "-chain", self.ca, "-out", f / "answer.tsr")
        return 200, (f / "answer.tsr").read_bytes()
