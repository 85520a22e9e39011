"""A mail server on loopback for tests: SMTP with STARTTLS (RFC 5321, 3207), a certificate of its own, letters kept in memory.

Knobs: delay (seconds before the final reply), refuse (address -> reply at RCPT), lose (addresses whose letter is taken and
then the connection dropped without a reply).
"""
import email, email.policy, socket, ssl, subprocess, threading, time


def certificate(folder):
    """(ca, certificate, key) of a fresh self-signed authority for localhost."""
    ca, cert, key = folder / "mail-ca.pem", folder / "mail.pem", folder / "mail.key"
    run = lambda *a: subprocess.run(a, check=True, capture_output=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test authority",
        "-keyout", str(folder / "ca.key"), "-out", str(ca))
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout", str(key), "-out",
        str(folder / "mail.csr"))
    (folder / "ext").write_text("subjectAltName=DNS:localhost\n")
    run("openssl", "x509", "-req", "-in", str(folder / "mail.csr"), "-CA", str(ca), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "2",
        "-extfile", str(folder / "ext"), "-out", str(cert))
    return ca, cert, key


class MailCatcher:
    def __init__(self, folder, starttls=True, cert=None):
        self.ca, crt, key = cert or certificate(folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(crt, key)
        self.starttls, self.delay, self.refuse, self.lose = starttls, 0, {}, set()
        self.letters, self.commands, self.plain_mail, self.lock = [], [], 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.session, args=(s,), daemon=True).start()

    def session(self, s):
        try:
            self.talk(s)
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            s.close()

    def talk(self, s):
        f, tls, rcpt = s.makefile("rwb", buffering=0), False, []

        def say(text):
            s.sendall(text.encode() + b"\r\n")

        say("220 localhost test")
        buffer = b""

        def line():
            nonlocal buffer
            while b"\r\n" not in buffer:
                got = s.recv(65536)
                if not got:
                    raise OSError("gone")
                buffer += got
            one, buffer = buffer.split(b"\r\n", 1)
            return one

        while True:
            command = line().decode("latin-1")
            with self.lock:
                self.commands.append(command)
            verb = command.split(" ")[0].upper()
            if verb == "EHLO":
                say("250-localhost\r\n250 STARTTLS" if self.starttls and not tls else "250 localhost")
            elif verb == "STARTTLS" and self.starttls:
                say("220 go")
                s = self.context.wrap_socket(s, server_side=True)
                tls, buffer = True, b""
            elif verb == "MAIL":
                rcpt = []
                if not tls:
                    self.plain_mail += 1
                say("250 ok")
            elif verb == "RCPT":
                to = command.split("<")[1].split(">")[0]
                if to in self.refuse:
                    say(self.refuse[to])
                else:
                    rcpt.append(to)
                    say("250 ok")
            elif verb == "DATA":
                say("354 go")
                lines = []
                while (l := line()) != b".":
                    lines.append(l[1:] if l.startswith(b".") else l)
                with self.lock:
                    for to in rcpt:
                        self.letters.append((to, b"\r\n".join(lines) + b"\r\n"))
                if set(rcpt) & self.lose:
                    s.close()
                    return
                time.sleep(self.delay)
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                return
            elif verb in ("RSET", "NOOP"):
                say("250 ok")
            else:
                say("502 no")

    def parsed(self):
        with self.lock:
            return [(to, email.message_from_bytes(b, policy=email.policy.default)) for to, b in self.letters]

    def stop(self):
        self.listener.close()
