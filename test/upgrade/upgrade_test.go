package upgrade

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tributary/client"
	"tributary/internal/meta/metatest"
	"tributary/test/servertest"
)

// TestUpgrade starts the program on what each released version left behind: it
// migrates, everything is as it was, everybody gets in, and work goes on.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	archives := must(filepath.Glob("testdata/*.tar.gz"))(t)
	if len(archives) < len(databases) {
		t.Fatalf("got %d fixtures, want one for each database at least", len(archives))
	}
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), func(t *testing.T) {
			t.Parallel()
			s, f := left(t, archive)
			s.Start()
			f.leaves(s) // first, as its grace may be over
			f.people(s)
			f.kept(s)
			f.works(s)
			f.departs(s)
			s.Stop()
			s.Sound()
		})
	}
}

// TestUpgradeByFsck has fsck be the first that opens the data.
func TestUpgradeByFsck(t *testing.T) {
	t.Parallel()
	for _, archive := range must(filepath.Glob("testdata/*.tar.gz"))(t) {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), func(t *testing.T) {
			t.Parallel()
			s, _ := left(t, archive)
			s.Sound()
		})
	}
}

// left unpacks what a version left behind.
func left(t *testing.T, archive string) (*servertest.Server, fixture) {
	t.Helper()
	address := ""
	if strings.HasSuffix(archive, "-postgres.tar.gz") {
		address = metatest.Postgres(t)
	}
	dir, f := unpack(t, archive)
	if address != "" {
		restore(t, filepath.Join(dir, "control.sql"), address)
	}
	s := servertest.Existing(t, filepath.Join(dir, "data"), address)
	s.Token = f.Admin
	return s, f
}

// leaves takes the tenant within its grace back, and has it leave again at once;
// departs sees it gone.
func (f fixture) leaves(s *servertest.Server) {
	t, ctx, admin, slug := s.T, s.T.Context(), s.As(f.Admin), f.party(leaving).Slug
	must(admin.KeepTenant(ctx, slug))(t)
	must(admin.ActivateTenant(ctx, slug))(t)
	must(s.As(f.party(leaving).Key).Me(ctx))(t)
	f.holds(s, leaving)
	must(admin.OffboardTenant(ctx, slug, slug))(t)
	must(s.As(f.Second).HastenOffboarding(ctx, slug))(t)
}

func (f fixture) departs(s *servertest.Server) {
	receipt := erased(s, f.Admin, f.party(leaving).ID)
	for _, line := range receipt.Receipt {
		if line.Store == "vault" && line.Count == 0 {
			s.T.Errorf("erased of the vault: got %+v, want the objects that the old version wrote", line)
		}
	}
}

// people wants everybody let in who was, and nobody else.
func (f fixture) people(s *servertest.Server) {
	t, ctx := s.T, s.T.Context()
	for token, role := range map[string]string{f.Admin: "system_admin", f.Second: "system_admin", f.Auditor: "auditor"} {
		if me := must(s.As(token).Me(ctx))(t); me.Role != role {
			t.Errorf("role of a key: got %s, want %s", me.Role, role)
		}
	}
	must(s.As("").SignIn(ctx, client.SignIn{Login: f.Email, Password: f.Password}))(t)
	for _, token := range []string{f.Revoked, f.party(gone).Key} {
		if _, err := s.As(token).Me(ctx); client.KindOf(err) != client.Unauthenticated {
			t.Errorf("an ended key: got %v, want unauthenticated", err)
		}
	}
	for _, n := range []int{1, 2} {
		p := f.party(n)
		session := must(s.As("").SignIn(ctx, client.SignIn{Login: p.Login, Password: p.Password}))(t)
		me := must(s.As(session.Token).Me(ctx))(t)
		keys := must(s.As(p.Key).SSHKeys(ctx, session.User))(t).Items
		if me.TenantSlug != p.Slug || len(keys) != 1 || keys[0].Fingerprint != p.Public {
			t.Errorf("user of %s: got tenant %s, SSH keys %+v, want one, %s", p.Slug, me.TenantSlug, keys, p.Public)
		}
	}
}

// kept wants everything as it was written down.
func (f fixture) kept(s *servertest.Server) {
	t, ctx, admin := s.T, s.T.Context(), s.As(f.Admin)
	for _, n := range []int{1, 2} {
		f.holds(s, n)
	}
	for _, want := range f.Results {
		p := f.party(want.Party)
		if got := content(t, s.As(p.Key), want.ID, "csv"); string(got) != want.CSV {
			t.Errorf("result of %s: got %q, want %q", p.Slug, got, want.CSV)
		}
		if got := digest(content(t, s.As(p.Key), want.ID, "parquet")); got != want.Parquet {
			t.Errorf("result of %s as Parquet: got SHA-256 %s, want %s", p.Slug, got, want.Parquet)
		}
	}
	same(t, "manifest", must(admin.Manifest(ctx, f.Run.ID))(t), f.Manifest)
	same(t, "receipt of the erasure", must(admin.OffboardingReceipt(ctx, f.Erased.Tenant))(t).Signed, f.Erased.Signed)
	for chain, pins := range f.Pins {
		report := must(s.As(f.Auditor).VerifyAudit(ctx, client.VerifyOptions{Tenant: chain, Pins: pins}))(t)
		if len(report.Findings) > 0 || report.Pinned != len(pins) {
			t.Errorf("audit of %q: got %d pins and %v, want %d and nothing wrong", chain, report.Pinned, report.Findings, len(pins))
		}
	}
}

// holds wants a party's submissions as they were written down.
func (f fixture) holds(s *servertest.Server, n int) {
	t, ctx, own := s.T, s.T.Context(), s.As(f.party(n).Key)
	for _, want := range f.Submissions {
		if want.Party != n {
			continue
		}
		if got := must(own.Submission(ctx, want.ID))(t); got.State != want.State {
			t.Errorf("submission %s: got %s, want %s", want.ID, got.State, want.State)
		}
		if want.SHA256 == "" {
			continue
		}
		var b bytes.Buffer
		must(own.SubmissionContent(ctx, want.ID, &b, nil))(t)
		if got := digest(b.Bytes()); got != want.SHA256 {
			t.Errorf("file of submission %s: got SHA-256 %s, want %s", want.ID, got, want.SHA256)
		}
	}
}

// works has the two parties send files for another day, and the analysis run.
func (f fixture) works(s *servertest.Server) {
	const day = "2022-09-26"
	t, ctx, admin := s.T, s.T.Context(), s.As(f.Admin)
	for _, n := range []int{1, 2} {
		p := servertest.Party{Tenant: client.Tenant{Slug: f.party(n).Slug}, Client: s.As(f.party(n).Key), Number: n}
		p.Accepted(t, day, servertest.Values(n, day, "a,b,3"))
	}
	run := func(on string) client.Run {
		made := must(admin.StartRuns(ctx, []string{servertest.Analysis}, on))(t).Items[0]
		return must(admin.WaitRun(ctx, made.ID, nil))(t)
	}
	if got := run(day); got.State != "succeeded" || got.Participants != 2 {
		t.Errorf("run: got %s of %d participants (%s), want succeeded, of 2", got.State, got.Participants, got.Reason)
	}
	if got := run(date); got.Release != f.Run.Release {
		t.Errorf("the old snapshot again: got the release %q (%s), want the recorded one, %s", got.Release, got.Reason, f.Run.Release)
	}
	for _, n := range []int{1, 2} {
		if got := len(must(s.As(f.party(n).Key).Results(ctx, client.ResultFilter{Date: day}))(t).Items); got != 1 {
			t.Errorf("results of %s: got %d, want 1", f.party(n).Slug, got)
		}
	}
}

func (f fixture) party(n int) party {
	return f.Parties[slices.IndexFunc(f.Parties, func(p party) bool { return p.Number == n })]
}

// same compares two things as the API encodes them.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	g, w := must(json.Marshal(got))(t), must(json.Marshal(want))(t)
	if !bytes.Equal(g, w) {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}
