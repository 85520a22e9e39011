"""ClickHouse in this process: libchdb.so of the npm package @chdb/lib-linux-x64-gnu (its C interface, chdb.h)."""
import ctypes, json, os, pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACE = pathlib.Path(os.environ.get("WEIR_CHDB") or ROOT / "tests" / "chdb")
LIBRARY = PLACE / "node_modules" / "@chdb" / "lib-linux-x64-gnu" / "libchdb.so"


class ClickHouse:
    """One engine a process.  folder: where its tables lie."""

    def __init__(self, folder):
        self.lib = ctypes.CDLL(str(LIBRARY))
        self.lib.chdb_connect.restype = ctypes.POINTER(ctypes.c_void_p)
        self.lib.chdb_connect.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
        self.lib.chdb_query_n.restype = ctypes.c_void_p
        self.lib.chdb_query_n.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
        for name, kind in (("buffer", ctypes.c_void_p), ("length", ctypes.c_size_t), ("error", ctypes.c_char_p)):
            f = getattr(self.lib, f"chdb_result_{name}")
            f.restype, f.argtypes = kind, [ctypes.c_void_p]
        self.lib.chdb_destroy_query_result.argtypes = [ctypes.c_void_p]
        argv = [b"clickhouse", f"--path={folder}".encode()]
        self.connection = self.lib.chdb_connect(len(argv), (ctypes.c_char_p * len(argv))(*argv))
        assert self.connection, "chdb_connect"

    def bytes(self, sql, form="TabSeparated"):
        q = sql.encode()
        r = self.lib.chdb_query_n(self.connection[0], q, len(q), form.encode(), len(form))
        try:
            wrong = self.lib.chdb_result_error(r)
            if wrong:
                raise RuntimeError(f"{wrong.decode()[:600]}\n{sql[:2000]}")
            n = self.lib.chdb_result_length(r)
            return ctypes.string_at(self.lib.chdb_result_buffer(r), n) if n else b""
        finally:
            self.lib.chdb_destroy_query_result(r)

    def rows(self, sql):
        return [json.loads(x) for x in self.bytes(sql, "JSONCompactEachRow").splitlines()]

    def one(self, sql):
        return self.rows(sql)[0][0]

    def script(self, text):
        """Statements apart by a semicolon at the end of a line."""
        for statement in text.split(";\n"):
            if any(x.strip() and not x.lstrip().startswith("--") for x in statement.splitlines()):
                self.bytes(statement)
