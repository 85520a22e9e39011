"""What script/fields and script/names share: words folded as src/detect/fold.c does, and hash tables as C text."""
import unicodedata


def fold(word):     # src/detect/fold.c does the same
    word = unicodedata.normalize("NFKD", word).casefold()
    word = "".join(c for c in unicodedata.normalize("NFKD", word) if unicodedata.category(c) != "Mn")
    return word.translate(str.maketrans("łøđı", "lodi"))


def c(text):
    return '"' + "".join(ch if ch.isascii() else "".join(f"\\{b:03o}" for b in ch.encode()) for ch in text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) + '"'


class Texts:
    """Words in one text, each ended by a zero, and named by where they begin: pointers would have to be relocated in each process,
    and the pages that hold them couldn't be shared.  0 is the empty word."""

    def __init__(self, name):
        self.name, self.at, self.size = name, {"": 0}, 1

    def place(self, word):
        if word not in self.at:
            self.at[word] = self.size
            self.size += len(word.encode()) + 1
        return self.at[word]

    def lines(self):
        return [f"const char {self.name}[] =\n", *(f"\t{c(w)} \"\\0\"\n" for w in self.at), "\t;\n"]


def word_hash(w):
    h = 2166136261
    for b in w.encode():
        h = (h ^ b) * 16777619 & 0xffffffff
    return h ^ h >> 15


def table(entries, least):
    """Open hash of (key, text of the C row); equal keys stand behind one another."""
    size = least
    while size < len(entries) * 2:
        size *= 2
    slots = [None] * size
    for key, row in entries:
        at = word_hash(key) % size
        while slots[at]:
            at = (at + 1) % size
        slots[at] = row
    return slots
