package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"tributary/client"
)

// fake is a server of the API that keeps just enough to see what the command
// line sends and prints. The real one meets the command line in package test.
type fake struct {
	mux  *http.ServeMux
	mu   sync.Mutex
	subs map[string]*client.Submission
	file map[string][]byte
	runs int
	keys []client.AuditKey
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// hostile is a file name that would command a terminal.
const hostile = "a\x1b[31m\u202egnp.csv"

func newFake() *httptest.Server {
	f := &fake{mux: http.NewServeMux(), subs: map[string]*client.Submission{}, file: map[string][]byte{}}
	f.accounts()
	f.tenants()
	f.exchange()
	f.periods()
	f.analyses()
	f.audit()
	f.streams()
	return httptest.NewServer(f)
}

// ServeHTTP looks at the credential and passes the request on.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	open := r.Method == http.MethodPost && (r.URL.Path == "/api/v1/sessions" || r.URL.Path == "/api/v1/setup") || r.URL.Path == "/api/v1/audit/keys"
	switch {
	case open || token == "good":
	case token == "trs_old":
		w.Header().Set("Tributary-Session", "trs_new")
	case token == "trs_new", token == "trs_saved":
	case token == "poor":
		no(w, http.StatusForbidden, client.Denied, "You may not do this.")
		return
	default:
		no(w, http.StatusUnauthorized, client.Unauthenticated, "The credential is not valid.")
		return
	}
	f.mux.ServeHTTP(w, r)
}

func no(w http.ResponseWriter, status int, kind client.Kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(client.Problem{Type: "urn:tributary:" + string(kind), Title: http.StatusText(status), Status: status, Detail: detail, Instance: "req_42"})
}

func yes(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v)
}

func read[T any](r *http.Request) (v T) {
	json.NewDecoder(r.Body).Decode(&v)
	return v
}

func (f *fake) on(pattern string, do http.HandlerFunc) {
	method, path, _ := strings.Cut(pattern, " ")
	f.mux.HandleFunc(method+" /api/v1"+path, do)
}

func (f *fake) accounts() {
	f.on("POST /sessions", func(w http.ResponseWriter, r *http.Request) {
		s := read[client.SignIn](r)
		if s.Password == "provider's" && s.NewPassword == "" {
			no(w, 409, client.Conflict, "The provider set this password (new_password).")
			return
		}
		if s.Password != "correct horse" && s.Password != "provider's" || s.Password == "provider's" && s.NewPassword != "my very own" {
			no(w, 401, client.Unauthenticated, "The login or password is wrong.")
			return
		}
		w.WriteHeader(http.StatusCreated)
		yes(w, client.Session{ID: "ses_1", User: s.Login, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour), EndsAt: noon.Add(12 * time.Hour), Token: "trs_saved"})
	})
	f.on("DELETE /sessions/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	f.on("POST /setup", func(w http.ResponseWriter, r *http.Request) {
		s := read[client.Setup](r)
		yes(w, client.Token{Token: fmt.Sprintf("trk_%s_%s", s.Token, s.Password)})
	})
	f.on("GET /me", func(w http.ResponseWriter, _ *http.Request) {
		yes(w, client.Me{ID: "usr_1", Credential: "key_1", Kind: "api_key", Role: "tenant_admin", Tenant: "ten_1", TenantSlug: "acme"})
	})
	f.on("POST /users", func(w http.ResponseWriter, r *http.Request) {
		n := read[client.NewUser](r)
		w.WriteHeader(http.StatusCreated)
		yes(w, client.User{ID: "usr_2", Login: n.Tenant + ".alice", SFTPLogin: n.Tenant + ".alice", Email: n.Email, Role: n.Role, Name: n.SSHPublicKey, State: "active"})
	})
	f.on("PATCH /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		yes(w, client.User{ID: r.PathValue("id"), State: *read[client.UserChange](r).State})
	})
	f.on("POST /api-keys", func(w http.ResponseWriter, r *http.Request) {
		n := read[client.NewAPIKey](r)
		w.WriteHeader(http.StatusCreated)
		yes(w, client.APIKey{ID: "key_2", Tenant: n.Tenant, Role: n.Role, Name: n.Name, ExpiresAt: n.ExpiresAt, Key: "trk_once"})
	})
	f.on("DELETE /api-keys/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
}

func (f *fake) tenants() {
	tenant := func(slug string) client.Tenant {
		return client.Tenant{ID: "ten_" + slug, Slug: slug, Name: "The " + slug + " <Ltd>", Organisation: "org_1", OrganisationName: "Acme", Tier: "basic", State: "active",
			Made: client.Made{CreatedAt: noon, ModifiedAt: noon}}
	}
	f.on("POST /tenants", func(w http.ResponseWriter, r *http.Request) {
		n := read[client.NewTenant](r)
		if n.Slug == "taken" {
			no(w, 409, client.Conflict, "There is a tenant with the slug \"taken\".")
			return
		}
		t := tenant(n.Slug)
		t.Name, t.OrganisationName, t.ExternalIDs, t.Tier, t.Employees = n.Name, n.Organisation, n.ExternalIDs, n.Tier, n.Employees
		w.WriteHeader(http.StatusCreated)
		yes(w, t)
	})
	f.on("GET /tenants", func(w http.ResponseWriter, r *http.Request) {
		slugs := []string{"acme", "globex", "initech"}
		from, _ := strconv.Atoi(r.URL.Query().Get("after"))
		to := min(from+2, len(slugs)) // pages of two, whatever is asked for
		page := client.List[client.Tenant]{}
		for _, slug := range slugs[from:to] {
			page.Items = append(page.Items, tenant(slug))
		}
		if to < len(slugs) {
			page.Next = strconv.Itoa(to)
		}
		yes(w, page)
	})
	f.on("GET /tenants/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch slug := r.PathValue("id"); slug {
		case "acme":
			yes(w, tenant(slug))
		case "busy":
			w.Header().Set("Retry-After", "60")
			no(w, 429, client.Throttled, "Too many requests.")
		case "down":
			w.Header().Set("Retry-After", "60")
			no(w, 503, client.Unavailable, "The database does not answer.")
		case "full":
			no(w, 507, client.StorageFull, "The disk is full.")
		case "broken":
			no(w, 500, client.Internal, "Something went wrong here.")
		case "evil":
			no(w, 404, client.NotFound, "There is no \x1b[2J tenant.")
		case "slow":
			<-r.Context().Done()
		default:
			no(w, 404, client.NotFound, "There is no tenant \""+slug+"\".")
		}
	})
	f.on("GET /tenant/export", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="acme-export.tar"`)
		io.WriteString(w, "tar")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

func (f *fake) exchange() {
	f.on("POST /datasets", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Type") != "application/yaml" || !bytes.HasPrefix(body, []byte("name: sales")) {
			no(w, 422, client.Invalid, "Line 1: a dataset has a name.")
			return
		}
		changed := !bytes.Contains(body, []byte("same"))
		version := int64(2)
		if bytes.Contains(body, []byte("first")) {
			version = 1
		}
		yes(w, client.Dataset{ID: "sales", Version: version, Changed: &changed})
	})
	f.on("POST /submissions", f.submit)
	f.on("GET /submissions/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		s, ok := f.subs[r.PathValue("id")]
		if !ok {
			no(w, 404, client.NotFound, "There is no such submission.")
			return
		}
		yes(w, s)
		f.decide(s)
	})
	f.on("GET /submissions", func(w http.ResponseWriter, _ *http.Request) {
		yes(w, client.List[client.Submission]{Items: []client.Submission{{ID: "sub_9", TenantSlug: "acme", Dataset: "sales", Date: "2026-03-01", State: "accepted", Name: hostile, Size: 1536, ReceivedAt: noon}}})
	})
	f.on("GET /submissions/{id}/content", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="../../.evil.csv"`)
		io.WriteString(w, "a,b\n1,2\n")
	})
	f.on("GET /results", func(w http.ResponseWriter, _ *http.Request) {
		yes(w, client.List[client.Result]{Items: []client.Result{}})
	})
	f.on("GET /results/{id}/content", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "cut" {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "part")
			return
		}
		w.Header().Set("Content-Disposition", `attachment; filename="out.csv"`)
		io.WriteString(w, "format,"+r.URL.Query().Get("format")+"\n")
	})
}

// submit takes a file and checks what came with it.
func (f *fake) submit(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	sum := sha256.Sum256(body)
	if d := r.Header.Get("Content-Digest"); d != "" && d != "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":" {
		no(w, 422, client.Invalid, "The digest is of another file.")
		return
	}
	q := r.URL.Query()
	if q.Get("dataset") != "sales" {
		no(w, 404, client.NotFound, "There is no dataset \""+q.Get("dataset")+"\".")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := fmt.Sprintf("sub_%d", len(f.subs)+1)
	f.subs[id] = &client.Submission{ID: id, Dataset: "sales", Date: q.Get("date"), Revision: 1, State: "received", Name: q.Get("name"), Size: int64(len(body)), Channel: r.Header.Get("Tributary-Channel")}
	f.file[id] = body
	w.WriteHeader(http.StatusCreated)
	yes(w, f.subs[id])
}

// decide moves a submission on: received, validating, and what its content says.
func (f *fake) decide(s *client.Submission) {
	content := string(f.file[s.ID])
	switch {
	case s.State == "received":
		s.State = "validating"
	case s.State != "validating" || strings.Contains(content, "forever"):
	case strings.Contains(content, "bad"):
		s.State, s.ErrorCount = "rejected", ptr(int64(3))
		s.Problems = []client.FileError{{Row: 2, Column: "Value", Code: "type", Message: "\"x\x1b\" is not a number."}, {Code: "file", Message: "The file has no end."}}
	default:
		s.State, s.Rows, s.Columns = "accepted", ptr(int64(2)), ptr(int64(5))
	}
}

func (f *fake) analyses() {
	f.on("POST /analyses/{id}/accept", func(w http.ResponseWriter, r *http.Request) {
		yes(w, client.Acceptance{Tenant: "ten_1", Analysis: r.PathValue("id"), Version: max(read[client.Decision](r).Version, 1), Decision: "accepted", Covers: true, DecidedAt: noon})
	})
	f.on("POST /runs", func(w http.ResponseWriter, r *http.Request) {
		n := read[client.NewRuns](r)
		var runs client.List[client.Run]
		for _, name := range n.Analyses {
			runs.Items = append(runs.Items, client.Run{ID: "run_" + name, Analysis: name, Version: 1, Date: n.Date, State: "queued", CreatedAt: noon})
		}
		w.WriteHeader(http.StatusCreated)
		yes(w, runs)
	})
	f.on("GET /runs/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.runs++
		name := strings.TrimPrefix(r.PathValue("id"), "run_")
		run := client.Run{ID: r.PathValue("id"), Analysis: name, Version: 1, Date: "2026-03-01", State: "running", CreatedAt: noon}
		if f.runs%2 == 0 && name != "forever" {
			run.State, run.Participants = name, 2
			if name == "mean" {
				run.State = "succeeded"
			} else {
				run.Reason = "Because."
			}
		}
		yes(w, run)
	})
	f.on("GET /runs/{id}/log", func(w http.ResponseWriter, r *http.Request) {
		page := client.List[client.LogLine]{Items: []client.LogLine{}}
		after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
		for seq := after + 1; seq <= 2; seq++ {
			page.Items = append(page.Items, client.LogLine{Seq: seq, At: noon, Level: "info", Message: fmt.Sprintf("line %d\x1b]0;x\x07", seq)})
		}
		yes(w, page)
	})
	// Each connection ends after a line, and what was begun of the next is not told.
	f.on("GET /runs/{id}/follow", func(w http.ResponseWriter, r *http.Request) {
		after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
		fmt.Fprintf(w, "retry: 2000\nid: %d\n\n:\n\n", after)
		if after == 2 {
			fmt.Fprint(w, "event: end\ndata: {\"state\":\"succeeded\",\"done\":0,\"total\":0}\n\n")
			return
		}
		raw, _ := json.Marshal(client.LogLine{Seq: after + 1, At: noon, Level: "info", Message: fmt.Sprintf("line %d\x1b]0;x\x07", after+1)})
		fmt.Fprintf(w, "event: line\nid: %d\ndata: %s\n\nevent: line\nid: 9\ndata: {", after+1, raw)
	})
}

// audit serves a chain of three entries and a checkpoint; the chain of the tenant
// "acme" has an entry that was changed.
func (f *fake) audit() {
	signer := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	public := signer.Public().(ed25519.PublicKey)
	id := sha256.Sum256(public)
	f.keys = []client.AuditKey{{ID: hex.EncodeToString(id[:8]), Algorithm: "Ed25519", PublicKey: public}}
	field := func(b, x []byte) []byte { return append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...) }
	num := func(b []byte, n int64) []byte { return field(b, binary.BigEndian.AppendUint64(nil, uint64(n))) }
	var records []client.AuditRecord
	prev := make([]byte, 32)
	for seq := int64(1); seq <= 3; seq++ {
		r := client.AuditRecord{Tenant: "ten_1", Seq: seq, At: seq, Actor: "usr_1", Verb: "v", Subject: "s", Outcome: "ok", Prev: prev}
		b := num(num(field(field(nil, []byte("tributary audit entry v1")), []byte(r.Tenant)), r.Seq), r.At)
		for _, text := range []string{r.Actor, r.Verb, r.Subject, r.Outcome} {
			b = field(b, []byte(text))
		}
		sum := sha256.Sum256(field(field(b, nil), prev))
		r.Hash = sum[:]
		prev = r.Hash
		records = append(records, r)
	}
	leaf := sha256.Sum256(field(num(field([]byte{0}, []byte("ten_1")), 3), prev))
	body := field(field(num(num(num(field(nil, []byte("tributary audit checkpoint v1")), 1), noon.UnixMicro()), 1), leaf[:]), make([]byte, 32))
	hash := sha256.Sum256(body)
	point := client.Checkpoint{Seq: 1, At: noon, Heads: 1, Root: leaf[:], Prev: make([]byte, 32), Body: body, Hash: hash[:], Key: f.keys[0].ID,
		Signature: ed25519.Sign(signer, body), Own: &client.Inclusion{Tenant: "ten_1", Seq: 3, Hash: prev}}
	f.on("GET /audit/keys", func(w http.ResponseWriter, _ *http.Request) { yes(w, client.List[client.AuditKey]{Items: f.keys}) })
	f.on("GET /audit/checkpoints", func(w http.ResponseWriter, _ *http.Request) {
		yes(w, client.List[client.Checkpoint]{Items: []client.Checkpoint{point}})
	})
	f.on("GET /audit/raw", func(w http.ResponseWriter, r *http.Request) {
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		shown := append([]client.AuditRecord{}, records[after:]...)
		if r.URL.Query().Get("tenant") == "acme" && len(shown) > 1 {
			shown[1].Actor = "usr_2"
		}
		yes(w, client.List[client.AuditRecord]{Items: shown})
	})
}
