package events_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"tributary/internal/clock"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
	"tributary/internal/keys/keystest"
	"tributary/internal/tenant"
)

// Two tenants of every test.
const (
	alice = tenant.ID("ten_0000000000000000000000000a")
	bob   = tenant.ID("ten_0000000000000000000000000b")
)

// shelf is a keys.Store in memory.
type shelf struct {
	mu      sync.Mutex
	wrapped map[tenant.ID][]byte
}

func (s *shelf) WrappedKey(_ context.Context, id tenant.ID, p keys.Purpose) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.wrapped[id]; w != nil && p == keys.Pool {
		return w, nil
	}
	return nil, fault.New(fault.NotFound, "There is no such key.")
}

// newRing returns a ring with the pool keys of alice and bob.
func newRing(t testing.TB) (*keys.Ring, *shelf) {
	t.Helper()
	kek, secrets := keystest.New(t, clock.Clock{})
	s := &shelf{wrapped: map[tenant.ID][]byte{}}
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: s, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []tenant.ID{alice, bob} {
		if s.wrapped[id], err = ring.Generate(t.Context(), id, keys.Pool); err != nil {
			t.Fatal(err)
		}
	}
	return ring, s
}

func newBlocks(t testing.TB, ring *keys.Ring) *events.Blocks {
	t.Helper()
	b, err := events.NewBlocks(ring, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// some are two events of a tenant.
func some(id tenant.ID) []events.Event {
	return []events.Event{
		{ID: "a", Source: "src_1", Type: "login", Time: noon.Add(-time.Second), Received: noon, Tenant: id, User: "u1", Data: jsontext.Value(`{"n":1}`)},
		{ID: "b", Source: "src_1", Origin: "/shop", Type: "job", Subject: "j", Time: noon, Received: noon.Add(time.Microsecond), Tenant: id,
			Anonymous: "x", Session: "s", Device: "d", Context: jsontext.Value(`{"ip":"é"}`), Flags: []string{events.FlagLate}},
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got kind %q (%v), want %q", what, got, err, want)
	}
}

func TestBlocksOpenAsTheyWereSealed(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t)
	b := newBlocks(t, ring)
	for _, id := range []tenant.ID{alice, ""} {
		want := events.Header{Stream: "events", Tenant: id, Sequence: 7, Previous: events.Digest{1, 2}}
		h, block, err := b.Seal(t.Context(), want, some(id))
		if err != nil {
			t.Fatal(err)
		}
		want.Count, want.First, want.Last, want.Size = 2, noon, noon.Add(time.Microsecond), h.Size
		got, list, err := b.Open(t.Context(), block)
		if err != nil || h != want || got != want || !reflect.DeepEqual(list, some(id)) {
			t.Errorf("%q: got %+v %+v, %v, want %+v %+v", id, got, list, err, want, some(id))
		}
		if read, err := events.ReadHeader(block); err != nil || read != want {
			t.Errorf("%q: got header %+v, %v, want %+v", id, read, err, want)
		}
		if bytes.Contains(block, []byte("login")) {
			t.Errorf("%q: got a block in which the type of an event can be read", id)
		}
	}
}

// Blocks are written by hand, for speed, and must be what a JSON library writes.
func TestLinesAreTheJSONOfEvents(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t)
	b := newBlocks(t, ring)
	list := append(some(alice), events.Event{ID: "\" \\ \u2028\n\x00<é>", Source: "api", Type: "t", Time: noon.Add(123456 * time.Microsecond), Received: noon, Stated: noon, Tenant: alice, Channel: "api",
		Data: jsontext.Value(`{"a":[1,{}]}`), Context: jsontext.Value(`{}`), Flags: []string{"late", "unfit"}})
	want := 0
	for _, e := range list {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		want += len(line) + 1
	}
	h, block, err := b.Seal(t.Context(), events.Header{Stream: "events", Tenant: alice, Sequence: 1}, list)
	if err != nil || h.Size != want {
		t.Fatalf("got %d bytes of lines, %v, want %d", h.Size, err, want)
	}
	if _, got, err := b.Open(t.Context(), block); err != nil || !reflect.DeepEqual(got, list) {
		t.Errorf("got %+v, %v, want %+v", got, err, list)
	}
}

// Whatever bit is changed, the block does not open, and it is Damaged: nothing of
// a header is believed.
func TestChangedBlocksAreDamaged(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t)
	b := newBlocks(t, ring)
	for _, id := range []tenant.ID{alice, ""} {
		_, block, err := b.Seal(t.Context(), events.Header{Stream: "events", Tenant: id, Sequence: 1}, some(id))
		if err != nil {
			t.Fatal(err)
		}
		for n := range block {
			flipped := bytes.Clone(block)
			flipped[n] ^= 1
			_, list, err := b.Open(t.Context(), flipped)
			if k := fault.KindOf(err); list != nil || k != fault.Damaged && k != fault.NotFound { // another tenant's has no key
				t.Fatalf("byte %d of %d changed: got %d events, %v, want Damaged", n, len(block), len(list), err)
			}
			_, _, err = b.Open(t.Context(), block[:n])
			wantKind(t, "a block that is cut off", err, fault.Damaged)
		}
		moved := bytes.Replace(block, []byte(alice), []byte(bob), 1)
		if id != "" {
			_, _, err = b.Open(t.Context(), moved)
			wantKind(t, "a block that says it is another tenant's", err, fault.Damaged)
			if err == nil || !strings.Contains(fault.Message(err), "block 1 of "+string(bob)+" on stream events") {
				t.Errorf("got %q, want the block to be named", fault.Message(err))
			}
		}
	}
}

func TestWhatNoBlockCanBeIsRefused(t *testing.T) {
	t.Parallel()
	ring, s := newRing(t)
	b := newBlocks(t, ring)
	at := events.Header{Stream: "events", Tenant: alice, Sequence: 1}
	big := []events.Event{{ID: "a", Data: jsontext.Value(`{"x":"` + strings.Repeat("a", events.MaxLines) + `"}`)}}
	_, _, err := b.Seal(t.Context(), at, big)
	wantKind(t, "too much", err, fault.TooLarge)
	_, _, err = b.Seal(t.Context(), at, nil)
	wantKind(t, "no events", err, fault.Internal)
	_, _, err = b.Seal(t.Context(), events.Header{Stream: "events", Tenant: "a", Sequence: 1}, some(alice))
	wantKind(t, "no tenant", err, fault.Internal)
	_, block, err := b.Seal(t.Context(), at, some(alice))
	if err != nil {
		t.Fatal(err)
	}
	delete(s.wrapped, alice)
	ring.Forget(alice)
	_, _, err = b.Open(t.Context(), block)
	wantKind(t, "a destroyed key", err, fault.NotFound)
}

func TestChainsAreFollowed(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t)
	b := newBlocks(t, ring)
	var at events.Place
	var blocks [][]byte
	for n := range 4 {
		h, block, err := b.Seal(t.Context(), events.Header{Stream: "events", Tenant: alice, Sequence: at.Sequence + 1, Previous: at.Digest}, some(alice)[:1+n%2])
		if err != nil {
			t.Fatal(err)
		}
		if err := at.Follows(h); err != nil {
			t.Errorf("block %d: got %v, want it to follow", n+1, err)
		}
		at = events.PlaceOf(h, block)
		blocks = append(blocks, block)
	}
	header := func(n int) events.Header {
		h, err := events.ReadHeader(blocks[n])
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	first := events.PlaceOf(header(0), blocks[0])
	for _, c := range []struct {
		next int
		want string
	}{{2, "Block 2 is missing"}, {3, "Blocks 2 to 3 are missing"}, {0, "a second time"}} {
		err := first.Follows(header(c.next))
		wantKind(t, c.want, err, fault.Damaged)
		if !strings.Contains(fault.Message(err), c.want) {
			t.Errorf("got %q, want %q", fault.Message(err), c.want)
		}
	}
	other := header(1)
	other.Previous[0] ^= 1
	wantKind(t, "another predecessor", first.Follows(other), fault.Damaged)
}

const vectorsFile = "../../docs/formats/event-block-vectors.json"

var update = flag.Bool("update", false, "write new test vectors; only for a new version of the format")

type vectors struct {
	KeyFile string   `json:"key_file"`
	Secrets hexed    `json:"wrapped_secrets"`
	OwnKey  hexed    `json:"server_mac_key"`
	Blocks  []vector `json:"blocks"`
}

type vector struct {
	Tenant string `json:"tenant"`
	Key    hexed  `json:"wrapped_pool_key,omitempty"`
	Header string `json:"header"`
	Block  hexed  `json:"block"`
	Lines  string `json:"lines"`
	Digest hexed  `json:"digest"`
}

type hexed []byte

func (h hexed) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexed) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// Blocks outlive versions: what was written once must open for ever.
func TestVectorsOpen(t *testing.T) {
	t.Parallel()
	if *update {
		writeVectors(t)
	}
	raw, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(name, []byte(v.KeyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	kek, err := file.Open(name, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := keys.OpenSecrets(t.Context(), kek, v.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{wrapped: map[tenant.ID][]byte{alice: v.Blocks[0].Key}}
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: s, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	b := newBlocks(t, ring)
	for n, c := range v.Blocks {
		h, list, err := b.Open(t.Context(), c.Block)
		if d := events.DigestOf(c.Block); err != nil || h.String() != c.Header || !reflect.DeepEqual(list, some(tenant.ID(c.Tenant))) || !bytes.Equal(d[:], c.Digest) {
			t.Errorf("block %d: got %s, %+v, %v, want %s", n, h, list, err, c.Header)
		}
	}
	own := v.Blocks[1]
	if got, err := decodeOwn(v.OwnKey, own.Block); err != nil || string(got) != own.Lines {
		t.Errorf("decoded by the page alone: got %q, %v, want %q", got, err, own.Lines)
	}
}

// decodeOwn is a second decoder, of the provider's own blocks, written from
// docs/formats/event-block.md with the standard library's cryptography.
func decodeOwn(mac, block []byte) ([]byte, error) {
	size := 14
	size += int(block[13])
	size += 1 + int(block[size])
	size += 8 + 4 + 8 + 8 + 4 + 32
	header, sealed := block[:size], block[size:]
	key, err := hkdf.Key(sha256.New, mac, nil, "tributary own values 1", 32)
	if err != nil {
		return nil, err
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(c)
	if err != nil {
		return nil, err
	}
	const label = "tributary own value 1"
	ad := binary.BigEndian.AppendUint64(nil, uint64(len(label)))
	ad = append(append(ad, label...), 'x')
	ad = append(binary.BigEndian.AppendUint64(ad, uint64(len(header))), header...)
	packed, err := gcm.Open(nil, sealed[1:13], sealed[13:], ad)
	if err != nil {
		return nil, err
	}
	out, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	return out.DecodeAll(packed, nil)
}

func writeVectors(t *testing.T) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "kek")
	kek, err := file.Open(name, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	v.KeyFile = string(text)
	if v.Secrets, err = keys.NewSecrets(t.Context(), kek, clock.Clock{}); err != nil {
		t.Fatal(err)
	}
	secrets, err := keys.OpenSecrets(t.Context(), kek, v.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	v.OwnKey = secrets.MAC[:]
	s := &shelf{wrapped: map[tenant.ID][]byte{}}
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: s, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	b := newBlocks(t, ring)
	for _, id := range []tenant.ID{alice, ""} {
		c := vector{Tenant: string(id)}
		if id != "" {
			if c.Key, err = ring.Generate(t.Context(), id, keys.Pool); err != nil {
				t.Fatal(err)
			}
			s.wrapped[id] = c.Key
		}
		var h events.Header
		if h, c.Block, err = b.Seal(t.Context(), events.Header{Stream: "events", Tenant: id, Sequence: 2, Previous: events.Digest{1}}, some(id)); err != nil {
			t.Fatal(err)
		}
		d := events.DigestOf(c.Block)
		c.Header, c.Digest = h.String(), d[:]
		for _, e := range some(id) {
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			c.Lines += string(line) + "\n"
		}
		v.Blocks = append(v.Blocks, c)
	}
	raw, err := json.Marshal(v, jsontext.WithIndent("  "))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, append(raw, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
