package keys_test

import (
	"bytes"
	"io"
	"testing"

	"tributary/internal/fault"
	"tributary/internal/keys"
)

func TestOwnValuesAreBound(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	other, _ := newRing(t, func(c *keys.Config) { c.Secrets.MAC[0] ^= 1 })
	data, ad := []byte("what the provider's people were answered"), []byte("answer 1")
	sealed, err := ring.EncryptOwn(data, ad)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ring.EncryptOwn(data, ad)
	if err != nil || bytes.Equal(sealed, again) || bytes.Contains(sealed, data[:8]) {
		t.Errorf("sealed: got %x and %x, %v, want two that differ and say nothing", sealed, again, err)
	}
	if got, err := ring.DecryptOwn(sealed, ad); err != nil || !bytes.Equal(got, data) {
		t.Errorf("opened: got %q, %v, want %q", got, err, data)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := ring.DecryptOwn(changed, ad)
		wantKind(t, "a changed byte", err, fault.Damaged)
	}
	for i := range sealed {
		_, err := ring.DecryptOwn(sealed[:i], ad)
		wantKind(t, "a cut value", err, fault.Damaged)
	}
	_, err = ring.DecryptOwn(sealed, []byte("answer 2"))
	wantKind(t, "another place", err, fault.Damaged)
	_, err = other.DecryptOwn(sealed, ad)
	wantKind(t, "another server", err, fault.Damaged)
}

func TestOwnObjectsAreBound(t *testing.T) {
	t.Parallel()
	ring, _ := newRing(t, nil)
	other, _ := newRing(t, func(c *keys.Config) { c.Secrets.MAC[0] ^= 1 })
	o, data := keys.Object{ID: "arc_1", Version: 1}, bytes.Repeat([]byte("what happened "), 10_000)
	var sealed bytes.Buffer
	w, err := ring.NewOwnWriter(o, &sealed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	open := func(ring *keys.Ring, o keys.Object, sealed []byte) ([]byte, error) {
		r, err := ring.NewOwnReader(o, bytes.NewReader(sealed), int64(len(sealed)))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	if got, err := open(ring, o, sealed.Bytes()); err != nil || !bytes.Equal(got, data) {
		t.Errorf("opened %d bytes, %v, want %d", len(got), err, len(data))
	}
	for at := 0; at < sealed.Len(); at += 97 {
		changed := bytes.Clone(sealed.Bytes())
		changed[at] ^= 1
		_, err := open(ring, o, changed)
		wantKind(t, "a changed byte", err, fault.Damaged)
	}
	_, err = open(ring, keys.Object{ID: "arc_2", Version: 1}, sealed.Bytes())
	wantKind(t, "another object", err, fault.Damaged)
	_, err = open(other, o, sealed.Bytes())
	wantKind(t, "another server", err, fault.Damaged)
}
