package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	_ "embed"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/client"
	"tributary/internal/clock"
)

//go:embed demo/figures.yaml
var demoFigures []byte

//go:embed demo/benchmark.yaml
var demoBenchmark []byte

//go:embed demo/support.yaml
var demoSupport []byte

//go:embed demo/service.yaml
var demoService []byte

//go:embed demo/times.yaml
var demoTimes []byte

// demoTenant is a simulated customer and how it behaves.
type demoTenant struct {
	slug, name, organisation, industry, tier, kind string
	scale                                          float64 // of its figures
	decision                                       string  // about the analyses: accepted, declined, or "" for none
	lateFor                                        int     // months, counted back from the last, for which nothing came yet
	breaks                                         string  // what was wrong with its first file of the last month

	external, key, login, password string
	api                            *client.Client
}

func demoTenants() []*demoTenant {
	return []*demoTenant{
		{slug: "acme", name: "Acme Retail", organisation: "Acme Holding", industry: "retail", tier: "premium", scale: 5.2, decision: "accepted"},
		{slug: "acme-online", name: "Acme Online", organisation: "Acme Holding", industry: "retail", tier: "basic", scale: 1.1, decision: "accepted"},
		{slug: "bergbahn", name: "Bergbahn Travel", organisation: "Bergbahn AG", industry: "travel", tier: "standard", scale: 2.3, decision: "accepted"},
		{slug: "civitas", name: "Civitas Office", organisation: "City of Civitas", industry: "gov", tier: "standard", scale: 1.9, decision: "accepted", breaks: "comma"},
		{slug: "delta-health", name: "Delta Health", organisation: "Delta Clinics", industry: "health", tier: "premium", scale: 3.4, decision: "accepted"},
		{slug: "enerco", name: "Enerco", organisation: "Enerco SE", industry: "energy", tier: "premium", scale: 4.0, decision: "accepted"},
		{slug: "finora", name: "Finora Bank", organisation: "Finora", industry: "finance", tier: "platinum", scale: 3.7, decision: "accepted"},
		{slug: "grid-it", name: "Grid IT", organisation: "Grid IT GmbH", industry: "IT", tier: "basic", scale: 1.4, decision: "accepted", breaks: "foreign"},
		{slug: "helvetia-advice", name: "Helvetia Advice", organisation: "Helvetia Advice", industry: "consulting", tier: "basic", scale: 0.8, decision: "accepted", lateFor: 1},
		{slug: "ibis-care", name: "Ibis Care", organisation: "Ibis Care", industry: "health", tier: "basic", scale: 1.0, decision: "declined"},
		{slug: "juniper", name: "Juniper Services", organisation: "Juniper", industry: "service", tier: "basic", scale: 0.6, lateFor: 2},
		{slug: "kite", name: "Kite Travel (trial)", organisation: "Kite", industry: "travel", tier: "basic", kind: "POC", scale: 0.5, decision: "accepted", breaks: "ragged"},
	}
}

// demoWorld fills a server through its API.
type demoWorld struct {
	admin   *client.Client
	url     string
	out     *output
	now     time.Time
	clock   *demoClock // the server's
	sshKey  string     // the file of the first tenant's admin's
	tenants []*demoTenant
	random  *rand.Rand
	product *demoProduct

	accepted, rejected int
	runs               []client.Run
}

func (w *demoWorld) fill(ctx context.Context) error {
	w.tenants, w.random = demoTenants(), rand.New(rand.NewPCG(42, 42)) //nolint:gosec // figures to look at, the same each time
	for _, contract := range [][]byte{demoFigures, demoService} {
		if _, err := w.admin.ApplyDataset(ctx, contract); err != nil {
			return err
		}
	}
	for _, definition := range [][]byte{demoBenchmark, demoSupport, demoTimes} {
		if _, err := w.admin.ApplyAnalysis(ctx, definition); err != nil {
			return err
		}
	}
	if err := w.startProduct(ctx); err != nil {
		return err
	}
	for i, t := range w.tenants {
		w.clock.to(demoBegan(w.now).Add(time.Duration(i) * 29 * time.Hour))
		if err := w.onboard(ctx, i, t); err != nil {
			return fmt.Errorf("tenant %s: %w", t.slug, err)
		}
		w.out.note("tenant %2d of %d: %s", i+1, len(w.tenants), t.name)
	}
	return w.live(ctx)
}

func (w *demoWorld) onboard(ctx context.Context, i int, t *demoTenant) error {
	t.external = fmt.Sprintf("%06d", 100+i)
	if t.kind == "" {
		t.kind = "PRODUCTION"
	}
	made, err := w.admin.CreateTenant(ctx, client.NewTenant{Slug: t.slug, Name: t.name, Organisation: t.organisation, ExternalIDs: []string{t.external},
		Tier: t.tier, Type: t.kind, Industry: t.industry})
	if err != nil {
		return err
	}
	if i%3 != 2 {
		if _, err := w.admin.VerifyOrganisation(ctx, made.Organisation, client.Verification{Evidence: "Extract of the commercial register (simulated)"}); err != nil {
			return err
		}
	}
	// The first tenant has an admin who signs in, and so makes it her own; the
	// others work with the key that the provider made for them.
	if i == 0 {
		err = w.takeOver(ctx, t)
	} else {
		var invited client.APIKey
		invited, err = w.admin.CreateAPIKey(ctx, client.NewAPIKey{Tenant: t.slug, Role: "tenant_admin", Name: "first key, from the provider"})
		t.key = invited.Key
	}
	if err != nil {
		return err
	}
	if t.api, err = client.New(w.url, t.key); err != nil {
		return err
	}
	if i == 0 { // its shop sends events of its own, and its people can sign up by themselves
		if w.product.shop, err = w.source(ctx, t.api, client.NewSource{Name: "web shop"}); err != nil {
			return err
		}
		domain := client.NewDomain{Tenant: t.slug, Domain: t.slug + ".example"}
		for _, api := range []*client.Client{w.admin, t.api} {
			if _, err := api.AddDomain(ctx, domain); err != nil {
				return err
			}
		}
	}
	for _, analysis := range []string{"revenue-benchmark", "support-load", "service-times"} {
		switch t.decision {
		case "accepted":
			_, err = t.api.AcceptAnalysis(ctx, analysis, 0)
		case "declined":
			_, err = t.api.DeclineAnalysis(ctx, analysis, 0)
		}
		if err != nil {
			return err
		}
	}
	return w.product.send(ctx, w.product.backend, "product", w.product.account(t, w.clock.now()), w.clock.now())
}

// takeOver has the provider make a tenant's first admin, who signs in with a
// password of her own and makes an API key.
func (w *demoWorld) takeOver(ctx context.Context, t *demoTenant) error {
	first := clock.Clock{}.Secret(10)
	t.password = clock.Clock{}.Secret(10)
	u, err := w.admin.CreateUser(ctx, client.NewUser{Tenant: t.slug, Email: "alice@" + t.slug + ".example", Role: "tenant_admin", Name: "Alice", Password: first})
	if err != nil {
		return err
	}
	t.login = u.Login
	session, err := w.admin.SignIn(ctx, client.SignIn{Login: u.Login, Password: first, NewPassword: t.password})
	if err != nil {
		return err
	}
	alice, err := client.New(w.url, session.Token)
	if err != nil {
		return err
	}
	line, err := sshKeyFile(w.sshKey)
	if err != nil {
		return err
	}
	if _, err := alice.AddSSHKey(ctx, u.ID, client.NewSSHKey{Name: "demo", PublicKey: line}); err != nil {
		return err
	}
	for _, name := range []string{"Bruno", "Carla"} {
		if _, err := alice.Invite(ctx, client.NewInvitation{Email: strings.ToLower(name) + "@" + t.slug + ".example", Name: name, Role: "tenant_user"}); err != nil {
			return err
		}
	}
	own, err := alice.CreateAPIKey(ctx, client.NewAPIKey{Role: "tenant_admin", Name: "own key"})
	t.key = own.Key
	return err
}

// send submits a tenant's file for a month; a broken one is followed by the
// corrected one, as people do.
func (w *demoWorld) send(ctx context.Context, t *demoTenant, back int) error {
	good := w.file(t, back)
	if back == 0 && t.breaks != "" {
		if err := w.submit(ctx, t, "figures", w.month(back), broken(good, t.breaks), "rejected"); err != nil {
			return err
		}
		if t.breaks == "ragged" {
			return nil // still to be corrected
		}
		w.clock.to(w.clock.now().Add(100 * time.Minute))
	}
	return w.submit(ctx, t, "figures", w.month(back), good, "accepted")
}

// submit sends a file of figures or of service, and waits for the verdict.
func (w *demoWorld) submit(ctx context.Context, t *demoTenant, of, date, content, want string) error {
	s, err := t.api.Submit(ctx, client.Upload{Dataset: map[string]string{"figures": "monthly-figures", "service": "weekly-service"}[of], Date: date,
		Name: fmt.Sprintf("%s-%s-%s.csv", of, date, t.external), Body: bytes.NewReader([]byte(content))})
	if err != nil {
		return err
	}
	if s, err = t.api.WaitSubmission(ctx, s.ID); err != nil {
		return err
	}
	if s.State != want {
		return fmt.Errorf("the file was %s, not %s: %v", s.State, want, s.Problems)
	}
	if s.State == "accepted" {
		w.accepted++
	} else {
		w.rejected++
	}
	return nil
}

// file makes a tenant's figures: its size, a trend, a season and noise.
func (w *demoWorld) file(t *demoTenant, back int) string {
	var b strings.Builder
	b.WriteString("Month;Customer;Region;Product;Revenue;Hours;Tickets\n")
	season := []float64{1, 0.94, 1.03, 1.08, 0.97, 1.12}[back%demoMonths]
	for r, region := range []string{"north", "south", "east", "west"} {
		if t.scale < 0.9 && r > 1 { // the small ones are not everywhere
			continue
		}
		for p, product := range []string{"core", "addon", "service"} {
			if region == "west" && product == "service" && t.scale < 3.5 { // too few have it for it to be shown
				continue
			}
			base := t.scale * season * (1 - 0.01*float64(back)) * []float64{1, 0.35, 0.6}[p] * (0.85 + 0.3*w.random.Float64())
			revenue := strings.Replace(fmt.Sprintf("%.2f", 42000*base), ".", ",", 1)
			fmt.Fprintf(&b, "%s;%s;%s;%s;%s;%d;%d\n", w.month(back), t.external, region, product, revenue, int(310*base), int(25*base)+w.random.IntN(9))
		}
	}
	return b.String()
}

// service makes a tenant's week at its service desk.
func (w *demoWorld) service(t *demoTenant, back int) string {
	var b strings.Builder
	b.WriteString("Week,Customer,Channel,Cases,Minutes\n")
	for c, channel := range []string{"phone", "mail", "chat"} {
		cases := int(60*t.scale)/(c+1) + w.random.IntN(12)
		fmt.Fprintf(&b, "%s,%s,%s,%d,%.1f\n", w.week(back), t.external, channel, cases, []float64{11, 26, 7}[c]*(0.8+0.5*w.random.Float64()))
	}
	return b.String()
}

// broken makes a mistake that people make.
func broken(content, how string) string {
	lines := strings.SplitAfter(content, "\n")
	switch how {
	case "comma": // decimal points where the contract has commas
		lines[2] = strings.Replace(lines[2], ",", ".", 1)
	case "foreign": // somebody else's number
		lines[3] = strings.Replace(lines[3], ";0001", ";0009", 1)
	case "ragged": // a column is missing
		lines[4] = strings.Replace(lines[4], ";", "", 1)
	}
	return strings.Join(lines, "")
}

func (w *demoWorld) run(ctx context.Context, date string, analyses ...string) error {
	started, err := w.admin.StartRuns(ctx, analyses, date)
	if err != nil {
		return err
	}
	for _, r := range started.Items {
		ended, err := w.admin.WaitRun(ctx, r.ID, nil)
		if err != nil {
			return err
		}
		w.runs = append(w.runs, ended)
	}
	return nil
}

// summary says what there is to look at.
func (w *demoWorld) summary() string {
	states := map[string]int{}
	for _, r := range w.runs {
		states[r.State]++
	}
	var ended []string
	for _, s := range []string{"succeeded", "withheld", "skipped", "failed", "cancelled"} {
		if n := states[s]; n > 0 {
			ended = append(ended, fmt.Sprintf("%d %s", n, s))
		}
	}
	return fmt.Sprintf("%d tenants, %d months and %d weeks, %d files accepted and %d rejected, %d runs (%s), %d events.",
		len(w.tenants), demoMonths, demoWeeks, w.accepted, w.rejected, len(w.runs), strings.Join(ended, ", "), w.product.told)
}

// sshKeyFile makes an SSH key, writes the private half to a file and returns the
// public one.
func sshKeyFile(path string) (string, error) {
	private := ed25519.NewKeyFromSeed(clock.Clock{}.Bytes(ed25519.SeedSize))
	block, err := ssh.MarshalPrivateKey(private, "tributary demo")
	if err != nil {
		return "", fmt.Errorf("make SSH key: %w", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", fmt.Errorf("write SSH key: %w", err)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		return "", fmt.Errorf("make SSH key: %w", err)
	}
	return string(ssh.MarshalAuthorizedKey(public)), nil
}
