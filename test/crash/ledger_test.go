package crash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"tributary/client"
	"tributary/test/servertest"
)

// ledger is what clients were told, which therefore has to be there ever after.
type ledger struct {
	mu        sync.Mutex
	files     map[string]file                // by submission
	verdicts  map[string]client.Submission   // by submission
	releases  map[string]string              // by run
	results   map[string]delivered           // by result
	made      map[string]key                 // by API key
	events    map[string]*servertest.Party   // who sent it, by event
	erased    map[string]*servertest.Party   // erasures that were acknowledged
	entries   map[string]map[int64][]byte    // of the audit log: hashes by chain and number
	pins      map[int64][]byte               // hashes of checkpoints by number
	unchecked []func(*world) (problem error) // of what was told since the last power cut
}

type file struct {
	party *servertest.Party
	date  string
	sum   [32]byte
	good  bool // nothing is wrong with it
}

type delivered struct {
	party *servertest.Party
	sum   [32]byte
}

type key struct {
	secret  string
	revoked bool
}

func newLedger() *ledger {
	return &ledger{files: map[string]file{}, verdicts: map[string]client.Submission{}, releases: map[string]string{}, results: map[string]delivered{},
		made: map[string]key{}, events: map[string]*servertest.Party{}, erased: map[string]*servertest.Party{}, entries: map[string]map[int64][]byte{}, pins: map[int64][]byte{}}
}

// told writes something down, and how to see whether it is still so.
func (l *ledger) told(note func(), check func(*world) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note()
	if check != nil {
		l.unchecked = append(l.unchecked, check)
	}
}

func (l *ledger) size() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := 0
	for _, chain := range l.entries {
		entries += len(chain)
	}
	return fmt.Sprintf("%d files, %d verdicts, %d releases, %d results, %d keys, %d events, %d audit entries, %d checkpoints",
		len(l.files), len(l.verdicts), len(l.releases), len(l.results), len(l.made), len(l.events), entries, len(l.pins))
}

func (w *world) toldFile(p *servertest.Party, sent client.Submission, date, text string) {
	f := file{p, date, sha256.Sum256([]byte(text)), !strings.Contains(text, bad)}
	w.told(func() { w.files[sent.ID] = f }, func(w *world) error { return w.checkFile(sent.ID, f) })
}

func (w *world) checkFile(id string, f file) error {
	got, err := f.party.Submission(w.ctx, id)
	if err != nil {
		return fmt.Errorf("acknowledged submission %s: got %w, want it there", id, err)
	}
	if want := hex.EncodeToString(f.sum[:]); got.SHA256 != want || got.Date != f.date {
		return fmt.Errorf("acknowledged submission %s: got %s of %s, want %s of %s", id, got.SHA256, got.Date, want, f.date)
	}
	var content bytes.Buffer
	if _, err := f.party.SubmissionContent(w.ctx, id, &content, nil); err != nil {
		return fmt.Errorf("download of acknowledged submission %s: %w", id, err)
	}
	if got := sha256.Sum256(content.Bytes()); got != f.sum {
		return fmt.Errorf("download of acknowledged submission %s: got SHA-256 %x, want %x", id, got, f.sum)
	}
	entries, err := w.server.As(w.server.Token).AuditEntries(w.ctx, client.AuditFilter{Subject: id, Verb: "submission.receive"})
	if err != nil || len(entries.Items) != 1 {
		return fmt.Errorf("audit entries of acknowledged submission %s: got %+v, %w, want one", id, entries.Items, err)
	}
	return nil
}

func (w *world) toldVerdict(p *servertest.Party, v client.Submission) {
	w.told(func() { w.verdicts[v.ID] = v }, func(w *world) error {
		got, err := p.Submission(w.ctx, v.ID)
		same := err == nil && (got.State == v.State || v.State == "accepted" && got.State == "superseded") && len(got.Problems) == len(v.Problems)
		if !same {
			return fmt.Errorf("verdict on %s: got %s with %d problems, %w, want %s with %d", v.ID, got.State, len(got.Problems), err, v.State, len(v.Problems))
		}
		return nil
	})
}

func (w *world) toldRelease(run client.Run) {
	w.told(func() { w.releases[run.ID] = run.Release }, func(w *world) error {
		got, err := w.server.As(w.server.Token).Run(w.ctx, run.ID)
		if err != nil || got.State != "succeeded" || got.Release != run.Release {
			return fmt.Errorf("run %s, which had succeeded with %s: got %s with %q, %w", run.ID, run.Release, got.State, got.Release, err)
		}
		return nil
	})
}

func (w *world) toldResult(p *servertest.Party, id string, content []byte) {
	d := delivered{p, sha256.Sum256(content)}
	w.told(func() { w.results[id] = d }, func(w *world) error {
		var content bytes.Buffer
		if _, err := p.ResultContent(w.ctx, id, "csv", &content, nil); err != nil {
			return fmt.Errorf("result %s, which was downloaded before: %w", id, err)
		}
		if got := sha256.Sum256(content.Bytes()); got != d.sum {
			return fmt.Errorf("result %s, which was downloaded before: got SHA-256 %x, want %x", id, got, d.sum)
		}
		return nil
	})
}

func (w *world) toldKey(id string, k key) {
	w.told(func() { w.made[id] = k }, func(w *world) error {
		w.mu.Lock()
		revoked := w.made[id].revoked || w.revoking[id]
		w.mu.Unlock()
		_, err := w.server.As(k.secret).Me(w.ctx)
		if k.revoked && !client.Is(err, client.Unauthenticated) {
			return fmt.Errorf("revoked key %s: got %w, want it unknown", id, err)
		}
		if !revoked && err != nil {
			return fmt.Errorf("key %s: got %w, want it to work", id, err)
		}
		return nil
	})
}

func (w *world) toldEntries(records []client.AuditRecord) {
	for _, r := range records {
		w.told(func() {
			if w.entries[r.Tenant] == nil {
				w.entries[r.Tenant] = map[int64][]byte{}
			}
			w.entries[r.Tenant][r.Seq] = r.Hash
		}, nil)
	}
}

// checkAudit verifies a chain and compares it with what was seen of it before.
func (w *world) checkAudit(p *servertest.Party) error {
	c, chain := w.server.As(w.server.Token), ""
	if p != nil {
		c, chain = p.Client, p.ID
	}
	w.mu.Lock()
	var pins []client.Pin
	for seq, hash := range w.pins {
		pins = append(pins, client.Pin{Seq: seq, Hash: hash})
	}
	seen := maps.Clone(w.entries[chain])
	w.mu.Unlock()
	report, err := c.VerifyAudit(w.ctx, client.VerifyOptions{Pins: pins})
	if err != nil || len(report.Findings) != 0 {
		return fmt.Errorf("audit chain %q: got %+v, %w, want nothing found", chain, report.Findings, err)
	}
	for after := int64(0); ; {
		page, err := c.AuditRecords(w.ctx, "", after, 5000)
		if err != nil {
			return fmt.Errorf("audit chain %q: %w", chain, err)
		}
		if len(page.Items) == 0 {
			break
		}
		for _, r := range page.Items {
			if want, ok := seen[r.Seq]; ok && !bytes.Equal(r.Hash, want) {
				return fmt.Errorf("audit entry %d of %q: got hash %x, want %x, which a client has seen", r.Seq, chain, r.Hash, want)
			}
			delete(seen, r.Seq)
		}
		after = page.Items[len(page.Items)-1].Seq
	}
	if len(seen) > 0 {
		return fmt.Errorf("audit chain %q: entries %v are gone, which a client has seen", chain, slices.Sorted(maps.Keys(seen)))
	}
	if last := report.Last; last != nil {
		w.told(func() { w.pins[last.Seq] = last.Hash }, nil)
	}
	return nil
}
