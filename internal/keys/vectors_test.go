package keys_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
	"tributary/internal/tenant"
)

const vectorsFile = "../../docs/formats/sealed-object-vectors.json"

var update = flag.Bool("update", false, "write new test vectors; only for a new version of the format")

// The vectors' form; bytes are in hexadecimal.
type (
	vectors struct {
		KeyFile    string      `json:"key_file"`
		TenantKeys []tenantKey `json:"tenant_keys"`
		Objects    []vector    `json:"objects"`
		Refused    []vector    `json:"refused"`
		Values     []value     `json:"values"`
	}
	tenantKey struct {
		Tenant  string `json:"tenant"`
		Purpose string `json:"purpose"`
		Wrapped hexed  `json:"wrapped"`
	}
	vector struct {
		Name      string          `json:"name"`
		Tenant    string          `json:"tenant"`
		Purpose   string          `json:"purpose"`
		Object    string          `json:"object"`
		Version   int64           `json:"version"`
		Segments  []vectorSegment `json:"segments,omitempty"`
		Plaintext hexed           `json:"plaintext,omitempty"`
		Sealed    hexed           `json:"sealed"`
	}
	vectorSegment struct {
		FirstChunk  int   `json:"first_chunk"`
		NoncePrefix hexed `json:"nonce_prefix"`
		DataKey     hexed `json:"data_key"`
	}
	value struct {
		Tenant    string `json:"tenant"`
		Purpose   string `json:"purpose"`
		AD        hexed  `json:"associated_data"`
		Plaintext hexed  `json:"plaintext"`
		Sealed    hexed  `json:"sealed"`
	}
	hexed []byte
)

func (h hexed) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexed) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// ring returns a ring over the vectors' key file and tenants' keys.
func (v vectors) ring(t testing.TB, random io.Reader) *keys.Ring {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(path, []byte(v.KeyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	kek, err := file.Load(path, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{wrapped: map[slot][]byte{}}
	for _, k := range v.TenantKeys {
		s.set(tenant.ID(k.Tenant), keys.Purpose(k.Purpose), k.Wrapped)
	}
	ring, err := keys.NewRing(keys.Config{KEK: kek, Store: s, Clock: clock.Clock{Rand: random}, Secrets: keys.Secrets{MAC: [32]byte{1}, SigningSeed: [32]byte{2}}})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// opened returns the tenants' keys as the second decoder finds them.
func (v vectors) opened(t testing.TB) map[string]map[uint32][]byte {
	t.Helper()
	keks, err := decodeKeyFile(v.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[uint32][]byte{}
	for _, k := range v.TenantKeys {
		if found[k.Tenant+k.Purpose], err = decodeTenantKey(keks, k.Tenant, k.Purpose, k.Wrapped); err != nil {
			t.Fatalf("%s key of %s: %v", k.Purpose, k.Tenant, err)
		}
	}
	return found
}

func (o vector) place() (tenant.ID, keys.Purpose, keys.Object) {
	return tenant.ID(o.Tenant), keys.Purpose(o.Purpose), keys.Object{ID: o.Object, Version: o.Version}
}

func TestVectorsOpen(t *testing.T) {
	t.Parallel()
	if *update {
		writeVectors(t)
	}
	v := readVectors(t)
	ring, opened := v.ring(t, nil), v.opened(t)
	for _, o := range v.Objects {
		id, p, name := o.place()
		got, err := unseal(t.Context(), ring, id, p, name, o.Sealed)
		if err != nil || !bytes.Equal(got, o.Plaintext) {
			t.Errorf("%s: got %d bytes, %v, want %d", o.Name, len(got), err, len(o.Plaintext))
		}
		got, err = decodeObject(opened[o.Tenant+o.Purpose], o.Tenant, o.Purpose, o.Object, o.Version, o.Sealed)
		if err != nil || !bytes.Equal(got, o.Plaintext) {
			t.Errorf("%s, second decoder: got %d bytes, %v, want %d", o.Name, len(got), err, len(o.Plaintext))
		}
	}
	for _, o := range v.Refused {
		id, p, name := o.place()
		_, err := unseal(t.Context(), ring, id, p, name, o.Sealed)
		wantKind(t, o.Name, err, fault.Damaged)
		if _, err := decodeObject(opened[o.Tenant+o.Purpose], o.Tenant, o.Purpose, o.Object, o.Version, o.Sealed); err == nil {
			t.Errorf("%s, second decoder: got nil, want an error", o.Name)
		}
	}
	for _, x := range v.Values {
		got, err := ring.Decrypt(t.Context(), tenant.ID(x.Tenant), keys.Purpose(x.Purpose), x.Sealed, x.AD)
		if err != nil || !bytes.Equal(got, x.Plaintext) {
			t.Errorf("value: got %q, %v, want %q", got, err, x.Plaintext)
		}
		got, err = tinkOpen(opened[x.Tenant+x.Purpose], x.Sealed, fields("tributary value 1", x.Tenant, x.Purpose, []byte(x.AD)))
		if err != nil || !bytes.Equal(got, x.Plaintext) {
			t.Errorf("value, second decoder: got %q, %v, want %q", got, err, x.Plaintext)
		}
	}
	if len(v.Objects) < 6 || len(v.Refused) < 4 || len(v.Values) < 1 {
		t.Errorf("got %d, %d and %d vectors, want all", len(v.Objects), len(v.Refused), len(v.Values))
	}
}

// With the vectors' randomness, sealing gives the vectors' bytes. Tink takes the
// nonces of wrapped data keys where it likes, so these come from the vector, once
// they were found to hold the data key under the same associated data.
func TestVectorsAreReproduced(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	for _, o := range v.Objects {
		var random bytes.Buffer
		for _, s := range o.Segments {
			random.Write(s.NoncePrefix)
			random.Write(s.DataKey)
		}
		ring := v.ring(t, &random)
		id, p, name := o.place()
		cuts := takeHeaders(o)
		n := 0
		wrap := func(dataKey, ad []byte) ([]byte, error) {
			wrapped := cuts[n].wrapped
			n++
			got, err := ring.Unwrap(t.Context(), id, p, wrapped, ad)
			if err == nil && !bytes.Equal(got, dataKey) {
				err = fmt.Errorf("vector wraps data key %x, want %x", got, dataKey)
			}
			return wrapped, err
		}
		var out bytes.Buffer
		var at keys.Position
		for i, c := range cuts {
			w, err := ring.WriterAt(t.Context(), id, p, name, &out, c.bits, at, wrap)
			if err != nil {
				t.Fatalf("%s: %v", o.Name, err)
			}
			from, to := o.Segments[i].FirstChunk<<c.bits, len(o.Plaintext)
			last := i == len(cuts)-1
			if !last {
				to = o.Segments[i+1].FirstChunk << c.bits
			}
			part := bytes.Clone(o.Plaintext[from:to])
			if !last {
				part = append(part, 'x')
			}
			if _, err := w.Write(part); err != nil {
				t.Fatalf("%s: %v", o.Name, err)
			}
			if at = w.Position(); last {
				err = w.Close()
			}
			if err != nil {
				t.Fatalf("%s: %v", o.Name, err)
			}
		}
		if !bytes.Equal(out.Bytes(), o.Sealed) {
			t.Errorf("%s: got %x, want %x", o.Name, out.Bytes(), o.Sealed)
		}
	}
}

type vectorHeader struct {
	bits    uint8
	wrapped []byte
}

// takeHeaders finds the headers of a vector, whose segments are known.
func takeHeaders(o vector) []vectorHeader {
	var list []vectorHeader
	for i, s := range o.Segments {
		bits := o.Sealed[14]
		off := i*keys.HeaderSize + s.FirstChunk*(1<<bits+keys.TagSize)
		list = append(list, vectorHeader{bits, o.Sealed[off+31:][:keys.WrapSize]})
	}
	return list
}

// recorder is randomness that remembers what it gave.
type recorder struct {
	from  io.Reader
	given [][]byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.given = append(r.given, bytes.Clone(p[:n]))
	return n, err
}

func writeVectors(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek")
	if _, err := file.Open(path, clock.Clock{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{KeyFile: string(text)}
	maker := v.ring(t, nil)
	for _, id := range []tenant.ID{alice, bob} {
		for _, p := range []keys.Purpose{keys.Vault, keys.Pool} {
			wrapped, err := maker.Generate(t.Context(), id, p)
			if err != nil {
				t.Fatal(err)
			}
			v.TenantKeys = append(v.TenantKeys, tenantKey{string(id), string(p), wrapped})
		}
	}
	random := &recorder{from: clockRandom{}}
	ring := v.ring(t, random)
	add := func(name string, id tenant.ID, p keys.Purpose, o keys.Object, bits uint8, size int, cuts ...int) {
		plain := make([]byte, size)
		for i := range plain {
			plain[i] = byte(i % 251)
		}
		random.given = nil
		sealed := seal(t, ring, id, p, o, bits, plain, cuts...)
		x := vector{Name: name, Tenant: string(id), Purpose: string(p), Object: o.ID, Version: o.Version, Plaintext: plain, Sealed: sealed}
		for i, first := range append([]int{0}, cuts...) {
			x.Segments = append(x.Segments, vectorSegment{first, random.given[2*i], random.given[2*i+1]})
		}
		v.Objects = append(v.Objects, x)
	}
	other := keys.Object{ID: "obj_2", Version: -3}
	add("empty", alice, keys.Vault, thing, 16, 0)
	add("one chunk of 64 KiB that is not full", alice, keys.Vault, thing, 16, 300)
	add("one full chunk", alice, keys.Vault, thing, 10, 1024)
	add("two chunks", alice, keys.Pool, thing, 10, 1025)
	add("another tenant, object and version", bob, keys.Vault, other, 10, 1025)
	add("two segments", alice, keys.Vault, thing, 10, 1500, 1)
	add("three segments, nothing in the last", alice, keys.Vault, thing, 10, 2048, 1, 2)
	two := v.Objects[3]
	bad := func(name string, change func(x *vector)) {
		x := two
		x.Name, x.Sealed = name, bytes.Clone(two.Sealed)
		x.Plaintext, x.Segments = nil, nil
		change(&x)
		v.Refused = append(v.Refused, x)
	}
	bad("a flipped bit in the first chunk", func(x *vector) { x.Sealed[200] ^= 1 })
	bad("a flipped bit in the commitment", func(x *vector) { x.Sealed[100] ^= 1 })
	bad("the last chunk left out", func(x *vector) { x.Sealed = append(x.Sealed[:128+1024+16], 0, 0, 0, 1) })
	bad("under another version", func(x *vector) { x.Version++ })
	bad("under another tenant", func(x *vector) { x.Tenant = string(bob) })
	bad("under another purpose", func(x *vector) { x.Purpose = string(keys.Vault) })
	sealed, err := ring.Encrypt(t.Context(), alice, keys.Pool, []byte("sales.csv"), []byte("name of sub_1"))
	if err != nil {
		t.Fatal(err)
	}
	v.Values = []value{{string(alice), string(keys.Pool), []byte("name of sub_1"), []byte("sales.csv"), sealed}}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

type clockRandom struct{}

func (clockRandom) Read(p []byte) (int, error) { return copy(p, clock.Clock{}.Bytes(len(p))), nil }
