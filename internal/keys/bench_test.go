package keys_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"tributary/internal/keys"
)

// benchSize is large enough to leave the processor's caches.
const benchSize = 64 << 20

// BenchmarkChunkSize is what chunkBits was chosen by: sealing, opening in
// sequence, from memory and from a file, and small reads at random places, for each chunk size, beside bare
// AES-256-GCM over the same bytes in pieces of 1 MiB.
func BenchmarkChunkSize(b *testing.B) {
	ring, _ := newRing(b, nil)
	plain := noise(benchSize)
	bare(b, plain)
	for bits := uint8(12); bits <= 20; bits += 2 {
		sealed := seal(b, ring, alice, keys.Vault, thing, bits, plain)
		b.Run(fmt.Sprintf("seal/%dKiB", 1<<bits>>10), func(b *testing.B) {
			b.SetBytes(benchSize)
			for b.Loop() {
				w, err := ring.WriterAt(b.Context(), alice, keys.Vault, thing, io.Discard, bits, keys.Position{}, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(plain)}); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("open/%dKiB", 1<<bits>>10), func(b *testing.B) {
			b.SetBytes(benchSize)
			for b.Loop() {
				r, err := ring.NewReader(b.Context(), alice, keys.Vault, thing, bytes.NewReader(sealed), int64(len(sealed)))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("file/%dKiB", 1<<bits>>10), func(b *testing.B) {
			name := filepath.Join(b.TempDir(), "sealed")
			if err := os.WriteFile(name, sealed, 0o600); err != nil {
				b.Fatal(err)
			}
			f, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			b.SetBytes(benchSize)
			for b.Loop() {
				r, err := ring.NewReader(b.Context(), alice, keys.Vault, thing, f, int64(len(sealed)))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("range4KiB/%dKiB", 1<<bits>>10), func(b *testing.B) {
			r, err := ring.NewReader(b.Context(), alice, keys.Vault, thing, bytes.NewReader(sealed), int64(len(sealed)))
			if err != nil {
				b.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 2))
			p := make([]byte, 4096)
			for b.Loop() {
				if _, err := r.ReadAt(p, random.Int64N(benchSize-4096)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func bare(b *testing.B, plain []byte) {
	b.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	const piece = 1 << 20
	nonce := make([]byte, 12)
	out := make([]byte, 0, piece+16)
	b.Run("seal/bare", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			for off := 0; off < benchSize; off += piece {
				gcm.Seal(out, nonce, plain[off:off+piece], nil)
			}
		}
	})
	sealed := gcm.Seal(nil, nonce, plain[:piece], nil)
	b.Run("open/bare", func(b *testing.B) {
		b.SetBytes(benchSize)
		for b.Loop() {
			for range benchSize / piece {
				if _, err := gcm.Open(out, nonce, sealed, nil); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkSmallObject seals and opens 1 KB, as results and accepted forms of
// small tenants are.
func BenchmarkSmallObject(b *testing.B) {
	ring, _ := newRing(b, nil)
	plain := noise(1000)
	sealed := seal(b, ring, alice, keys.Vault, thing, keys.ChunkBits, plain)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w, err := ring.NewWriter(b.Context(), alice, keys.Vault, thing, io.Discard)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := w.Write(plain); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ring.NewReader(b.Context(), alice, keys.Vault, thing, bytes.NewReader(sealed), int64(len(sealed))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMAC authenticates a row of eight fields.
func BenchmarkMAC(b *testing.B) {
	ring, _ := newRing(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		ring.MAC("user", "usr_00000000000000000000000000", string(alice), "tenant_admin", int64(1), int64(2), true, []byte("digest"), "")
	}
}
