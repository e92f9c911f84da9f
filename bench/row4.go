package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"tributary/client"
)

const (
	uploadFloor = 0.6 // of net/http to a file, with SHA-256 and fsync
	uploadBytes = 512 << 20
)

// uploads sends a large file by the web protocol, in one request after the one that
// creates the upload, and to a handler that does the least that could be called safe.
func (b *bench) uploads(ctx context.Context) error {
	size := int64(uploadBytes)
	if b.quick {
		size /= 10
	}
	s, err := b.newStore(ctx, "uploads")
	if err != nil {
		return err
	}
	p, err := b.start(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = p.kill() }() // if it is still there
	sender, key, err := b.sender(ctx, p, s.token)
	if err != nil {
		return err
	}
	limit, end, err := b.plainUploads(ctx)
	if err != nil {
		return err
	}
	defer end()
	b.printf("product: tus, POST that creates the upload and PATCH with all of it, to the answer that it is submitted: hashed, sealed, synced, one transaction each\n")
	b.printf("limit:   net/http in this process, PUT to a file with SHA-256, fsync before the answer, unsealed; both: %d MiB from memory over loopback\n", size>>20)
	var ratios, work []float64
	var ours, theirs []time.Duration
	for round := range b.rounds + 1 {
		cpu, err := p.cpu()
		if err != nil {
			return err
		}
		wall, submission, err := tusOnce(ctx, p.url, key, round, size)
		if err != nil {
			return err
		}
		after, err := p.cpu()
		if err != nil {
			return err
		}
		if _, err := sender.WaitSubmission(ctx, submission); err != nil { // its validation must not run beside the limit
			return err
		}
		if _, err := sender.DeleteSubmission(ctx, submission); err != nil {
			return err
		}
		least, err := putOnce(ctx, limit, size)
		if err != nil {
			return err
		}
		if round == 0 {
			b.printf("warm-up: upload %s, limit %s\n", millis(wall), millis(least))
			continue
		}
		ratios, ours, theirs = append(ratios, least.Seconds()/wall.Seconds()), append(ours, wall), append(theirs, least)
		work = append(work, (after - cpu).Seconds())
		b.printf("round %d: upload %s (%.0f MB/s), server's CPU %s; limit %s (%.0f MB/s); ratio %.3f; load average %s\n", round, millis(wall), rate(size, wall), millis(after-cpu),
			millis(least), rate(size, least), ratios[len(ratios)-1], loadAverage())
	}
	peak, err := p.memory("VmHWM")
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	b.printf("upload %s; limit %s; server's CPU seconds %s; its peak memory %.1f MB\n", spreadOf(ours), spreadOf(theirs), spreadOf(work), mega(peak))
	ratio := spreadOf(ratios)
	b.floor(ratio.median >= uploadFloor, "limit/upload over %d rounds %s; floor %.1f", len(ratios), ratio, uploadFloor)
	return nil
}

func base(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func rate(size int64, d time.Duration) float64 { return float64(size) / 1e6 / d.Seconds() }

// sender makes a tenant that sends.
func (b *bench) sender(ctx context.Context, p *server, token string) (*client.Client, string, error) {
	admin, err := p.client(token)
	if err != nil {
		return nil, "", err
	}
	if _, err := admin.ApplyDataset(ctx, []byte(dataset)); err != nil {
		return nil, "", err
	}
	if _, err := admin.CreateTenant(ctx, client.NewTenant{Slug: "sender", Name: "Sender", Organisation: "Sender", ExternalIDs: []string{externalID(0)}}); err != nil {
		return nil, "", err
	}
	k, err := admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: "sender", Role: "tenant_admin", Name: "bench"})
	if err != nil {
		return nil, "", err
	}
	c, err := p.client(k.Key)
	return c, k.Key, err
}

// block is what files are made of, over and over: bytes that no parser takes for long.
var block = sync.OnceValue(func() []byte {
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // data must be the same each time
	raw := make([]byte, 1<<20)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return raw
})

// sameAgain reads the block over and over.
type sameAgain struct{ at int }

func (s *sameAgain) Read(p []byte) (int, error) {
	all := block()
	n := copy(p, all[s.at:])
	s.at = (s.at + n) % len(all)
	return n, nil
}

func sized(size int64) io.Reader { return io.LimitReader(&sameAgain{}, size) }

// tusOnce sends a file and returns how long it took and what it became.
func tusOnce(ctx context.Context, url, key string, round int, size int64) (time.Duration, string, error) {
	began := time.Now()
	ask := func(method, target string, body io.Reader, length int64, want int, header ...string) (http.Header, error) {
		r, err := http.NewRequestWithContext(ctx, method, target, body)
		if err != nil {
			return nil, err
		}
		r.ContentLength = length
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Tus-Resumable", "1.0.0")
		for n := 0; n+1 < len(header); n += 2 {
			r.Header.Set(header[n], header[n+1])
		}
		return answered(r, want)
	}
	said := fmt.Sprintf("filename %s,dataset %s,date %s", base(fmt.Sprintf("large-%d.bin", round)), base("bench-values"), base(runDate))
	made, err := ask(http.MethodPost, url+"/api/v1/uploads", nil, 0, http.StatusCreated, "Upload-Length", strconv.FormatInt(size, 10), "Upload-Metadata", said)
	if err != nil {
		return 0, "", err
	}
	sent, err := ask(http.MethodPatch, url+made.Get("Location"), sized(size), size, http.StatusNoContent, "Content-Type", "application/offset+octet-stream", "Upload-Offset", "0")
	if err != nil {
		return 0, "", err
	}
	return time.Since(began), sent.Get("Tributary-Submission"), nil
}

func putOnce(ctx context.Context, url string, size int64) (time.Duration, error) {
	began := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, url, sized(size))
	if err != nil {
		return 0, err
	}
	r.ContentLength = size
	_, err = answered(r, http.StatusNoContent)
	return time.Since(began), err
}

func answered(r *http.Request, want int) (http.Header, error) {
	res, err := (&http.Client{Timeout: 5 * time.Minute}).Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("%s %s: %s %s", r.Method, r.URL.Path, res.Status, said)
	}
	return res.Header, err
}

// plainUploads serves the limit on a free port: bytes to a file, hashed, and synced
// before the answer.
func (b *bench) plainUploads(ctx context.Context) (url string, end func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := b.keepPlain(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = server.Serve(listener) }() // until it is closed
	return "http://" + listener.Addr().String() + "/file", func() { _ = server.Close() }, nil
}

func (b *bench) keepPlain(body io.Reader) error {
	f, err := os.CreateTemp(b.dir, "plain-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // and all of the folder, at the end
	h := sha256.New()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, h)}, body, make([]byte, 256<<10))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, "plain.sha256"), h.Sum(nil), 0o600)
}
