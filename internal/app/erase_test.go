package app

import (
	"fmt"
	"testing"

	"tributary/client"
	"tributary/internal/meta/metatest"
)

// who counts the rows that the warehouse has of somebody, whatever events call them, and
// of all.
func who(t *testing.T, admin *client.Client, tenant, name string) string {
	t.Helper()
	a := must(admin.Query(t.Context(), client.NewQuery{SQL: `SELECT (SELECT count(*) FROM fact_event WHERE tenant = '` + tenant + `' AND coalesce(user_id, anonymous_id) = '` + name + `')
		+ (SELECT count(*) FROM dim_user WHERE tenant = '` + tenant + `' AND user_id = '` + name + `') + (SELECT count(*) FROM dim_identity WHERE tenant = '` + tenant + `' AND '` + name + `' IN (alias, user_id)),
		(SELECT count(*) FROM fact_event WHERE tenant = '` + tenant + `')`}))(t)
	return fmt.Sprint(a.Rows[0])
}

// A tenant's admin erases a person: from the archive, the warehouse, quarantine, the stream
// as it is read, and for good; the provider's people may too, and other tenants may not.
func TestAPersonIsErasedFromEverything(t *testing.T) {
	t.Parallel()
	metatest.EachURL(t, func(t *testing.T, database string) {
		w := newWorld(t)
		w.cfg.Database = database
		token := must(Init(t.Context(), w.cfg, "admin@example.com", "a long enough password"))(t)
		w.start()
		admin := w.as(token)
		acme, key := w.party(admin, "acme", "000001")
		bolt, boltKey := w.party(admin, "bolt", "000002")
		of := must(acme.CreateSource(t.Context(), client.NewSource{Name: "shop"}))(t)
		post := func(body string) {
			t.Helper()
			if res, said := w.posted(of.Key, body); res.StatusCode != 204 {
				t.Fatalf("got %d %s", res.StatusCode, said)
			}
		}
		post("[" + event("1", `,"user":"ann","anonymous":"phone"`) + "," + event("2", `,"user":"bob"`) + "," + event("3", `,"anonymous":"phone"`) + "]")
		if err := admin.FlushArchive(t.Context()); err != nil {
			t.Fatal(err)
		}
		post("[" + event("4", `,"user":"ann"`) + "," + event("5", `,"user":"bob"`) + "]")
		w.posted(of.Key, `{"specversion":"1.0","id":"6","source":"/shop","user":"ann"}`) // without a type
		w.posted(boltKey.Key, event("1", `,"user":"ann"`))

		would := must(acme.EraseUser(t.Context(), client.EraseUser{User: "ann", Linked: true, DryRun: true}))(t)
		if got := fmt.Sprint(would.ID, would.Found, would.Shared); got != "[{ann 2} {phone 1}] []" {
			t.Errorf("it would erase %s", got)
		}
		begun := must(acme.EraseUser(t.Context(), client.EraseUser{Tenant: "bolt", User: "ann", Linked: true}))(t)
		if _, err := bolt.Erasure(t.Context(), begun.ID); !client.Is(err, client.NotFound) {
			t.Errorf("another's erasure: %v", err)
		}
		for _, c := range []struct {
			as   *client.Client
			want string
		}{{acme, begun.ID + " [ann phone]"}, {admin, begun.ID + " []"}, {bolt, ""}} {
			got := ""
			for _, r := range must(c.as.Erasures(t.Context(), client.TenantPage{}))(t).Items {
				got += r.ID + " " + fmt.Sprint(r.Names)
			}
			if got != c.want {
				t.Errorf("erasures: got %q, want %q", got, c.want)
			}
		}
		done := must(acme.WaitErasure(t.Context(), begun.ID, nil))(t)
		if done.Archived != 2 || done.Objects != 1 || done.Loaded != 3 || done.Held != 1 || len(done.Names) != 2 || done.Tenant != key.Tenant {
			t.Errorf("receipt: %+v", done)
		}
		left := func(when string) {
			t.Helper()
			for _, name := range []string{"ann", "phone"} {
				if got := who(t, admin, key.Tenant, name); got != "[0 2]" {
					t.Errorf("%s: the warehouse has %s of %s, want nothing", when, got, name)
				}
			}
			if got := who(t, admin, boltKey.Tenant, "ann"); got != "[2 1]" {
				t.Errorf("%s: the warehouse has %s of bolt's, want it all", when, got)
			}
			for e, err := range client.All(t.Context(), acme.EveryStreamEvent("events"), client.StreamFilter{}) {
				if err != nil || e.User == "ann" || e.Anonymous == "phone" {
					t.Errorf("%s: the stream has %+v, %v", when, e, err)
				}
			}
		}
		left("erased")
		if held := must(acme.Quarantine(t.Context(), client.QuarantineFilter{}))(t).Items; len(held) != 0 {
			t.Errorf("quarantine has %+v", held)
		}
		if err := admin.FlushArchive(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := archived(t, acme); n != 2 {
			t.Errorf("%d events are archived, want bob's", n)
		}
		must(admin.RestoreArchive(t.Context(), client.ArchiveRange{}, nil))(t)
		left("restored")
		if v := must(admin.VerifyArchive(t.Context(), client.ArchiveRange{}, nil))(t); len(v.Findings) > 0 {
			t.Errorf("verified: %v", v.Findings)
		}
		if _, err := admin.EraseUser(t.Context(), client.EraseUser{User: "bob"}); !client.Is(err, client.Invalid) {
			t.Errorf("of no tenant: %v", err)
		}
		again := must(admin.EraseUser(t.Context(), client.EraseUser{Tenant: "acme", User: "bob"}))(t)
		w.stop()
		w.start()
		acme, admin = w.as(key.Key), w.as(token)
		if done := must(admin.WaitErasure(t.Context(), again.ID, nil))(t); done.Archived != 2 || done.StartedBy == "" {
			t.Errorf("after a restart: %+v", done)
		}
		w.stop()
		if found := must(Fsck(t.Context(), w.cfg, true))(t); len(found) > 0 {
			t.Errorf("fsck: %v", found)
		}
	})
}
