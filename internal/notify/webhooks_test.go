package notify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/internal/account"
	"tributary/internal/egress"
	"tributary/internal/fault"
	"tributary/internal/meta"
	"tributary/internal/notify"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// receiver is a program of somebody's that is told.
type receiver struct {
	*httptest.Server
	status int

	mu   sync.Mutex
	got  []received
	hold chan struct{} // where it is set, an answer waits for it
}

type received struct {
	header http.Header
	body   []byte
}

// newReceiver starts a receiver, and has the world trust its certificate.
func (w *world) newReceiver() *receiver {
	w.t.Helper()
	r := &receiver{status: http.StatusNoContent}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(answer http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.got = append(r.got, received{q.Header, body})
		status, hold := r.status, r.hold
		r.mu.Unlock()
		if hold != nil {
			<-hold
		}
		if status/100 == 3 {
			answer.Header().Set("Location", "https://elsewhere.example/")
		}
		answer.WriteHeader(status)
	}))
	w.t.Cleanup(r.Close)
	trusting := r.Client()
	trusting.CheckRedirect = egress.Client().CheckRedirect
	// Its name is a public one; only the way there is the test's.
	if transport, ok := trusting.Transport.(*http.Transport); ok {
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, r.Listener.Addr().String())
		}
	}
	w.cfg.Client = trusting
	w.restart()
	return r
}

const hookURL = "https://example.com/hook"

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) taken() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// verified checks a message as the specification of Standard Webhooks says, with the
// secret as it was shown, and returns what it says.
func verified(t *testing.T, m received, secret string, now time.Time) map[string]any {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 || !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("the secret %q is not one: %v", secret, err)
	}
	id, stamp := m.header.Get("webhook-id"), m.header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if age := now.Sub(time.Unix(seconds, 0)); err != nil || age < -time.Minute || age > 5*time.Minute {
		t.Errorf("the timestamp %q is %s old, %v", stamp, age, err)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, m.body)
	want := mac.Sum(nil)
	for _, signature := range strings.Fields(m.header.Get("webhook-signature")) {
		version, text, _ := strings.Cut(signature, ",")
		if got, err := base64.StdEncoding.DecodeString(text); version == "v1" && err == nil && hmac.Equal(got, want) {
			var said map[string]any
			if err := json.Unmarshal(m.body, &said); err != nil {
				t.Fatal(err)
			}
			return said
		}
	}
	t.Fatalf("no signature of %q is right", m.header.Get("webhook-signature"))
	return nil
}

func (w *world) hook(u account.User, kinds ...notify.Kind) (notify.Webhook, string) {
	w.t.Helper()
	hook, secret, err := w.CreateWebhook(w.t.Context(), w.owner(u), notify.NewWebhook{URL: hookURL, Kinds: kinds})
	if err != nil {
		w.t.Fatal(err)
	}
	return hook, secret
}

func (w *world) sent(u account.User, hook string) []notify.Delivery {
	w.t.Helper()
	list, _, err := w.Deliveries(w.t.Context(), w.owner(u), hook, meta.Page{})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestAWebhookIsToldByASignedMessageOfIDs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, admin, _ := w.tenant("acme")
		b, _, _ := w.tenant("bolt")
		r := w.newReceiver()
		hook, secret := w.hook(admin, notify.SubmissionRejected)
		w.add(rejected(b))
		w.add(notify.Notice{Kind: notify.ResultReady, Tenant: a, Subject: "res_1", Analysis: "means"})
		w.round(w.DeliverDue)
		if got := r.taken(); len(got) != 0 {
			t.Fatalf("told of another's, or of what was not asked for: %s", got[0].body)
		}
		x := rejected(a)
		x.Detail = "a detail for the mail only"
		w.add(x)
		w.round(w.DeliverDue)
		w.round(w.DeliverDue)
		got := r.taken()
		if len(got) != 1 {
			t.Fatalf("got %d messages, want 1", len(got))
		}
		said := verified(t, got[0], secret, w.Now())
		want := map[string]any{"type": "submission.rejected", "timestamp": "2026-03-01T12:00:00Z",
			"data": map[string]any{"tenant": string(a), "id": x.Subject, "dataset": "values", "date": "2026-02-28"}}
		if fmt.Sprint(said) != fmt.Sprint(want) || got[0].header.Get("Content-Type") != "application/json" {
			t.Errorf("got %v, want %v", said, want)
		}
		list := w.sent(admin, hook.ID)
		if len(list) != 1 || list[0].State != notify.Delivered || list[0].Status != http.StatusNoContent || list[0].Attempts != 1 || list[0].ID != got[0].header.Get("webhook-id") {
			t.Errorf("deliveries: %+v", list)
		}
	})
}

// The provider is told of what its people see of tenants, and not of a tenant's own
// credentials.
func TestTheProvidersWebhookIsToldOfWhatItsPeopleSee(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, admin, _ := w.tenant("acme")
		r := w.newReceiver()
		_, secret, err := w.CreateWebhook(t.Context(), tenant.UnscopedProvider(staff), notify.NewWebhook{URL: hookURL})
		if err != nil {
			t.Fatal(err)
		}
		w.add(rejected(a))
		w.add(notify.Notice{Kind: notify.NewCredential, Tenant: a, User: admin.ID, Subject: "key_1"})
		w.add(notify.Notice{Kind: notify.NewCredential, Subject: "key_2"})
		w.round(w.DeliverDue)
		var types []string
		for _, m := range r.taken() {
			said := verified(t, m, secret, w.Now())
			types = append(types, fmt.Sprint(said["type"], said["data"].(map[string]any)["id"]))
		}
		slices.Sort(types)
		if want := []string{"credential.newkey_2", "submission.rejectedsub_00000000000000000000000001"}; !slices.Equal(types, want) {
			t.Errorf("got %q, want %q", types, want)
		}
	})
}

func TestAReplacedSecretSignsForADayMore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, admin, _ := w.tenant("acme")
		r := w.newReceiver()
		hook, before := w.hook(admin)
		changed, after, err := w.UpdateWebhook(t.Context(), w.owner(admin), hook.ID, notify.WebhookPatch{RotateSecret: true})
		if err != nil || after == "" || after == before || changed.ID != hook.ID {
			t.Fatalf("got %q after %q, %v", after, before, err)
		}
		w.add(rejected(a))
		w.round(w.DeliverDue)
		m := r.taken()[0]
		verified(t, m, before, w.Now())
		verified(t, m, after, w.Now())
		w.Pass(24 * time.Hour)
		w.add(rejected(a))
		w.round(w.DeliverDue)
		m = r.taken()[1]
		verified(t, m, after, w.Now())
		if n := len(strings.Fields(m.header.Get("webhook-signature"))); n != 1 {
			t.Errorf("a day later there are %d signatures, want 1", n)
		}
	})
}

func TestAMessageIsTriedAgainUnderItsIDUntilItIsGivenUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, admin, _ := w.tenant("acme")
		r := w.newReceiver()
		hook, secret := w.hook(admin)
		r.answers(http.StatusInternalServerError)
		w.add(rejected(a))
		begun := w.Now()
		for range 2000 {
			w.round(w.DeliverDue)
			d := w.sent(admin, hook.ID)[0]
			if d.State != notify.Waiting {
				break
			}
			if d.Status != 500 || d.Error != "The answer was 500." || !d.NextAt.After(w.Now()) {
				t.Fatalf("got %+v", d)
			}
			w.Pass(d.NextAt.Sub(w.Now()))
		}
		if got := len(r.taken()); got != 8 {
			t.Errorf("tried %d times, want 8", got)
		}
		if took := w.Now().Sub(begun).Round(time.Minute); took != 27*time.Hour+35*time.Minute {
			t.Errorf("given up after %s", took)
		}
		d := w.sent(admin, hook.ID)[0]
		if d.State != notify.Failed || d.Attempts != 8 {
			t.Errorf("got %+v, want it failed", d)
		}
		for _, m := range r.taken() {
			if m.header.Get("webhook-id") != d.ID {
				t.Errorf("sent as %s, want %s each time", m.header.Get("webhook-id"), d.ID)
			}
		}
		r.answers(http.StatusOK)
		must(w.Redeliver(t.Context(), w.owner(admin), d.ID))(t)
		w.round(w.DeliverDue)
		again := r.taken()[8]
		verified(t, again, secret, w.Now())
		if got := w.sent(admin, hook.ID)[0]; got.State != notify.Delivered || again.header.Get("webhook-id") != d.ID || string(again.body) != string(r.taken()[0].body) {
			t.Errorf("sent again: %+v", got)
		}
	})
}

func TestAWebhookThatIsBrokenForLongIsDisabledAndItsAdminsAreTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, admin, _ := w.tenant("acme")
		r := w.newReceiver()
		hook, _ := w.hook(admin)
		for status, days := range map[int]int{http.StatusBadGateway: 5, http.StatusGone: 0} {
			r.answers(status)
			active := notify.HookActive
			if _, _, err := w.UpdateWebhook(t.Context(), w.owner(admin), hook.ID, notify.WebhookPatch{State: &active}); err != nil {
				t.Fatal(err)
			}
			for range days {
				w.add(rejected(a))
				w.round(w.DeliverDue)
				if got := must(w.Webhook(t.Context(), w.owner(admin), hook.ID))(t); got.State != notify.HookActive || got.FailingSince == nil {
					t.Fatalf("%d: got %+v, want it active and failing", status, got)
				}
				w.Pass(24 * time.Hour)
			}
			w.add(notify.Notice{Kind: notify.SubmissionAccepted, Tenant: a, Subject: "sub_2"})
			told := func() (list []notify.Mail) {
				for _, m := range w.outbox(a) {
					if m.Kind == notify.WebhookDisabled {
						list = append(list, m)
					}
				}
				return list
			}
			before := len(told())
			w.round(w.DeliverDue)
			if got := must(w.Webhook(t.Context(), w.owner(admin), hook.ID))(t); got.State != notify.HookDisabled || got.Reason == "" {
				t.Errorf("%d: got %+v, want it disabled", status, got)
			}
			if got := told(); len(got) != before+1 || got[0].User != admin.ID {
				t.Errorf("%d: after %d mails %+v; want one more to the admin", status, before, got)
			}
			asked := len(r.taken())
			w.Pass(48 * time.Hour)
			w.add(rejected(a))
			w.round(w.DeliverDue)
			if got := len(r.taken()); got != asked {
				t.Errorf("%d: a disabled webhook was sent %d messages", status, got-asked)
			}
		}
		_, err := w.TestWebhook(t.Context(), w.owner(admin), hook.ID)
		wantKind(t, "test of a disabled webhook", err, fault.Conflict)
	})
}

// A process that ends while it sends leaves the message to the next, under its id.
func TestAMessageThatWasTakenUpIsSentByTheNextServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, admin, _ := w.tenant("acme")
		r := w.newReceiver()
		hook, _ := w.hook(admin)
		w.add(rejected(a))
		r.hold = make(chan struct{})
		dying, die := context.WithCancel(t.Context())
		ended := make(chan error)
		old := w.Notices
		go func() { ended <- old.DeliverDue(dying) }()
		for len(r.taken()) == 0 {
			select {
			case <-t.Context().Done():
				t.Fatal("nothing was sent")
			case <-time.After(time.Millisecond):
			}
		}
		w.restart()
		w.round(w.DeliverDue)
		if got := len(r.taken()); got != 1 {
			t.Errorf("sent %d times while another has it, want once", got)
		}
		w.Pass(30 * time.Second)
		r.mu.Lock()
		hold := r.hold
		r.hold = nil
		r.mu.Unlock()
		w.round(w.DeliverDue)
		if got := r.taken(); len(got) != 2 || got[0].header.Get("webhook-id") != got[1].header.Get("webhook-id") {
			t.Errorf("got %d messages, want one twice", len(got))
		}
		die()
		close(hold)
		<-ended
		if got := w.sent(admin, hook.ID); len(got) != 1 || got[0].State != notify.Delivered {
			t.Errorf("deliveries: %+v", got)
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, each1(t))
	a, admin, _ := w.tenant("acme")
	r := w.newReceiver()
	hook, _ := w.hook(admin)
	r.answers(http.StatusTemporaryRedirect)
	w.add(rejected(a))
	w.round(w.DeliverDue)
	if d := w.sent(admin, hook.ID)[0]; d.State != notify.Waiting || !strings.Contains(d.Error, "redirect") || len(r.taken()) != 1 {
		t.Errorf("got %+v after %d requests", d, len(r.taken()))
	}
}

func TestWebhooksHaveBounds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, admin, user := w.tenant("acme")
		ctx := t.Context()
		var last notify.Webhook
		for range 10 {
			last, _ = w.hook(admin)
		}
		_, _, err := w.CreateWebhook(ctx, w.owner(admin), notify.NewWebhook{URL: hookURL})
		wantKind(t, "the eleventh", err, fault.Conflict)
		_, _, err = w.CreateWebhook(ctx, w.owner(user), notify.NewWebhook{URL: hookURL})
		wantKind(t, "a user's", err, fault.Denied)
		_, _, err = w.CreateWebhook(ctx, w.owner(admin), notify.NewWebhook{URL: hookURL, Kinds: []notify.Kind{"gossip"}})
		wantKind(t, "of a kind that is not there", err, fault.Invalid)
		_, _, err = w.CreateWebhook(ctx, w.owner(admin), notify.NewWebhook{URL: "https://example.com/" + strings.Repeat("x", 2000)})
		wantKind(t, "a long URL", err, fault.Invalid)
		for range 100 {
			must(w.TestWebhook(ctx, w.owner(admin), last.ID))(t)
		}
		_, err = w.TestWebhook(ctx, w.owner(admin), last.ID)
		wantKind(t, "one more test", err, fault.Throttled)
		r := w.newReceiver()
		w.round(w.DeliverDue)
		if got := len(r.taken()); got != 10 {
			t.Errorf("a round sends %d messages to one webhook, want 10", got)
		}
	})
}

func TestErasureLeavesNothingOfATenants(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, admin, user := w.tenant("acme")
		b, other, _ := w.tenant("bolt")
		w.person("", "boss@provider.example", policy.SystemAdmin)
		w.hook(admin)
		kept, _ := w.hook(other)
		must(w.SetSwitch(ctx, w.principal(user), notify.ResultReady, false))(t)
		w.add(rejected(a))
		w.add(rejected(b))
		w.add(notify.Notice{Kind: notify.NewCredential, Subject: "key_1"})
		for range 2 {
			method, n, err := w.EraseTenant(ctx, a)
			if err != nil || method == "" {
				t.Fatal(method, n, err)
			}
		}
		for _, table := range []string{"webhooks", "webhook_deliveries", "notice_mails", "notice_switches"} {
			var left int64
			if err := w.cfg.DB.Unscoped().QueryRow(ctx, `SELECT count(*) FROM `+table+` WHERE tenant = $1`, string(a)).Scan(&left); err != nil || left != 0 {
				t.Errorf("%s has %d rows of it, %v", table, left, err)
			}
		}
		if len(w.outbox(b)) != 2 || len(w.outbox("")) != 1 || len(w.sent(other, kept.ID)) != 1 {
			t.Error("others' are gone too")
		}
		_, _, err := w.EraseTenant(ctx, "")
		if err == nil {
			t.Error("the provider's were erased")
		}
	})
}

// slow is a client whose every receiver takes some time to answer.
type slow struct {
	notify.Client
	takes func()
}

func (s slow) Do(r *http.Request) (*http.Response, error) {
	s.takes()
	return s.Client.Do(r)
}

// One that takes its time over each message has little of a round's.
func TestASlowWebhookHasLittleOfARound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, each1(t))
	a, admin, _ := w.tenant("acme")
	r := w.newReceiver()
	w.cfg.Client = slow{w.cfg.Client, func() { w.Pass(8 * time.Second) }}
	w.restart()
	hook, _ := w.hook(admin)
	for range 5 {
		w.add(rejected(a))
	}
	for _, want := range []int{2, 4, 5} {
		w.round(w.DeliverDue)
		if got := len(r.taken()); got != want {
			t.Errorf("%d messages were sent, want %d", got, want)
		}
	}
	for _, d := range w.sent(admin, hook.ID) {
		if d.State != notify.Delivered || d.Attempts != 1 {
			t.Errorf("got %+v, want it delivered at once", d)
		}
	}
}
