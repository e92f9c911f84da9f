package events_test

import (
	"context"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/policy"
	"tributary/internal/tenant"
)

// opened fetches the picture of a link.
func (w *world) opened(token string) (events.Verdict, error) {
	w.t.Helper()
	s, e, err := w.Pixel(context.Background(), token)
	if err != nil {
		return events.Verdict{}, err
	}
	e.Time = w.hands.Now()
	return w.take(s, e)[0], nil
}

// A link writes its one event, once, under its tenant; nothing that is changed in it
// is a link, and it ends with its source.
func TestALinkIsOneEvent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.tenant("acme"), w.tenant("bolt")
		own, _ := w.source(w.admin(a.ID), events.NewSource{})
		shared, _ := w.source(provider, events.NewSource{TenantField: "context.groupId"})
		spring := jsontext.Value(`{ "campaign" : "spring" }`)
		for _, c := range []struct {
			name   string
			owner  tenant.Owner
			source *events.Source
			of     tenant.ID
			tenant string
		}{{"acme's", w.admin(a.ID), own, a.ID, ""}, {"the provider's", provider, shared, b.ID, "bolt"}} {
			links, err := w.CreatePixels(ctx, c.owner, c.source.ID, events.NewPixels{Type: "mail.opened", Users: []string{"u1", "u2"}, Tenant: c.tenant, Data: spring})
			if err != nil || len(links) != 2 || links[1].User != "u2" {
				t.Fatalf("%s: got %+v, %v, want two links", c.name, links, err)
			}
			again, err := w.CreatePixels(ctx, c.owner, c.source.ID, events.NewPixels{Type: "mail.opened", Users: []string{"u1"}, Tenant: c.tenant, Data: spring})
			if err != nil || again[0].Token == links[0].Token {
				t.Fatalf("%s: got %+v, %v, want another link", c.name, again, err)
			}
			for n, want := range []events.Result{events.OK, events.OK, events.Duplicate, events.Duplicate} {
				token := []string{links[0].Token, links[1].Token, links[0].Token, again[0].Token}[n]
				if got, err := w.opened(token); err != nil || got.Result != want {
					t.Errorf("%s, opened %d: got %+v, %v, want %s", c.name, n, got, err, want)
				}
			}
			kept := w.kept(c.of)
			if len(kept) != 2 || kept[0].User != "u1" || kept[0].Type != "mail.opened" || string(kept[0].Data) != `{"campaign":"spring"}` || kept[0].Source != c.source.ID {
				t.Errorf("%s: got %+v, want two events", c.name, kept)
			}
			token := links[0].Token
			for _, bad := range []string{"", "trp_", token[:len(token)-1], token + "A", strings.Replace(token, "trp_", "trw_", 1), "trp_" + strings.Repeat("A", 9000)} {
				_, err := w.opened(bad)
				wantKind(t, c.name+" changed", err, fault.Unauthenticated)
			}
			for n := 4; n < len(token); n += 7 {
				changed := []byte(token)
				changed[n] ^= 1
				if changed[n] == token[n] {
					continue
				}
				_, err := w.opened(string(changed))
				wantKind(t, c.name+" changed", err, fault.Unauthenticated)
			}
			_, err = w.Source(ctx, token)
			wantKind(t, c.name+" as a write key", err, fault.Unauthenticated)
			if strings.Contains(token, "spring") {
				t.Errorf("%s: got %s, want what it says sealed", c.name, token)
			}
			if _, err := w.RevokeSource(ctx, c.owner, c.source.ID); err != nil {
				t.Fatal(err)
			}
			_, err = w.opened(links[1].Token)
			wantKind(t, c.name+" of a revoked source", err, fault.Unauthenticated)
			if source, _ := events.Refused(err); source != c.source.ID {
				t.Errorf("%s: got %q refused, want %s", c.name, source, c.source.ID)
			}
			_, err = w.CreatePixels(ctx, c.owner, c.source.ID, events.NewPixels{Type: "x", Users: []string{"u"}, Tenant: c.tenant})
			wantKind(t, c.name+" of a revoked source", err, fault.Conflict)
		}
	})
}

func TestLinksAreMadeByWhoMay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		a, b := w.tenant("acme"), w.tenant("bolt")
		own, _ := w.source(w.admin(a.ID), events.NewSource{})
		shared, _ := w.source(provider, events.NewSource{TenantField: "subject"})
		good := events.NewPixels{Type: "mail.opened", Users: []string{"u1"}}
		with := func(change func(*events.NewPixels)) events.NewPixels {
			n := good
			change(&n)
			return n
		}
		for _, c := range []struct {
			name   string
			owner  tenant.Owner
			source string
			n      events.NewPixels
			want   fault.Kind
		}{
			{"another tenant", w.admin(b.ID), own.ID, good, fault.NotFound},
			{"the provider for a tenant's", provider, own.ID, good, fault.NotFound},
			{"a tenant for the provider's", w.admin(a.ID), shared.ID, good, fault.NotFound},
			{"a tenant user", tenant.OwnerOf(w.scope(a.ID, policy.TenantUser)), own.ID, good, fault.Denied},
			{"nobody", tenant.Owner{}, own.ID, good, fault.Denied},
			{"a tenant that is named", w.admin(a.ID), own.ID, with(func(n *events.NewPixels) { n.Tenant = "bolt" }), fault.Invalid},
			{"no tenant", provider, shared.ID, good, fault.NotFound},
			{"a tenant's id", provider, shared.ID, with(func(n *events.NewPixels) { n.Tenant = string(a.ID) }), fault.NotFound},
			{"no type", w.admin(a.ID), own.ID, with(func(n *events.NewPixels) { n.Type = "" }), fault.Invalid},
			{"no users", w.admin(a.ID), own.ID, with(func(n *events.NewPixels) { n.Users = nil }), fault.Invalid},
			{"an empty user", w.admin(a.ID), own.ID, with(func(n *events.NewPixels) { n.Users = []string{"u", ""} }), fault.Invalid},
			{"too many", w.admin(a.ID), own.ID, with(func(n *events.NewPixels) { n.Users = strings.Split(strings.Repeat("u,", 1001), ",") }), fault.Invalid},
			{"no object", w.admin(a.ID), own.ID, with(func(n *events.NewPixels) { n.Data = jsontext.Value(`[]`) }), fault.Invalid},
			{"large data", w.admin(a.ID), own.ID, with(func(n *events.NewPixels) { n.Data = jsontext.Value(`{"a":"` + strings.Repeat("a", 1024) + `"}`) }), fault.Invalid},
		} {
			_, err := w.CreatePixels(ctx, c.owner, c.source, c.n)
			wantKind(t, c.name, err, c.want)
		}
	})
}
