// Reads a log over HTTP with golang.org/x/mod/sumdb and verifies it: a second opinion by an implementation that knows
// nothing of Weir.  usage: tlogcheck URL VKEY [OLD-CHECKPOINT-FILE]
package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
}

func get(url string) []byte {
	r, err := http.Get(url)
	must(err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(err)
	if r.StatusCode != 200 {
		must(fmt.Errorf("%s: %s", url, r.Status))
	}
	return b
}

func index(n int64) string {
	s := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		s = fmt.Sprintf("x%03d/%s", n%1000, s)
	}
	return s
}

// C2SP's paths, which differ from the checksum database's: tile/L/N[.p/W].
func path(t tlog.Tile) string {
	level := strconv.Itoa(t.L)
	if t.L == -1 {
		level = "entries"
	}
	p := "tile/" + level + "/" + index(t.N)
	if t.W < 256 {
		p += ".p/" + strconv.Itoa(t.W)
	}
	return p
}

type reader struct{ url string }

func (r reader) Height() int { return 8 }
func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		out = append(out, get(r.url+"/"+path(t)))
	}
	return out, nil
}
func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

func open(msg []byte, vkey string) tlog.Tree {
	v, err := note.NewVerifier(vkey)
	must(err)
	n, err := note.Open(msg, note.VerifierList(v))
	must(err)
	lines := strings.Split(n.Text, "\n")
	if lines[0] != v.Name() {
		must(fmt.Errorf("origin %q, key %q", lines[0], v.Name()))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

func entries(url string, size int64) [][]byte {
	var out [][]byte
	for n := int64(0); n*256 < size; n++ {
		w := size - n*256
		if w > 256 {
			w = 256
		}
		b := get(url + "/" + path(tlog.Tile{H: 8, L: -1, N: n, W: int(w)}))
		for len(b) > 0 {
			l := int(b[0])<<8 | int(b[1])
			out = append(out, b[2:2+l])
			b = b[2+l:]
		}
	}
	return out
}

func main() {
	url, vkey := os.Args[1], os.Args[2]
	tree := open(get(url+"/checkpoint"), vkey)
	hashes := tlog.TileHashReader(tree, reader{url})
	all := entries(url, tree.N)
	if int64(len(all)) != tree.N {
		must(fmt.Errorf("%d entries, the checkpoint says %d", len(all), tree.N))
	}
	for i, e := range all {
		p, err := tlog.ProveRecord(tree.N, int64(i), hashes)
		must(err)
		must(tlog.CheckRecord(p, tree.N, tree.Hash, int64(i), tlog.RecordHash(e)))
	}
	fmt.Printf("%d entries, each with its inclusion proof\n", len(all))
	for _, f := range os.Args[3:] {
		b, err := os.ReadFile(f)
		must(err)
		old := open(b, vkey)
		p, err := tlog.ProveTree(tree.N, old.N, hashes)
		must(err)
		must(tlog.CheckTree(p, tree.N, tree.Hash, old.N, old.Hash))
		fmt.Printf("consistent with %d entries\n", old.N)
	}
}
