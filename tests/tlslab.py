"""A laboratory of TLS on loopback: an authority of its own, what it issues, and a site with knobs."""
import contextlib, http.server, pathlib, ssl, subprocess, threading, time, warnings

warnings.simplefilter("ignore", DeprecationWarning)     # of the old TLS versions

GOOD_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Strict-Transport-Security", "max-age=31536000"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Set-Cookie", "session=secret-cookie-value; Secure; HttpOnly; SameSite=Lax"),
]
SECURITY_TXT = "Contact: https://vendor.example/report\nExpires: 2126-01-01T00:00:00Z\n"


def openssl(*args, cwd):
    r = subprocess.run(["openssl", *args], cwd=cwd, capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, f"openssl {args}: {r.stderr}"


class Authority:
    """A root, an intermediate, and what they issue."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder) / "ca"
        self.dir.mkdir()
        self.conf("root", ["basicConstraints=critical,CA:true", "keyUsage=keyCertSign,cRLSign"])
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-days", "3650", "-subj", "/CN=Lab Root",
                "-config", "root.cnf", "-extensions", "e", cwd=self.dir)
        self.issue("middle", extensions=["basicConstraints=critical,CA:true,pathlen:0", "keyUsage=keyCertSign,cRLSign"], issuer="root")
        self.root = str(self.dir / "root.pem")

    def conf(self, name, extensions):
        (self.dir / f"{name}.cnf").write_text("[req]\ndistinguished_name=d\n[d]\n[e]\n" + "\n".join(extensions) + "\n")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", key="ec", issuer="middle", days=("-1", "89"), digest="sha256", extensions=None,
              self_signed=False, chain=True):
        """Path of a file with key, certificate and (chain) its issuer.  days: begin and end, from now."""
        d = self.dir
        self.conf(name, extensions or ["basicConstraints=CA:false", "extendedKeyUsage=serverAuth", f"subjectAltName={names}"])
        algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if key == "ec" else ["-newkey", key]
        openssl("req", *algorithm, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", "-config", f"{name}.cnf", cwd=d)
        if self_signed:
            openssl("x509", "-req", "-in", f"{name}.csr", "-signkey", f"{name}.key", "-out", f"{name}.pem", "-days", "90", f"-{digest}",
                    "-extfile", f"{name}.cnf", "-extensions", "e", cwd=d)
        else:
            (d / f"{name}.db").write_text("")
            (d / f"{name}.ca").write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={name}.db\nnew_certs_dir=.\npolicy=p\nunique_subject=no\nrand_serial=yes\n"
                                          f"default_md={digest}\n[p]\ncommonName=supplied\n")
            stamp = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + float(x) * 86400)) for x in days]
            openssl("ca", "-batch", "-config", f"{name}.ca", "-in", f"{name}.csr", "-out", f"{name}.pem", "-cert", f"{issuer}.pem", "-keyfile",
                    f"{issuer}.key", "-startdate", stamp[0], "-enddate", stamp[1], "-extfile", f"{name}.cnf", "-extensions", "e", "-notext", cwd=d)
        parts = [f"{name}.key", f"{name}.pem"] + (["middle.pem"] if chain and issuer == "middle" and not self_signed else [])
        out = d / f"{name}.all"
        out.write_text("".join((d / p).read_text() for p in parts))
        return str(out)


@contextlib.contextmanager
def server(cert, low=ssl.TLSVersion.TLSv1_2, high=ssl.TLSVersion.TLSv1_3, ciphers="ALL:!aNULL:!eNULL:@SECLEVEL=0", headers=GOOD_HEADERS, status=200,
           body=b"<html></html>", security_txt=SECURITY_TXT, redirect=None, seen=None, took=None):
    """A loopback site; cert None: over http.  took(body): takes what is posted, as a vendor does.  Yields its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            if seen is not None:
                seen.append((self.command, self.path))
            text = self.path.endswith("security.txt")
            found = not text or (security_txt and self.path == "/.well-known/security.txt")
            data = security_txt.encode() if text and found else b"" if not found else body
            to = redirect and redirect(self)
            self.send_response(302 if to else status if found and not text else 200 if found else 404)
            if to:
                self.send_header("Location", to)
            for k, v in ([("Content-Type", "text/plain")] if text else headers(self) if callable(headers) else headers):
                self.send_header(k, v)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_OPTIONS = answer

        def do_POST(self):
            took(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "25")
            self.end_headers()
            self.wfile.write(b'{"status":1,"error":null}')

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args):
            pass

        def finish_request(self, request, address):
            if cert:
                request.settimeout(5)
                request = context.wrap_socket(request, server_side=True)
            super().finish_request(request, address)

    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(cert)
        context.minimum_version, context.maximum_version = low, high
        context.set_ciphers(ciphers)
    s = Server(("127.0.0.1", 0), Handler)
    t = threading.Thread(target=s.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    t.start()
    try:
        yield s.server_address[1]
    finally:
        s.shutdown()
        s.server_close()


