package keys_test

import (
	"bytes"
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
	"tributary/internal/tenant"
)

// Two tenants of every test.
const (
	alice = tenant.ID("ten_0000000000000000000000000a")
	bob   = tenant.ID("ten_0000000000000000000000000b")
)

type slot struct {
	id tenant.ID
	p  keys.Purpose
}

// shelf is a keys.Store in memory.
type shelf struct {
	mu      sync.Mutex
	wrapped map[slot][]byte
	asked   int
	reading func() // called while a key is being read
}

func (s *shelf) WrappedKey(_ context.Context, id tenant.ID, p keys.Purpose) ([]byte, error) {
	s.mu.Lock()
	s.asked++
	w, reading := s.wrapped[slot{id, p}], s.reading
	s.mu.Unlock()
	if reading != nil {
		reading()
	}
	if w == nil {
		return nil, fault.New(fault.NotFound, "There is no such key.")
	}
	return w, nil
}

func (s *shelf) set(id tenant.ID, p keys.Purpose, wrapped []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrapped[slot{id, p}] = wrapped
}

// newRing returns a ring over a key file of its own, with both keys of both
// tenants.
func newRing(t testing.TB, change func(*keys.Config)) (*keys.Ring, *shelf) {
	t.Helper()
	kek, err := file.Open(filepath.Join(t.TempDir(), "keys", "kek"), clock.Clock{})
	if err != nil {
		t.Fatalf("open key file: %v", err)
	}
	wrapped, err := keys.NewSecrets(t.Context(), kek, clock.Clock{})
	if err != nil {
		t.Fatalf("make secrets: %v", err)
	}
	secrets, err := keys.OpenSecrets(t.Context(), kek, wrapped)
	if err != nil {
		t.Fatalf("open secrets: %v", err)
	}
	s := &shelf{wrapped: map[slot][]byte{}}
	cfg := keys.Config{KEK: kek, Store: s, Secrets: secrets}
	if change != nil {
		change(&cfg)
	}
	ring, err := keys.NewRing(cfg)
	if err != nil {
		t.Fatalf("make ring: %v", err)
	}
	for _, id := range []tenant.ID{alice, bob} {
		generate(t, ring, s, id)
	}
	return ring, s
}

func generate(t testing.TB, ring *keys.Ring, s *shelf, id tenant.ID) {
	t.Helper()
	for _, p := range []keys.Purpose{keys.Vault, keys.Pool} {
		wrapped, err := ring.Generate(t.Context(), id, p)
		if err != nil {
			t.Fatalf("generate %s key of %s: %v", p, id, err)
		}
		s.set(id, p, wrapped)
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != want {
		t.Errorf("%s: got kind %q (%v), want %q", what, got, err, want)
	}
}

func TestValuesAreBound(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	ctx := t.Context()
	sealed, err := ring.Encrypt(ctx, alice, keys.Pool, []byte("sales.csv"), []byte("name of sub_1"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ring.Encrypt(ctx, alice, keys.Pool, []byte("sales.csv"), []byte("name of sub_1"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(sealed, again) || bytes.Contains(sealed, []byte("sales")) {
		t.Errorf("got %x and %x for one value, want different bytes without it", sealed, again)
	}
	plain, err := ring.Decrypt(ctx, alice, keys.Pool, sealed, []byte("name of sub_1"))
	if err != nil || string(plain) != "sales.csv" {
		t.Errorf("got %q, %v, want the value back", plain, err)
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for _, c := range []struct {
		name   string
		id     tenant.ID
		p      keys.Purpose
		sealed []byte
		ad     string
	}{
		{"another tenant", bob, keys.Pool, sealed, "name of sub_1"},
		{"another purpose", alice, keys.Vault, sealed, "name of sub_1"},
		{"another row", alice, keys.Pool, sealed, "name of sub_2"},
		{"a flipped bit", alice, keys.Pool, flipped, "name of sub_1"},
		{"a short value", alice, keys.Pool, sealed[:20], "name of sub_1"},
		{"nothing", alice, keys.Pool, nil, "name of sub_1"},
	} {
		got, err := ring.Decrypt(ctx, c.id, c.p, c.sealed, []byte(c.ad))
		if got != nil {
			t.Errorf("%s: got %q, want nothing", c.name, got)
		}
		wantKind(t, c.name, err, fault.Damaged)
	}
	_, err = ring.Encrypt(ctx, alice, keys.Pool, make([]byte, keys.MaxValue+1), nil)
	wantKind(t, "a large value", err, fault.TooLarge)
	_, err = ring.Encrypt(ctx, "", keys.Pool, nil, nil)
	wantKind(t, "no tenant", err, fault.Internal)
	_, err = ring.Encrypt(ctx, alice, "other", nil, nil)
	wantKind(t, "no purpose", err, fault.Internal)
}

// A wrapped key that an operator moves to another row must not open there.
func TestWrappedKeysStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	ring, s := newRing(t, nil)
	mine := s.wrapped[slot{alice, keys.Vault}]
	flipped := bytes.Clone(mine)
	flipped[len(flipped)/2] ^= 1
	for _, c := range []struct {
		name    string
		wrapped []byte
		want    fault.Kind
	}{
		{"another tenant's", s.wrapped[slot{bob, keys.Vault}], fault.Damaged},
		{"another purpose's", s.wrapped[slot{alice, keys.Pool}], fault.Damaged},
		{"flipped", flipped, fault.Damaged},
		{"cut", mine[:len(mine)-1], fault.Damaged},
		{"not one", []byte("nonsense"), fault.Damaged},
		{"empty", []byte{}, fault.Damaged},
		{"destroyed", nil, fault.NotFound},
	} {
		s.set(alice, keys.Vault, c.wrapped)
		_, err := ring.Encrypt(t.Context(), alice, keys.Vault, nil, nil)
		wantKind(t, c.name, err, c.want)
	}
	s.set(alice, keys.Vault, mine)
	if _, err := ring.Encrypt(t.Context(), alice, keys.Vault, nil, nil); err != nil {
		t.Errorf("its own: %v", err)
	}
}

// brokenKEK is a key management service that does not answer.
type brokenKEK struct{ keys.KEK }

func (brokenKEK) Wrap(context.Context, []byte, []byte) ([]byte, error) {
	return nil, fault.New(fault.Unavailable, "It does not answer.")
}

func (brokenKEK) Unwrap(context.Context, []byte, []byte) ([]byte, error) {
	return nil, fault.New(fault.Unavailable, "It does not answer.")
}

func TestErrorsOfTheKEKKeepTheirKind(t *testing.T) {
	t.Parallel()
	good, s := newRing(t, nil)
	ring, err := keys.NewRing(keys.Config{KEK: brokenKEK{}, Store: s, Secrets: keys.Secrets{MAC: [32]byte{1}, SigningSeed: [32]byte{1}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = ring.Generate(t.Context(), alice, keys.Vault)
	wantKind(t, "generate", err, fault.Unavailable)
	_, err = ring.Encrypt(t.Context(), alice, keys.Vault, nil, nil)
	wantKind(t, "encrypt", err, fault.Unavailable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = good.Encrypt(ctx, alice, keys.Vault, nil, nil)
	wantKind(t, "cancelled", err, fault.Cancelled)
}

func TestRingNeedsItsParts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]keys.Config{
		"nothing":    {},
		"no secrets": {KEK: brokenKEK{}, Store: &shelf{}},
		"no seed":    {KEK: brokenKEK{}, Store: &shelf{}, Secrets: keys.Secrets{MAC: [32]byte{1}}},
		"no store":   {KEK: brokenKEK{}, Secrets: keys.Secrets{MAC: [32]byte{1}, SigningSeed: [32]byte{1}}},
	} {
		if _, err := keys.NewRing(c); err == nil {
			t.Errorf("%s: got a ring, want an error", name)
		}
	}
}

func TestForgottenKeysAreAskedForAgain(t *testing.T) {
	t.Parallel()
	ring, s := newRing(t, nil)
	use := func() error {
		_, err := ring.Encrypt(t.Context(), alice, keys.Vault, nil, nil)
		return err
	}
	for range 3 {
		if err := use(); err != nil {
			t.Fatal(err)
		}
	}
	if s.asked != 1 {
		t.Errorf("got %d look-ups for three uses, want 1", s.asked)
	}
	s.set(alice, keys.Vault, nil)
	ring.Forget(alice)
	wantKind(t, "destroyed and forgotten", use(), fault.NotFound)
}

// A key that was read before it was destroyed, and arrives after it was forgotten,
// must not be kept.
func TestForgetBeatsAReadUnderWay(t *testing.T) {
	t.Parallel()
	ring, s := newRing(t, nil)
	s.reading = func() {
		s.set(alice, keys.Vault, nil)
		ring.Forget(alice)
	}
	if _, err := ring.Encrypt(t.Context(), alice, keys.Vault, nil, nil); err != nil {
		t.Fatal(err)
	}
	_, err := ring.Encrypt(t.Context(), alice, keys.Vault, nil, nil)
	wantKind(t, "the next use", err, fault.NotFound)
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	ring, s := newRing(t, func(c *keys.Config) { c.CachedTenants = 3 })
	var c clock.Clock
	ids := []tenant.ID{alice}
	for range 9 {
		id := tenant.ID(c.ID("ten"))
		generate(t, ring, s, id)
		ids = append(ids, id)
	}
	use := func(id tenant.ID, p keys.Purpose) {
		t.Helper()
		if _, err := ring.Encrypt(t.Context(), id, p, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		use(id, keys.Vault)
		use(id, keys.Pool)
		use(alice, keys.Vault)
	}
	if got := ring.Cached(); got != 3 {
		t.Errorf("got %d tenants cached, want 3", got)
	}
	before := s.asked
	use(alice, keys.Vault)
	use(alice, keys.Pool)
	if s.asked != before {
		t.Errorf("got %d look-ups for the tenant used most, want none", s.asked-before)
	}
	use(ids[1], keys.Vault)
	if s.asked != before+1 {
		t.Errorf("got %d look-ups for the tenant used first, want 1", s.asked-before)
	}
}

// The documented cost of a cached tenant holds.
//
//nolint:paralleltest // it measures the memory of the process
func TestCachedTenantsAreSmall(t *testing.T) {
	const n = 500
	ring, s := newRing(t, nil)
	var c clock.Clock
	ids := make([]tenant.ID, n)
	for i := range ids {
		ids[i] = tenant.ID(c.ID("ten"))
		generate(t, ring, s, ids[i])
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for _, id := range ids {
		for _, p := range []keys.Purpose{keys.Vault, keys.Pool} {
			if _, err := ring.Encrypt(t.Context(), id, p, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	each := (int64(heap()) - int64(before)) / n
	t.Logf("a cached tenant takes %d bytes", each)
	if each > 4<<10 {
		t.Errorf("got %d bytes for a cached tenant, want at most 4 KiB", each)
	}
	runtime.KeepAlive(ring)
}

func TestRingIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, func(c *keys.Config) { c.CachedTenants = 1 })
	var wg sync.WaitGroup
	for i := range 8 {
		id := []tenant.ID{alice, bob}[i%2]
		wg.Go(func() {
			for range 50 {
				sealed, err := ring.Encrypt(t.Context(), id, keys.Vault, []byte("x"), nil)
				if err == nil {
					_, err = ring.Decrypt(t.Context(), id, keys.Vault, sealed, nil)
				}
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
				ring.Forget(id)
			}
		})
	}
	wg.Wait()
}
