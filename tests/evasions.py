"""Ways to hide a value and places to hide it in, for tests/e2e_evasion; the list in docs/DETECTION.md is made from them.

WAYS: case -> name -> (function of a text, the kinds that it is done to; all when empty).  None: this text can't be written so.
WHOLE: the same, of a function that gives the properties of an event: ways that take more than one place, or no text.
PLACES: name -> function of a text that gives the properties of an event; "@event" is the event's own name, "@number" a number as it is written, "@twice" a member that is there already.
"""
import base64, codecs, gzip, hashlib, html, json, lzma, quopri, urllib.parse, zlib

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4iLCJyb2xlIjoiYWRtaW4ifQ.c2lnbmF0dXJlc2lnbmF0dXJl"
VALUES = {"email": "ann.lee@example.org", "phone": "+49 30 12345678", "card": "4111 1111 1111 1111", "iban": "DE89 3704 0044 0532 0130 00", "us_ssn": "219-09-9998", "jwt": JWT, "own": "KD-123455"}
DIGITS = ("phone", "card", "us_ssn")
OTHERS = {"email": "bob.xu@sample.net", "phone": "+1 212 555 0143", "card": "5500 0000 0000 0004", "iban": "GB82 WEST 1234 5698 7654 32", "us_ssn": "321-54-9876",
          "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJhIjoieHl6In0.QUJDREVGR0hJSktMTU5PUA", "own": "KD-987651"}
NUMBERS = (*DIGITS, "iban")
LETTERED = ("email", "iban")


def each(f, which=lambda c: True):
    return lambda s: "".join(f(c) if which(c) else c for c in s)


def sign(c):
    return not c.isalnum()


def table(plain, other):
    t = str.maketrans(plain, other)
    return lambda s: s.translate(t) if s.translate(t) != s else None


def digits_from(first):
    return table("0123456789", "".join(chr(ord(first) + i) for i in range(10)))


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def lines(text, n, end="\n"):
    return end.join(text[i:i + n] for i in range(0, len(text), n))


def between(invisible):
    return lambda s: "".join(c + invisible[i % len(invisible)] for i, c in enumerate(s))


def separated(by):
    return lambda s: by.join(s.split()) if " " in s else s.replace("-", by)


def one_by_one(by):
    return lambda s: by.join(c for c in s if c.isdigit())


def in_jwt(s):
    part = lambda d: base64.urlsafe_b64encode(json.dumps(d).encode()).decode().rstrip("=")
    return part({"alg": "HS256", "typ": "JWT"}) + "." + part({"sub": s}) + "." + "c2lnbmF0dXJlc2lnbmF0dXJl"


def raw_deflate(s):
    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b64(c.compress(s.encode()) + c.flush())


def zstd_stored(s):    # a frame with one raw block (RFC 8878 3.1.1)
    body = s.encode()
    return b64(b"\x28\xb5\x2f\xfd\x20" + bytes([len(body)]) + (1 | len(body) << 3).to_bytes(3, "little") + body)


def half(s):
    return len(s) // 2


def words(s):
    names = "zero one two three four five six seven eight nine".split()
    return " ".join(names[int(c)] for c in s if c.isdigit())


def spelled(at, dot):
    return lambda s: s.replace("@", at).replace(".", dot)


def host_spelled(at, dot):    # the dots of the name stay
    return lambda s: at.join(part.replace(".", dot) if i else part for i, part in enumerate(s.split("@")))


MATH = "".join(chr(0x1d400 + i) for i in range(52)) + "".join(chr(0x1d7ce + i) for i in range(10))
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
CIRCLED = "".join(chr(0x24b6 + i) for i in range(52)) + "\u24ea" + "".join(chr(0x2460 + i) for i in range(9))
SUPER = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"

WAYS = {
    1: {"as it is": (str, ())},
    4: {"\\u of signs, left over": (each(lambda c: "\\u%04x" % ord(c), sign), ()), "\\u of all, left over": (each(lambda c: "\\u%04x" % ord(c)), ()),
        "\\\\u, escaped again": (each(lambda c: "\\\\u%04x" % ord(c), sign), ()), "\\x40": (each(lambda c: "\\x%02x" % ord(c), sign), ()), "\\x of all": (each(lambda c: "\\x%02x" % ord(c)), ()),
        "octal \\100": (each(lambda c: "\\%03o" % ord(c), sign), ()), "\\u{40}": (each(lambda c: "\\u{%x}" % ord(c), sign), ())},
    8: {"percent": (lambda s: urllib.parse.quote(s, safe=""), ()), "percent, small hex": (lambda s: urllib.parse.quote(s, safe="").lower() if "%" in urllib.parse.quote(s, safe="") else None, ("email", "phone", "card")),
        "percent of all": (each(lambda c: "%%%02X" % ord(c)), ()), "percent twice": (lambda s: urllib.parse.quote(urllib.parse.quote(s, safe=""), safe=""), ()),
        "percent three times": (lambda s: urllib.parse.quote(urllib.parse.quote(urllib.parse.quote(s, safe=""))), ()), "+ for blanks": (lambda s: s.replace(" ", "+") if " " in s else None, ()),
        "percent and +": (lambda s: urllib.parse.quote_plus(s) if " " in s else None, ()), "percent, overlong": (each(lambda c: "%%%02X%%%02X" % (0xc0 | ord(c) >> 6, 0x80 | ord(c) & 0x3f), sign), ()),
        "%u0040": (each(lambda c: "%%u%04X" % ord(c), sign), ())},
    9: {"base64": (b64, ()), "base64url without padding": (lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="), ()), "base64 in lines": (lambda s: lines(b64("Dear all, this is what I wrote to them: %s and so on, as before." % s), 16), ()),
        "base64 in lines of 76": (lambda s: lines(b64("Dear all, this is a longer letter and what I wrote to all of them at noon was: %s and so on." % s), 76, "\r\n"), ()),
        "base64 twice": (lambda s: b64(b64(s)), ()), "base64 of percent": (lambda s: b64(urllib.parse.quote(s, safe="")), ()), "percent of base64": (lambda s: urllib.parse.quote(b64(s + "!"), safe=""), ()), "base64 of JSON": (lambda s: b64(json.dumps({"u": s})), ()),
        "base64 of UTF-16": (lambda s: b64(s.encode("utf-16-le")), ()), "base64 three times": (lambda s: b64(b64(b64(s))), ()), "base32": (lambda s: base64.b32encode(s.encode()).decode(), ()),
        "base32, small": (lambda s: base64.b32encode(s.encode()).decode().lower(), ()), "hex": (lambda s: s.encode().hex(), ()), "hex, capitals": (lambda s: s.encode().hex().upper(), ()), "hex behind 0x": (lambda s: "0x" + s.encode().hex(), ()),
        "hex with blanks": (lambda s: s.encode().hex(" "), ()), "quoted-printable signs": (each(lambda c: "=%02X" % ord(c), sign), ("email",)), "quoted-printable, broken lines": (lambda s: s[:half(s)] + "=\r\n" + s[half(s):], ()),
        "quoted-printable of all": (each(lambda c: "=%02X" % ord(c)), ()), "HTML, decimal": (each(lambda c: "&#%d;" % ord(c), sign), ()), "HTML, hex": (each(lambda c: "&#x%x;" % ord(c), sign), ()), "HTML of all": (each(lambda c: "&#%d;" % ord(c)), ()),
        "HTML, zeros in front": (each(lambda c: "&#%07d;" % ord(c), sign), ()), "HTML, no semicolon": (lambda s: s.replace("@", "&#64"), ("email",)), "HTML, named": (lambda s: s.replace("@", "&commat;").replace(".", "&period;"), ("email",)), "HTML twice": (lambda s: s.replace("@", "&amp;#64;"), ("email",)),
        "ROT13": (lambda s: codecs.encode(s, "rot13"), ("iban",)), "base85": (lambda s: base64.b85encode(s.encode()).decode(), ()), "backwards": (lambda s: s[::-1], (*NUMBERS, "jwt"))},
    10: {"gzip in base64": (lambda s: b64(gzip.compress(s.encode(), mtime=0)), ()), "zlib in base64": (lambda s: b64(zlib.compress(s.encode(), 9)), ()), "zlib in base64url": (lambda s: base64.urlsafe_b64encode(zlib.compress(s.encode(), 9)).decode().rstrip("="), ()), "zstd in base64": (zstd_stored, ()),
         "gzip in base64, cut off": (lambda s: b64(gzip.compress(s.encode(), mtime=0))[:32], ()), "raw deflate in base64": (raw_deflate, ()), "gzip in hex": (lambda s: gzip.compress(s.encode(), mtime=0).hex(), ()), "xz in base64": (lambda s: b64(lzma.compress(s.encode())), ())},
    12: {"UTF-16 as bytes": (each(lambda c: c + "\0"), ())},
    13: {"zero-width between all": (between("\u200b\u200c\u200d\u2060\ufeff"), ()), "soft hyphens": (between("\u00ad"), ()), "marks of direction": (between("\u200e\u202a\u2066"), ()), "variation selectors": (between("\ufe0f\ufe00"), ()),
         "tag characters": (between("\U000e0061"), ()), "zero-width behind a sign": (each(lambda c: c + "\u200b", sign), ()), "combining joiner": (between("\u034f"), ()), "controls": (between("\x01\x02"), ())},
    14: {"full-width": (each(lambda c: chr(ord(c) + 0xfee0), lambda c: "!" <= c <= "~"), ()), "full-width signs": (each(lambda c: chr(ord(c) + 0xfee0), lambda c: sign(c) and c > " "), ("email", "us_ssn", "phone")), "small @": (lambda s: s.replace("@", "\ufe6b"), ("email",)),
         "mathematical": (table(LETTERS, MATH), ()), "circled": (table(LETTERS, CIRCLED), ()), "raised digits": (table("0123456789", SUPER), NUMBERS), "Arabic digits": (digits_from("\u0660"), NUMBERS), "Devanagari digits": (digits_from("\u0966"), NUMBERS),
         "Thai digits": (digits_from("\u0e50"), NUMBERS), "Cyrillic letters": (table("aeopcyxsijABEKMHOPCTX", "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425"), LETTERED),
         "Greek letters": (table("aopviABEZHIKMNOPTYX", "\u03b1\u03bf\u03c1\u03bd\u03b9\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"), LETTERED)},
    15: {"capitals": (str.upper, LETTERED), "small letters": (str.lower, LETTERED)},
    16: {"dots": (separated("."), DIGITS), "slashes": (separated("/"), ("card", "phone")), "underscores": (separated("_"), DIGITS), "no-break spaces": (separated("\u00a0"), NUMBERS), "en dashes": (separated("\u2013"), NUMBERS), "line breaks": (separated("\n"), ("card", "phone", "iban")),
         "tabs": (separated("\t"), ("card", "phone", "iban")), "hyphens": (separated("-"), NUMBERS), "two blanks": (separated("  "), ("card", "phone", "iban")), "blank, hyphen, blank": (separated(" - "), ("card",)), "no separators": (separated(""), ("card", "phone", "iban")),
         "digit by digit": (one_by_one(" "), ("card",)), "digits in an array, as text": (lambda s: json.dumps([int(c) for c in s if c.isdigit()]), ("card",)), "asterisks between": (separated("*"), ("card",)), "bars between": (separated("|"), ("card",))},
    19: {"[at] [dot]": (spelled(" [at] ", " [dot] "), ("email",)), "(at)": (spelled("(at)", "."), ("email",)), "at, dot": (host_spelled(" at ", " dot "), ("email",)), "AT, DOT": (host_spelled(" AT ", " DOT "), ("email",)), "@, dot": (host_spelled("@", " dot "), ("email",)),
         "_at_, _dot_": (host_spelled("_at_", "_dot_"), ("email",)), "{at}": (spelled("{at}", "."), ("email",)), "blanks around @": (lambda s: s.replace("@", " @ "), ("email",)), "digits as words": (words, DIGITS)},
    22: {"text in a data: URI": (lambda s: "data:text/plain;base64," + b64(s), ()), "percent in a data: URI": (lambda s: "data:text/plain," + urllib.parse.quote(s), ("email", "card", "phone", "us_ssn"))},
    23: {"in a JWT": (in_jwt, ("email", "card", "iban", "phone", "us_ssn")), "in a cookie": (lambda s: "sid=8f3a; u=" + urllib.parse.quote(s) + "; Path=/", ())},
    24: {"SHA-256 of it": (lambda s: hashlib.sha256(s.encode()).hexdigest(), ())},
}

quote, nest = urllib.parse.quote, lambda s, n: nest(json.dumps({"x": s}), n - 1) if n else s
PLACES = {
    "value": lambda s: {"v": s}, "deep": lambda s: {"deep": {"a": {"b": s}}}, "array": lambda s: {"list": ["x", s, "y"]}, "arrays in arrays": lambda s: {"grid": [[{"b": s}]]},
    "name of the event": lambda s: {"@event": "e " + s}, "name of a member": lambda s: {s: 1}, "JSON in a string": lambda s: {"v": nest(s, 1)}, "JSON in JSON": lambda s: {"v": nest(s, 2)}, "three levels of JSON": lambda s: {"v": nest(s, 3)}, "name in JSON in a string": lambda s: {"v": json.dumps({s: {"plan": "pro"}})},
    "sentence": lambda s: {"v": f"Please write to {s} today, thanks"}, "end of a sentence": lambda s: {"v": f"It was {s}."}, "quoted": lambda s: {"v": f"name='{s}' (old)"}, "query": lambda s: {"v": f"https://example.com/a?x=1&u={quote(s, safe='')}&y=2"},
    "query, unescaped": lambda s: {"v": f"https://example.com/a?x=1&u={s}&y=2"}, "path of a URL": lambda s: {"v": f"https://example.com/users/{quote(s, safe='')}/orders"}, "fragment": lambda s: {"v": f"https://example.com/a#u={quote(s, safe='')}"}, "matrix parameter": lambda s: {"v": f"https://example.com/a;u={quote(s, safe='')};v=1/b"},
    "redirect in a query": lambda s: {"v": "https://example.com/login?next=" + quote("https://example.com/a?u=" + quote(s, safe=""), safe="")}, "form": lambda s: {"v": f"x=1&u={urllib.parse.quote_plus(s)}&y=2"}, "log line": lambda s: {"v": f'level=error msg="user {s} failed" code=3'},
    "SQL": lambda s: {"v": f"SELECT * FROM u WHERE x = '{s}' AND y = 1"}, "XML": lambda s: {"v": f"<a><b>{s}</b></a>"}, "CSV": lambda s: {"v": f"id,u,z\n1,{s},yes\n2,-,no"}, "JSONP": lambda s: {"v": "cb(" + json.dumps({"u": s}) + ");"},
    "multipart": lambda s: {"v": f'--b\r\nContent-Disposition: form-data; name="u"\r\n\r\n{s}\r\n--b--'}, "tool call": lambda s: {"messages": [{"tool_calls": [{"function": {"arguments": json.dumps({"to": s, "n": 1})}}]}]}, "stack trace": lambda s: {"v": f"Error: no such user: {s}\n    at f (app.js:10:5)"},
}




def number(form):
    return lambda s: {"@number": form("".join(c for c in s if c.isdigit()))}


WHOLE = {
    3: {"number": (number(str), DIGITS), "number with decimals": (number(lambda d: d + ".0"), DIGITS), "number with an exponent": (number(lambda d: f"{d[0]}.{d[1:]}e{len(d) - 1}"), DIGITS)},
    16: {"an element a digit": (lambda s: {"list": [c for c in s if c.isdigit()]}, DIGITS), "an element a digit, numbers": (lambda s: {"list": [int(c) for c in s if c.isdigit()]}, DIGITS)},
    17: {"halves in two members": (lambda s: {"v": s[:half(s)], "w": s[half(s):]}, ()), "halves in two elements": (lambda s: {"list": [s[:half(s)], s[half(s):]]}, ())},
    21: {"a member twice": (lambda s: {"v": "ok", "@twice": s}, ())},
}
