package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math"
	"path/filepath"
	"testing"

	"tributary/internal/clock"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/keys/file"
	"tributary/internal/tenant"
)

func TestDifferentRowsHaveDifferentMACs(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	rows := []struct {
		label  string
		fields []any
	}{
		{"user", nil},
		{"user", []any{""}},
		{"user", []any{"", ""}},
		{"user", []any{"a", "b"}},
		{"user", []any{"ab", ""}},
		{"user", []any{"", "ab"}},
		{"user", []any{"ab"}},
		{"usera", []any{"b"}},
		{"user", []any{[]byte("ab")}},
		{"user", []any{[]byte(nil)}},
		{"user", []any{"a\x00b"}},
		{"user", []any{int64(1)}},
		{"user", []any{int64(-1)}},
		{"user", []any{"1"}},
		{"user", []any{true}},
		{"user", []any{false}},
		{"user", []any{1.0}},
		{"user", []any{0.0}},
		{"user", []any{int64(0)}},
		{"user", []any{math.NaN()}},
		{"user", []any{math.Inf(1)}},
		{"tenant", nil},
	}
	for i, a := range rows {
		mac := ring.MAC(a.label, a.fields...)
		for j, b := range rows {
			err := ring.CheckMAC(mac, b.label, b.fields...)
			if i == j && err != nil {
				t.Errorf("%v: %v, want nil", a, err)
			}
			if i != j {
				wantKind(t, "a row for another", err, fault.Damaged)
			}
		}
		for k := range mac {
			flipped := bytes.Clone(mac)
			flipped[k] ^= 1
			wantKind(t, "a flipped MAC", ring.CheckMAC(flipped, a.label, a.fields...), fault.Damaged)
		}
		wantKind(t, "a short MAC", ring.CheckMAC(mac[:32], a.label, a.fields...), fault.Damaged)
		wantKind(t, "no MAC", ring.CheckMAC(nil, a.label, a.fields...), fault.Damaged)
	}
	other, _ := newRing(t, nil)
	wantKind(t, "another server's", other.CheckMAC(ring.MAC("user"), "user"), fault.Damaged)
}

// What a database gives back must authenticate like what it was given.
func TestFieldsSurviveADatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		in, back any
	}{
		{"a named string", alice, string(alice)},
		{"a named tier", tenant.Basic, "basic"},
		{"int", 7, int64(7)},
		{"nil bytes", []byte(nil), []byte{}},
		{"negative zero", math.Copysign(0, -1), 0.0},
		{"another NaN", math.Float64frombits(0x7ff8000000000123), math.NaN()},
	} {
		if got, want := keys.Canonical("x", c.in), keys.Canonical("x", c.back); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", c.name, got, want)
		}
	}
	for _, bad := range []any{nil, int32(1), []string{"a"}, struct{}{}, &alicePointer} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a field of type %T: got an encoding, want a panic", bad)
				}
			}()
			keys.Canonical("x", bad)
		}()
	}
}

var alicePointer = alice

// Rows outlive versions: the encoding must not change.
func TestCanonicalEncodingIsFixed(t *testing.T) {
	t.Parallel()
	got := hex.EncodeToString(keys.Canonical("kind", "ab", []byte{9}, int64(-2), true, 1.5))
	want := "00000000000000046b696e64" + "7300000000000000026162" + "78000000000000000109" + "69fffffffffffffffe" + "6201" + "663ff8000000000000"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(keys.Canonical("", math.NaN())), "0000000000000000"+"667ff8000000000001"; got != want {
		t.Errorf("NaN: got %s, want %s", got, want)
	}
	ring, _ := newRing(t, func(c *keys.Config) { c.Secrets.MAC = [32]byte{1, 2, 3} })
	// printf of the encoding | openssl dgst -sha256 -mac HMAC -macopt hexkey:0102030000…
	if got, want := hex.EncodeToString(ring.MAC("kind", "ab", []byte{9}, int64(-2), true, 1.5)), "011d80c914dadc2fcfaff9d1dae7fbc12618dae72843e540484114ace6c0e7283a"; got != want {
		t.Errorf("got MAC %s, want %s", got, want)
	}
}

func TestSignaturesVerify(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	sig := ring.Sign([]byte("checkpoint 1"))
	if !ed25519.Verify(ring.PublicKey(), []byte("checkpoint 1"), sig) {
		t.Error("got a signature that does not verify")
	}
	if ed25519.Verify(ring.PublicKey(), []byte("checkpoint 2"), sig) {
		t.Error("got a signature that verifies another message")
	}
}

func TestSecretsAreTheServersOwn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	kek, err := file.Open(filepath.Join(t.TempDir(), "kek"), clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := keys.NewSecrets(ctx, kek, clock.Clock{})
	if err != nil {
		t.Fatal(err)
	}
	one, err := keys.OpenSecrets(ctx, kek, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	two, err := keys.OpenSecrets(ctx, kek, wrapped)
	if err != nil || one != two {
		t.Errorf("got other secrets the second time (%v)", err)
	}
	if one.MAC == one.SigningSeed || one.MAC == [32]byte{} {
		t.Errorf("got secrets %x, want two random ones", one)
	}
	for i := range wrapped {
		flipped := bytes.Clone(wrapped)
		flipped[i] ^= 1
		if got, err := keys.OpenSecrets(ctx, kek, flipped); err == nil || got != (keys.Secrets{}) {
			t.Errorf("byte %d flipped: got %x, %v, want an error", i, got, err)
		}
	}
	other, err := kek.Wrap(ctx, make([]byte, 65), []byte("another meaning"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = keys.OpenSecrets(ctx, kek, other)
	wantKind(t, "something else the KEK wrapped", err, fault.Damaged)
}
