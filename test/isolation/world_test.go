package isolation

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tributary/internal/meta"
	"tributary/test/servertest"
)

// kind is a kind of thing that has an id.
type kind string

const (
	none         kind = ""
	tenants      kind = "ten"
	organisation kind = "org"
	users        kind = "usr"
	apiKeys      kind = "key"
	sshKeys      kind = "ssh"
	sessions     kind = "ses"
	submissions  kind = "sub"
	uploads      kind = "upl"
	results      kind = "res"
	runs         kind = "run"
	holds        kind = "hld"
	datasets     kind = "dataset"
	analyses     kind = "analysis"
	schedules    kind = "schedule"
	webhooks     kind = "whk"
	deliveries   kind = "msg"
	notices      kind = "notice"
	streams      kind = "stream"
	invitations  kind = "inv"
	domains      kind = "dom"
	sources      kind = "src"
	heldEvents   kind = "qua"
	archived     kind = "arc"
	erasures     kind = "era"
	plans        kind = "plan"
	queries      kind = "query"
	running      kind = "qry" // none lasts long enough to be there
)

// tenant is what the model knows of a tenant. Its fading begins when its erasure
// can begin at any moment: from then on the model predicts no status, and still
// wants no canary anywhere.
type tenant struct {
	id, slug, organisation string
	external               string
	number                 string // of ten digits: what it sends to the cells of all
	state                  string // active, suspended, offboarding
	fading                 bool
	claimed                bool
	leaver                 *credential // who asked for its end
	canary                 map[class]string
	probed                 map[string]bool // ids that it asked for itself, and so may read in its audit log
	typed                  map[string]bool // canaries of others that it wrote into files itself
	emails                 map[string]bool
	core                   bool
}

// user is what the model knows of a person.
type user struct {
	id, login, password string
	tenant              *tenant // nil: the provider's
	role                byte
	disabled, provided  bool
	founder             bool // who made its tenant's anchors, which end with it
	signedIn            bool
	lost                bool // the model no longer knows the password
}

// credential is a key or a session. Roles are letters: S system admin, R auditor,
// N analyst; A tenant admin, U tenant user, and D for an admin whose tenant leaves.
type credential struct {
	id, token string
	tenant    *tenant // nil: the provider's
	user      *user   // of a session
	role      byte
	dead      bool
	anchor    bool // its own side never ends it, so that there is always one
	provided  bool
	person    string      // who is behind it: the user, or who made the key
	maker     *credential // the key that it was made with; nil: a session
	expires   time.Time
	only      string // the address that it is for; empty: all
}

// actor is who the audit log says it was.
func (c *credential) actor() string {
	if c.user != nil {
		return c.user.id
	}
	return c.id
}

// thing is something with an id, and who it is the tenant's.
type thing struct {
	kind    kind
	id      string
	tenant  *tenant // nil: the provider's
	gone    bool
	user    *user
	key     *credential
	bytes   []byte // of a submission or an upload, as it was or will be sent
	arrived int    // of an upload: how many of the bytes
	deleted bool   // the bytes
	ended   bool   // of a hold: it was released; of a result: it was recalled
	public  string // of an SSH key: the line
	webhook string // of a delivery: whose it is
	role    byte   // of an invitation: in which role
	token   string // of an invitation: its link's
	invited *thing // of an invitation: who it is to
	given   bool   // of an invitation: by the provider, or by what it made
}

// world is the model, and the server it is of.
type world struct {
	t         *testing.T
	s         *servertest.Server
	log       string // of the server before it was killed
	ops       map[string]*operation
	random    *rand.Rand
	seed      uint64
	tenants   []*tenant
	creds     []*credential
	users     []*user
	things    map[string]*thing
	ids       map[kind][]string
	owner     map[string]*tenant // of each canary
	class     map[string]class
	shared    map[string]string // an organisation's canary -> its name
	secrets   []string          // what must be nowhere again, once it was shown
	cursors   []string          // of pages that somebody was given
	lines     []string          // public keys
	used      map[string]bool   // idempotency keys by actor
	trail     []string          // the last operations, to print
	count     map[string]int    // operations by outcome
	lan       *http.Client
	writers   []writer // keys and links that events can be sent with
	collector string   // where they are sent to
	next      int      // for fresh addresses
	serial    int
	failed    int
	wanders   bool // the random part goes on
	recalls   bool // results of a run were recalled
}

func newWorld(t *testing.T, s *servertest.Server, seed uint64) *world {
	w := &world{t: t, s: s, ops: operations(), random: rand.New(rand.NewPCG(seed, 7)), seed: seed, things: map[string]*thing{}, ids: map[kind][]string{},
		owner: map[string]*tenant{}, class: map[string]class{}, shared: map[string]string{}, used: map[string]bool{}, count: map[string]int{},
		lan: from("127.0.0.1", true)}
	w.ids[datasets], w.ids[analyses] = []string{dataset, "no-such-set"}, []string{analysis, lonely, "no-such-analysis"}
	w.ids[schedules] = []string{"no-such-schedule"}
	w.ids[running] = []string{"qry_00000000000000000000000000"}
	w.ids[queries] = []string{"user-activity", "companies", "revenue", "no-such-query"} // revenue is not for tenants
	w.ids[plans] = []string{"current", "1", "no-such-version"}
	w.ids[notices] = []string{"submission.rejected", "result.ready", "no-such-kind"}
	w.ids[streams] = []string{"tenants", "users", "jobs", "events", "no-such-stream"}
	return w
}

// from makes an HTTP client with an address of its own.
func from(address string, keep bool) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Timeout: servertest.Patience, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: !keep, DisableCompression: true}}
}

// stranger is a client with an address that nobody used before, so that bad
// credentials from it count against nobody else.
func (w *world) stranger() *http.Client {
	w.next++
	return from(fmt.Sprintf("127.8.%d.%d", w.next/250%250+1, w.next%250+1), false)
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.failed++
	w.t.Errorf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
	if w.failed >= 8 {
		w.t.Fatalf("seed %d: too much is wrong", w.seed)
	}
}

func pick[T any](w *world, list []T) T { return list[w.random.IntN(len(list))] }

func (w *world) chance(percent int) bool { return w.random.IntN(100) < percent }

// fresh is a short text that nothing had before, with the canary of a class.
func (w *world) fresh(t *tenant, c class) string {
	w.serial++
	if t == nil {
		return fmt.Sprintf("provider%d", w.serial)
	}
	return fmt.Sprintf("%s%d", t.canary[c], w.serial)
}

// born makes the canaries of a new tenant.
func (w *world) born() *tenant {
	t := &tenant{state: "active", canary: map[class]string{}, probed: map[string]bool{}, typed: map[string]bool{}, emails: map[string]bool{}}
	for _, c := range classes {
		text := newCanary(w.random, c, len(w.tenants))
		t.canary[c], w.owner[text], w.class[text] = text, t, c
	}
	t.slug, t.external = t.canary[slug], t.canary[external]
	t.number = fmt.Sprint(1e9 + w.random.Int64N(9e9))
	return t
}

// know adds a thing to the model.
func (w *world) know(k kind, id string, of *tenant) *thing {
	if old := w.things[id]; old != nil {
		return old
	}
	x := &thing{kind: k, id: id, tenant: of}
	w.things[id] = x
	w.ids[k] = append(w.ids[k], id)
	return x
}

func (w *world) key(t *tenant, id, token string, role byte, provided bool) *credential {
	c := &credential{id: id, token: token, tenant: t, role: role, provided: provided}
	w.know(apiKeys, id, t).key = c
	w.creds = append(w.creds, c)
	w.secrets = append(w.secrets, token)
	return c
}

// standing is how the model thinks a credential stands from an address: refused
// with a status, or let in as a role. Unsure: the model cannot say.
func (c *credential) standing(address string) (status int, role byte) {
	switch {
	case c == nil || c.dead || c.only != "" && c.only != address:
		return http.StatusUnauthorized, 0
	case c.tenant == nil:
		return 0, c.role
	case c.tenant.state == "suspended":
		return http.StatusForbidden, 0
	case c.tenant.state == "offboarding" && c.role == 'U':
		return http.StatusUnauthorized, 0
	case c.tenant.state == "offboarding":
		return 0, 'D'
	}
	return 0, c.role
}

// line makes an SSH key, or gives one that somebody else has.
func (w *world) line() string {
	if len(w.lines) > 0 && w.chance(30) {
		return pick(w, w.lines)
	}
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(w.random.Uint32())
	}
	public, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed).Public())
	if err != nil {
		w.t.Fatal(err)
	}
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	w.lines = append(w.lines, text)
	return text
}

// until asks again and again until done says so.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), servertest.Patience)
	defer cancel()
	for !done() {
		select {
		case <-time.After(30 * time.Millisecond):
		case <-ctx.Done():
			w.t.Fatalf("seed %d: %s does not come", w.seed, what)
		}
	}
}

// dump is every row of a PostgreSQL database, as text.
func (w *world) dump() []byte {
	w.t.Helper()
	db, err := meta.Open(w.t.Context(), meta.Config{URL: w.s.Database[1]})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	column := func(query string) []string {
		rows, err := db.Unscoped().Query(w.t.Context(), query)
		if err != nil {
			w.t.Fatal(err)
		}
		defer rows.Close()
		var list []string
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				w.t.Fatal(err)
			}
			list = append(list, text)
		}
		if err := rows.Err(); err != nil {
			w.t.Fatal(err)
		}
		return list
	}
	var all []string
	tables := column(`SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()`)
	for _, table := range tables {
		all = append(all, column(`SELECT x::text FROM `+table+` x`)...)
	}
	if text := strings.Join(all, "\n"); len(tables) > 10 && strings.Contains(text, w.tenants[0].slug) {
		return []byte(text)
	}
	w.fail("the dump of %d tables has not what is known to be there", len(tables))
	return nil
}
