package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tributary/internal/tenant"
)

const vectorTenant = tenant.ID("ten_0000000000000000000000000a")

// chainOf makes a chain as Append would, without a database.
func chainOf(n int) []Record {
	list := make([]Record, n)
	prev := make([]byte, hashSize)
	for i := range list {
		list[i] = Record{
			Tenant: vectorTenant, Seq: int64(i + 1), At: 1_772_366_400_000_000 + int64(i), Actor: "usr_1", Verb: "submission.receive",
			Subject: fmt.Sprint("sub_", i), Outcome: "ok", Details: []byte{detailsSealed, byte(i), byte(i >> 8)}, Prev: prev,
		}
		sum, _ := list[i].digest(nil)
		list[i].Hash = sum[:]
		prev = list[i].Hash
	}
	return list
}

// walkOver returns the first finding, if any.
func walkOver(list []Record, head Head, signed ...signedHead) (first *Finding) {
	w := newWalk(vectorTenant, signed, func(f Finding) {
		if first == nil {
			first = &f
		}
	})
	for i := range list {
		w.next(&list[i])
	}
	w.end(head)
	return first
}

// Any one act of tampering, at any place, is found there.
func TestAnySingleChangeIsFoundWhereItIs(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ entries, rounds int }{{1_000, 3_000}, {10_000, 300}, {100_000, 30}} {
		whole := chainOf(size.entries)
		head := Head{Tenant: vectorTenant, Seq: int64(size.entries), Hash: whole[size.entries-1].Hash}
		if f := walkOver(whole, head); f != nil {
			t.Fatalf("%d entries: found %+v", size.entries, *f)
		}
		r := rand.New(rand.NewPCG(25, uint64(size.entries)))
		for range size.rounds {
			list := slices.Clone(whole)
			i := r.IntN(len(list))
			what, at := tamper(r, &list, i)
			f := walkOver(list, head)
			if f == nil {
				t.Errorf("%d entries, %s at %d: nothing found", size.entries, what, i+1)
			} else if f.Seq != int64(at) {
				t.Errorf("%d entries, %s at %d: first found %+v, want entry %d", size.entries, what, i+1, *f, at)
			}
		}
	}
}

// tamper changes one thing at index i, and says where it has to be found.
func tamper(r *rand.Rand, list *[]Record, i int) (what string, at int) {
	l := *list
	e := &l[i]
	flip := func(b []byte) []byte {
		b = slices.Clone(b)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return b
	}
	at = i + 1
	switch r.IntN(12) {
	case 0:
		e.Actor, what = string(flip([]byte(e.Actor))), "actor"
	case 1:
		e.Verb, what = string(flip([]byte(e.Verb))), "verb"
	case 2:
		e.Subject, what = string(flip([]byte(e.Subject))), "subject"
	case 3:
		e.Outcome, what = string(flip([]byte(e.Outcome))), "outcome"
	case 4:
		e.Details, what = flip(e.Details), "details"
	case 5:
		e.Prev, what = flip(e.Prev), "prev"
	case 6:
		e.Hash, what = flip(e.Hash), "hash"
	case 7:
		e.At, what = e.At^1<<r.IntN(63), "time"
	case 8: // what one field loses the next gains
		e.Actor, e.Verb, what = e.Actor[:4], e.Actor[4:]+e.Verb, "boundary of fields"
	case 9:
		*list, what = slices.Delete(l, i, i+1), "delete"
	case 10:
		twin := l[i]
		twin.Seq++
		for j := i + 1; j < len(l); j++ {
			l[j].Seq++
		}
		*list, what, at = slices.Insert(l, i+1, twin), "insert", i+2
	case 11:
		j := r.IntN(len(l))
		if j == i {
			*list, what = l[:i], "truncate"
			return what, at
		}
		l[i], l[j] = l[j], l[i]
		l[i].Seq, l[j].Seq = int64(i+1), int64(j+1)
		what, at = "swap", min(i, j)+1
	}
	return what, at
}

// What a checkpoint signed is compared with the entry, wherever it is.
func TestSignedEntriesCannotBeRewritten(t *testing.T) {
	t.Parallel()
	whole := chainOf(100)
	for i := range whole {
		list := slices.Clone(whole)
		list[i].Subject = "another"
		prev := list[i].Prev
		for j := i; j < len(list); j++ { // all hashes made again
			list[j].Prev = prev
			sum, _ := list[j].digest(nil)
			list[j].Hash = sum[:]
			prev = list[j].Hash
		}
		head := Head{Tenant: vectorTenant, Seq: 100, Hash: prev}
		if f := walkOver(list, head); f != nil {
			t.Fatalf("the test does not make a consistent chain: %+v", *f)
		}
		for at := range whole {
			f := walkOver(list, head, signedHead{Head: Head{Seq: int64(at + 1), Hash: whole[at].Hash}, checkpoint: 7})
			if found := f != nil && f.Problem == Rewritten && f.Seq == int64(at+1); found != (at >= i) {
				t.Errorf("entry %d rewritten, entry %d signed: found %+v", i+1, at+1, f)
			}
		}
	}
}

func TestThereAreNotMoreFindingsThanSomebodyReads(t *testing.T) {
	t.Parallel()
	list := chainOf(500)
	for i := range list {
		list[i].Verb = "x"
	}
	var found []Finding
	w := newWalk(vectorTenant, nil, func(f Finding) { found = append(found, f) })
	for i := range list {
		w.next(&list[i])
	}
	w.summarise()
	if len(found) != maxFindings+1 || !strings.Contains(found[maxFindings].Message, "480") {
		t.Errorf("%d findings, the last %+v, want %d and how many more", len(found), found[len(found)-1], maxFindings+1)
	}
}

func TestTrees(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 70; n++ {
		heads := make([]Head, n)
		for i := range heads {
			heads[i] = Head{Tenant: tenant.ID(fmt.Sprintf("ten_%02d", i)), Seq: int64(i), Hash: bytes.Repeat([]byte{byte(i)}, hashSize)}
		}
		top := root(leaves(heads))
		turned := slices.Clone(heads)
		slices.Reverse(turned)
		if !bytes.Equal(root(leaves(turned)), top) {
			t.Fatalf("%d heads: the root depends on their order", n)
		}
		for i := range heads {
			steps := path(leaves(heads), i)
			if got := climb(heads[i], steps); !bytes.Equal(got, top) {
				t.Fatalf("%d heads: the path of head %d leads to %x, want %x", n, i, got, top)
			}
			other := heads[i]
			other.Seq++
			if bytes.Equal(climb(other, steps), top) {
				t.Fatalf("%d heads: the path of head %d proves another", n, i)
			}
		}
		for i := range heads {
			changed := slices.Clone(heads)
			changed[i].Seq += 100
			if bytes.Equal(root(leaves(changed)), top) {
				t.Fatalf("%d heads: the root does not cover head %d", n, i)
			}
		}
	}
}

// The vectors of docs/formats/audit.md, which other verifiers are written from.
func TestVectorsOfTheFormatsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/formats/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	records := chainOf(2)
	entry := records[1].skeleton(nil, entryFormat)
	entry = appendText(appendText(entry, records[1].Details), records[1].Prev)
	heads := []Head{{Seq: 7, Hash: bytes.Repeat([]byte{7}, hashSize)}, {Tenant: vectorTenant, Seq: 2, Hash: records[1].Hash}}
	body := statement{seq: 1, at: 1_772_366_460_000_000, heads: 2, root: root(leaves(heads)), prev: make([]byte, hashSize)}.encode()
	for name, want := range map[string][]byte{
		"entry 1's hash": records[0].Hash, "entry 2 encoded": entry, "entry 2's hash": records[1].Hash,
		"leaf of the provider": heads[0].leaf(), "leaf of the tenant": heads[1].leaf(), "root": root(leaves(heads)), "checkpoint's body": body,
	} {
		flat := strings.Join(strings.Fields(string(page)), "")
		if text := hex.EncodeToString(want); !strings.Contains(flat, text) {
			t.Errorf("the page does not have %s:\n%s", name, text)
		}
	}
}

func FuzzStatement(f *testing.F) {
	f.Add(statement{seq: 1, at: 2, heads: 3, root: make([]byte, hashSize), prev: make([]byte, hashSize)}.encode())
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := decodeStatement(b); ok && !bytes.Equal(s.encode(), b) {
			t.Errorf("%x is read as %+v", b, s)
		}
	})
}

func FuzzWord(f *testing.F) {
	f.Add("usr_1")
	f.Add("x\n\\ \xff")
	f.Add(strings.Repeat("x", maxWord+1))
	f.Add(strings.Repeat("x", maxWord-6) + "\x90")
	f.Fuzz(func(t *testing.T, s string) {
		w := word(s)
		if len(w) > maxWord {
			t.Errorf("word(%q) is %d bytes long", s, len(w))
		}
		for i := range len(w) {
			if w[i] < ' ' || w[i] > '~' {
				t.Errorf("word(%q) = %q", s, w)
			}
		}
		plain := len(s) <= maxWord
		for i := range len(s) {
			plain = plain && s[i] >= ' ' && s[i] <= '~' && s[i] != '\\'
		}
		if plain != (w == s) {
			t.Errorf("word(%q) = %q", s, w)
		}
	})
}

func FuzzDetails(f *testing.F) {
	f.Add("name", "canary.csv")
	f.Add("\u2028", "\x00\u202e\U000e0001")
	f.Fuzz(func(t *testing.T, key, value string) {
		raw, err := encodeDetails(map[string]any{key: value})
		if err != nil {
			return
		}
		for _, r := range string(raw) {
			if invisible(r) {
				t.Errorf("%q has %U", raw, r)
			}
		}
		var got map[string]any
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if utf8.ValidString(key) && utf8.ValidString(value) && (len(got) != 1 || got[key] != value) {
			t.Errorf("%q is read as %q", raw, got)
		}
	})
}

// BenchmarkWalk is what verification costs without the database.
func BenchmarkWalk(b *testing.B) {
	list := chainOf(100_000)
	head := Head{Tenant: vectorTenant, Seq: 100_000, Hash: list[len(list)-1].Hash}
	for b.Loop() {
		if f := walkOver(list, head); f != nil {
			b.Fatal(*f)
		}
	}
	b.ReportMetric(float64(len(list)*b.N)/b.Elapsed().Seconds(), "entries/s")
}
