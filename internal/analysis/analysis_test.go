package analysis_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tributary/internal/analysis"
	"tributary/internal/fault"
)

func TestGoldenCase(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		first := b.send(t, 0, read(t, "input-2022-09-23-000001-000001.csv"))
		b.send(t, 1, read(t, "input-2022-09-23-000002-000001.csv"))
		b.turn(t, b.idle(t))
		r := b.run(t, analysis.RunSucceeded)
		for n, name := range []string{"output-2022-09-23-000001-000001.csv", "output-2022-09-23-000002-000001.csv"} {
			if got := b.received(t, n); len(got) != 1 || got[0] != read(t, name) {
				t.Errorf("tenant %d received %q", n+1, got)
			}
		}
		b.receipt(t, r, first.ID)

		// The same once more gives nobody anything new.
		again := b.run(t, analysis.RunSucceeded)
		if again.Release != r.Release || b.releases(t) != 1 || len(b.received(t, 0)) != 1 {
			t.Errorf("again: release %s after %s, %d in all", again.Release, r.Release, b.releases(t))
		}
		// A suspended tenant takes no part.
		_, err := b.Control.UnscopedSuspend(t.Context(), "usr_admin", "tenant-2", "unpaid")
		check(t, err)
		b.run(t, analysis.RunSkipped)
		_, err = b.Control.UnscopedActivate(t.Context(), "usr_admin", "tenant-2")
		check(t, err)
		// Nor does one that declined, and it goes on once it has accepted again.
		b.decide(t, analysis.Declined, 1)
		b.run(t, analysis.RunSkipped)
		b.decide(t, analysis.Accepted, 1)
		b.run(t, analysis.RunSucceeded)
		if b.releases(t) != 1 {
			t.Errorf("%d releases of one snapshot", b.releases(t))
		}
	})
}

// receipt checks manifest and receipt as their reader would.
func (b *bench) receipt(t *testing.T, r analysis.Run, submission string) {
	t.Helper()
	manifest, signature, err := b.UnscopedManifest(t.Context(), r.ID)
	check(t, err)
	if !ed25519.Verify(b.Keys.PublicKey(), manifest, signature) {
		t.Error("the manifest's signature does not verify")
	}
	if ed25519.Verify(b.Keys.PublicKey(), append([]byte(" "), manifest...), signature) {
		t.Error("the signature verifies another manifest")
	}
	var m analysis.Manifest
	check(t, json.Unmarshal(manifest, &m))
	if m.Run != r.ID || m.Release != r.Release || m.Participants != 2 || m.Owners != 2 || !m.Marked || m.Cells != 3 || m.Released != 4 {
		t.Errorf("manifest: %+v", m)
	}
	list, err := b.Receipts(t.Context(), b.scope(t, 0), submission)
	check(t, err)
	if len(list) != 1 {
		t.Fatalf("%d receipts, want 1", len(list))
	}
	c, sum := list[0], sha256.Sum256(manifest)
	if !ed25519.Verify(b.Keys.PublicKey(), c.Body, c.Signature) || !bytes.Equal(c.Manifest, sum[:]) {
		t.Error("the receipt does not verify, or names another manifest")
	}
	file := sha256.Sum256([]byte(read(t, "input-2022-09-23-000001-000001.csv")))
	opened := sha256.Sum256(append(bytes.Clone(c.Salt), file[:]...))
	named := slices.ContainsFunc(m.Inputs, func(i analysis.ManifestInput) bool {
		return i.Submission == submission && i.Commitment == hex.EncodeToString(opened[:])
	})
	if !named || !strings.Contains(string(c.Body), hex.EncodeToString(opened[:])) {
		t.Error("the commitment in manifest or receipt is not that of the tenant's own file")
	}
	if _, err := b.Receipts(t.Context(), b.scope(t, 1), submission); !fault.Is(err, fault.NotFound) {
		t.Errorf("another tenant asks for the receipt: %v", err)
	}
}

func TestTheDefaultRulesReleaseNothingOfTwo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		text, _, _ := strings.Cut(read(t, "analysis.yaml"), "rules:")
		b.apply(t, read(t, "dataset.yaml"), text)
		_, _, err := b.UnscopedApply(t.Context(), "usr_admin", []byte(text+"quorum: 2\n"))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("a quorum below what a cell needs: %v", err)
		}
		b.join(t, "Org 1")
		b.join(t, "Org 2")
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,10"))
		b.send(t, 1, rows(1, "a,b,20"))
		b.turn(t, b.idle(t))
		b.nothing(t, b.run(t, analysis.RunSkipped))
	})
}

func TestARunWithoutACellToReleaseIsWithheld(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		b.decide(t, analysis.Accepted, 0, 1)
		b.send(t, 0, rows(0, "a,b,10"))
		b.send(t, 1, rows(1, "c,d,20"))
		b.turn(t, b.idle(t))
		b.nothing(t, b.run(t, analysis.RunWithheld))
	})
}

// nothing checks that nothing left.
func (b *bench) nothing(t *testing.T, r analysis.Run) {
	t.Helper()
	if r.Release != "" || b.releases(t) != 0 || len(b.received(t, 0))+len(b.received(t, 1)) != 0 {
		t.Errorf("something left: %+v", r)
	}
	if _, _, err := b.UnscopedManifest(t.Context(), r.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("manifest of a run without a release: %v", err)
	}
}

func TestTenantsOfOneOrganisationCountOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply(t, read(t, "dataset.yaml"), read(t, "analysis.yaml"))
		for n, organisation := range []string{"Org", "Org", "Other"} {
			b.join(t, organisation)
			list := []string{"alone,x,10"}
			if n != 1 {
				list = append(list, "both,x,10")
			}
			if n == 2 {
				list = list[1:]
			}
			b.send(t, n, rows(n, list...))
		}
		b.decide(t, analysis.Accepted, 0, 1, 2)
		b.turn(t, b.idle(t))
		b.run(t, analysis.RunSucceeded)
		if got := strings.Join(b.received(t, 0), ""); strings.Contains(got, "alone") || !strings.Contains(got, "both,x,10.0") {
			t.Errorf("received %q: a cell of one organisation's tenants alone must not be in it", got)
		}
	})
}

func TestKeysStayApartAndAnOverflowHidesItsCell(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.golden(t)
		// With four decimals a value of 18 digits at two cannot be written any more.
		b.apply(t, read(t, "dataset.yaml"), strings.Replace(read(t, "analysis.yaml"), "decimals: 1", "decimals: 4", 1))
		b.decide(t, analysis.Accepted, 0, 1)
		const huge = "9999999999999999.99"
		b.send(t, 0, rows(0, "ab,c,1", "a,bc,100", "huge,x,"+huge))
		b.send(t, 1, rows(1, "ab,c,3", "a,bc,300", "huge,x,"+huge))
		b.turn(t, b.idle(t))
		r := b.run(t, analysis.RunSucceeded)
		want := "Date,Tag1,Tag2,Value,YourId,YourValue\n20220923,a,bc,200.0000,000001,100.0000\n20220923,ab,c,2.0000,000001,1.0000\n"
		if got := b.received(t, 0); len(got) != 1 || got[0] != want {
			t.Errorf("received %q, want %q", got, want)
		}
		if !strings.Contains(r.Reason, "overflow 2") {
			t.Errorf("reason: %q", r.Reason)
		}
	})
}
