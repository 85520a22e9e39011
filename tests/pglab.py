"""A PostgreSQL of one's own: data, socket and log in a folder, no network; gone when it is closed."""
import os, pathlib, pwd, shutil, subprocess


class Missing(Exception):
    pass


class Cluster:
    def __init__(self, folder, **settings):
        self.bin = next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), pathlib.Path("-")).parent
        if not (self.bin / "postgres").exists():
            raise Missing("no PostgreSQL in /usr/lib/postgresql (Debian: postgresql-15)")
        self.folder = pathlib.Path(folder) / "pg"
        self.folder.mkdir(0o700)
        self.as_user = []
        if os.geteuid() == 0:       # it refuses to run as root
            user = pwd.getpwnam("postgres" if any(p.pw_name == "postgres" for p in pwd.getpwall()) else "nobody")
            self.as_user = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            os.chmod(folder, 0o711)
        self.url = f"host={self.folder} dbname=postgres user=weir"
        self.do("initdb", "-D", str(self.folder / "data"), "-U", "weir", "-A", "trust", "--no-sync")
        settings = {"listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'", "fsync": "off", **settings}
        with open(self.folder / "data" / "postgresql.conf", "a") as f:
            f.writelines(f"{k} = {v}\n" for k, v in settings.items())
        self.do("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", str(self.folder / "log"), "start")

    def do(self, name, *args):
        r = subprocess.run([*self.as_user, str(self.bin / name), *args], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if r.returncode:
            raise RuntimeError(f"{name}: {r.stderr.strip()[-400:]}")

    def argv(self):
        return [str(self.bin / "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.url]

    def psql(self, sql, **more):
        r = subprocess.run([*self.argv(), "-c", sql], text=True, capture_output=True, **more)
        assert r.returncode == 0, r.stderr
        return r.stdout.strip()

    def session(self):
        """One connection for many questions.  Returns (process, ask), ask(sql) -> the first number of the answer."""
        p = subprocess.Popen(self.argv(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)

        def ask(sql):
            p.stdin.write(sql + ";\n")
            p.stdin.flush()
            line = p.stdout.readline().strip().split("|")[0]
            return int(line) if line else None

        return p, ask

    def close(self):
        self.do("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
