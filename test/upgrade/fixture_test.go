package upgrade

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/client"
	"tributary/test/servertest"
)

// fixture is fixture.json: what a version left behind, as it said itself.
type fixture struct {
	Version string    `json:"version"`
	Made    time.Time `json:"made"`
	Admin   string    `json:"admin"`   // API key of a system admin
	Second  string    `json:"second"`  // and of another one, who is another person
	Auditor string    `json:"auditor"` // and of an auditor
	Revoked string    `json:"revoked"` // and one that was revoked

	Email    string `json:"email"` // of the second one
	Password string `json:"password"`

	Parties     []party                 `json:"parties"`
	Submissions []submission            `json:"submissions"`
	Results     []result                `json:"results"`
	Run         client.Run              `json:"run"` // that made them
	Manifest    client.SignedStatement  `json:"manifest"`
	Erased      client.Offboarding      `json:"erased"` // of the tenant that was erased
	Pins        map[string][]client.Pin `json:"pins"`   // of each chain; "" is the provider's
}

// party is a tenant, an API key of a tenant admin, and a user with a password and
// an SSH key.
type party struct {
	Number   int    `json:"number"`
	ID       string `json:"id"`
	Slug     string `json:"slug"`
	State    string `json:"state"`
	Key      string `json:"key"`
	Login    string `json:"login"`
	Password string `json:"password"`
	SSHKey   string `json:"ssh_key"` // the private one, as OpenSSH writes it
	Public   string `json:"ssh_fingerprint"`
}

type submission struct {
	ID     string `json:"id"`
	Party  int    `json:"party"` // its number
	State  string `json:"state"`
	SHA256 string `json:"sha256"` // of the file; empty: there is none any more
}

type result struct {
	ID      string `json:"id"`
	Party   int    `json:"party"`
	CSV     string `json:"csv"`     // the file
	Parquet string `json:"parquet"` // the SHA-256 of the file
}

const (
	date    = "2022-09-23" // of the run
	leaving = 3            // the tenant within its grace
	gone    = 4            // the one that is erased
)

// fill has the provider and its tenants do everything once, and writes down what
// there is afterwards.
func fill(s *servertest.Server, version string) fixture {
	t, ctx := s.T, s.T.Context()
	s.Start()
	admin := s.As(s.Token)
	f := fixture{Version: version, Made: time.Now().UTC().Truncate(time.Second), Admin: s.Token, Email: "second@example.com", Password: servertest.Password,
		Pins: map[string][]client.Pin{}}

	second := must(admin.CreateUser(ctx, client.NewUser{Email: f.Email, Role: "system_admin", Password: f.Password}))(t)
	session := must(s.As("").SignIn(ctx, client.SignIn{Login: second.Login, Password: f.Password}))(t)
	f.Second = must(s.As(session.Token).CreateAPIKey(ctx, client.NewAPIKey{Role: "system_admin", Name: "second"}))(t).Key
	f.Auditor = must(admin.CreateAPIKey(ctx, client.NewAPIKey{Role: "auditor", Name: "auditor"}))(t).Key
	revoked := must(admin.CreateAPIKey(ctx, client.NewAPIKey{Role: "auditor", Name: "revoked"}))(t)
	f.Revoked = revoked.Key
	if err := admin.RevokeAPIKey(ctx, revoked.ID); err != nil {
		t.Fatal(err)
	}
	must(admin.VerifyOrganisation(ctx, must(admin.CreateOrganisation(ctx, client.NewOrganisation{Name: "Organisation 1"}))(t).ID,
		client.Verification{Evidence: "the register of companies"}))(t)

	one, two := s.Exchange()
	parties := map[int]servertest.Party{1: one, 2: two, leaving: s.Party(leaving), gone: s.Party(gone)}
	for n := 1; n <= len(parties); n++ {
		f.Parties = append(f.Parties, withUser(t, parties[n]))
	}

	send := func(n int, day string, rows ...string) client.Submission {
		sent := must(parties[n].Send(ctx, day, servertest.Values(n, day, rows...)))(t)
		return must(parties[n].WaitSubmission(ctx, sent.ID))(t)
	}
	send(1, date, "x,y,many")         // rejected
	send(1, date, "HKSwsV,vBpWCc,11") // superseded
	send(1, date, "HKSwsV,vBpWCc,10", "TObvCS,IialNu,13", "SYJshY,NYoZaS,113")
	send(2, date, "HKSwsV,vBpWCc,20", "TObvCS,IialNu,15")
	withdrawn := send(2, "2022-09-24", "a,b,1")
	must(parties[2].WithdrawSubmission(ctx, withdrawn.ID))(t)
	deleted := send(2, "2022-09-25", "a,b,2")
	must(parties[2].DeleteSubmission(ctx, deleted.ID))(t)
	send(leaving, date, "HKSwsV,vBpWCc,5")
	send(gone, date, "HKSwsV,vBpWCc,7")

	run := must(admin.StartRuns(ctx, []string{servertest.Analysis}, date))(t).Items[0]
	if run = must(admin.WaitRun(ctx, run.ID, nil))(t); run.State != "succeeded" {
		t.Fatalf("run: got %s %s, want succeeded", run.State, run.Reason)
	}
	f.Run = must(admin.Run(ctx, run.ID))(t)
	f.Manifest = must(admin.Manifest(ctx, run.ID))(t)

	for _, n := range []int{leaving, gone} {
		must(admin.OffboardTenant(ctx, parties[n].Slug, parties[n].Slug))(t)
	}
	must(s.As(f.Second).HastenOffboarding(ctx, parties[gone].Slug))(t)
	f.Erased = erased(s, f.Admin, parties[gone].ID)

	s.Stop() // signs a last checkpoint of each chain
	s.Start()
	f.look(s)
	s.Stop()
	s.Sound()
	return f
}

// withUser gives a tenant a user of its own, with a password and an SSH key.
func withUser(t *testing.T, p servertest.Party) party {
	t.Helper()
	seed := sha256.Sum256([]byte(p.Slug))
	private := ed25519.NewKeyFromSeed(seed[:])
	public := must(ssh.NewPublicKey(private.Public()))(t)
	block := must(ssh.MarshalPrivateKey(private, "only of a test"))(t)
	password := "the password of " + p.Slug
	user := must(p.CreateUser(t.Context(), client.NewUser{Email: "user@" + p.Slug + ".example", Role: "tenant_user", Password: password,
		SSHPublicKey: string(ssh.MarshalAuthorizedKey(public))}))(t)
	return party{Number: p.Number, ID: p.ID, Slug: p.Slug, Key: p.Key, Login: user.Login, Password: password,
		SSHKey: string(pem.EncodeToMemory(block)), Public: ssh.FingerprintSHA256(public)}
}

// look writes down what there is.
func (f *fixture) look(s *servertest.Server) {
	t, ctx, admin := s.T, s.T.Context(), s.As(f.Admin)
	f.pin(s, "")
	for i := range f.Parties {
		p := &f.Parties[i]
		if p.State = "erased"; p.Number == gone {
			continue
		}
		f.pin(s, p.ID)
		p.State = must(admin.Tenant(ctx, p.ID))(t).State
		own := s.As(p.Key)
		for got, err := range client.All(ctx, own.Submissions, client.SubmissionFilter{}) {
			got = must(got, err)(t)
			file := submission{ID: got.ID, Party: p.Number, State: got.State}
			var b bytes.Buffer
			switch _, err := own.SubmissionContent(ctx, got.ID, &b, nil); {
			case err == nil:
				file.SHA256 = digest(b.Bytes())
			case client.KindOf(err) != client.NotFound && client.KindOf(err) != client.Conflict:
				t.Fatal(err)
			}
			f.Submissions = append(f.Submissions, file)
		}
		for got, err := range client.All(ctx, own.Results, client.ResultFilter{}) {
			got = must(got, err)(t)
			f.Results = append(f.Results, result{ID: got.ID, Party: p.Number, CSV: string(content(t, own, got.ID, "csv")), Parquet: digest(content(t, own, got.ID, "parquet"))})
		}
	}
}

// pin writes a chain's last checkpoint down.
func (f *fixture) pin(s *servertest.Server, chain string) {
	report := must(s.As(f.Auditor).VerifyAudit(s.T.Context(), client.VerifyOptions{Tenant: chain}))(s.T)
	if len(report.Findings) > 0 || report.Last == nil {
		s.T.Fatalf("audit of %q: got %v, last checkpoint %v, want one and nothing wrong", chain, report.Findings, report.Last)
	}
	f.Pins[chain] = []client.Pin{*report.Last}
}

// erased waits until a tenant is erased, and returns the receipt.
func erased(s *servertest.Server, admin, id string) client.Offboarding {
	s.T.Helper()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(servertest.Patience); ; {
		if got := must(s.As(admin).OffboardingReceipt(s.T.Context(), id))(s.T); got.FinishedAt != nil {
			return got
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.T.Fatalf("the tenant %s is not erased after %v", id, servertest.Patience)
		}
	}
}

func content(t *testing.T, c *client.Client, id, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	must(c.ResultContent(t.Context(), id, format, &b, nil))(t)
	return b.Bytes()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (f fixture) write(t *testing.T, w io.Writer) {
	t.Helper()
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(f); err != nil {
		t.Fatal(err)
	}
}
