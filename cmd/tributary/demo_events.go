package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"tributary/client"
)

//go:embed demo/plan.yaml
var demoPlan []byte

// demoProduct is the provider's product, whose backend tells of what its customers do,
// and the shop of one of these, which tells of its own visitors.
type demoProduct struct {
	backend, shop *client.Client // each with a write key
	random        *rand.Rand
	told          int
}

// demoEvent is a CloudEvent.
type demoEvent struct {
	SpecVersion string         `json:"specversion"`
	ID          string         `json:"id"`
	Source      string         `json:"source"`
	Type        string         `json:"type"`
	Subject     string         `json:"subject"`
	Time        time.Time      `json:"time"`
	User        string         `json:"user,omitempty"`
	Anonymous   string         `json:"anonymous,omitempty"`
	Session     string         `json:"session,omitempty"`
	Data        map[string]any `json:"data,omitempty"`
}

// demoFees are what customers pay in a month, by tier.
var demoFees = map[string]float64{"basic": 290, "standard": 690, "premium": 1490, "platinum": 3900}

// people are those of a customer who work with the product.
func (t *demoTenant) people() []string {
	all := []string{"anna", "ben", "carla", "dora", "emil", "felix", "greta", "hugo", "ida"}
	all = all[:2+int(1.4*t.scale)]
	for n, name := range all {
		all[n] = name + "@" + t.slug
	}
	return all
}

// startProduct makes what the product needs to send events.
func (w *demoWorld) startProduct(ctx context.Context) error {
	w.product = &demoProduct{random: rand.New(rand.NewPCG(7, 7))} //nolint:gosec // what people do, the same each time
	if _, err := w.admin.ApplyPlan(ctx, demoPlan); err != nil {
		return err
	}
	var err error
	w.product.backend, err = w.source(ctx, w.admin, client.NewSource{Name: "product backend", TenantField: "subject"})
	return err
}

// source makes a source of events, and a client that has its write key.
func (w *demoWorld) source(ctx context.Context, by *client.Client, n client.NewSource) (*client.Client, error) {
	made, err := by.CreateSource(ctx, n)
	if err != nil {
		return nil, err
	}
	return client.New(w.url, made.Key)
}

// account is what the product knows of a customer that has just come, and of its people.
func (p *demoProduct) account(t *demoTenant, at time.Time) []demoEvent {
	fee := demoFees[t.tier]
	list := []demoEvent{{Type: "accountCreated", Subject: t.slug, Time: at, Data: map[string]any{"companyName": t.organisation, "industry": t.industry,
		"revenue": 1_200_000 * t.scale, "employees": int(40 * t.scale), "monthlyFee": fee, "totalFee": fee}}}
	for _, person := range t.people() {
		list = append(list, demoEvent{Type: "userAdded", Subject: t.slug, Time: at, Data: map[string]any{"userID": person}})
	}
	return list
}

// visit is what somebody does from signing in on: mostly some work, and sometimes jobs.
func (p *demoProduct) visit(t *demoTenant, person string, at time.Time, idle bool) []demoEvent {
	session := fmt.Sprintf("%s %s", person, at.Format(time.RFC3339))
	var list []demoEvent
	does := func(kind string, data map[string]any) {
		list = append(list, demoEvent{Type: kind, Subject: t.slug, Time: at, User: person, Session: session, Data: data})
		at = at.Add(time.Duration(40+p.random.IntN(500)) * time.Second)
	}
	does("userLogin", nil)
	if !idle || p.random.Float64() < 0.15 {
		for range 1 + p.random.IntN(4) {
			if p.random.Float64() < 0.5 {
				does("pageViewed", map[string]any{"page": []string{"/jobs", "/data", "/reports", "/settings"}[p.random.IntN(4)]})
			} else {
				does("tableOpened", map[string]any{"table": []string{"orders", "stock", "contracts"}[p.random.IntN(3)], "rows": p.random.IntN(90_000)})
			}
		}
	}
	if !idle && p.random.Float64() < 0.6 {
		jobs := 1 + p.random.IntN(5)
		does("jobSubmitted", map[string]any{"nbJobs": jobs, "dataSize": float64(int(100*t.scale*(0.2+p.random.Float64()))) / 10, "servers": 1 + jobs/2})
		if p.random.Float64() < 0.08 {
			does("jobCancelled", map[string]any{"nbJobs": jobs})
		} else {
			does("jobTerminated", map[string]any{"nbJobs": jobs})
		}
	}
	if p.random.Float64() < 0.8 {
		does("userLogoff", nil)
	} else {
		at = at.Add(30 * time.Minute)
		does("sessionTimeout", nil)
	}
	return list
}

// day is what the customers' people do in a day that is so many days ago. On weekends that is
// little; some customers do little on all days, and who only tries the product less and less.
func (p *demoProduct) day(tenants []*demoTenant, day time.Time, back int) []demoEvent {
	var list []demoEvent
	for _, t := range tenants {
		often := 0.8 / float64(1+2*t.lateFor)
		if t.kind == "POC" {
			often *= float64(back) / (7 * demoWeeks)
		}
		if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
			often *= 0.2
		}
		people := t.people()
		for n, person := range people {
			if p.random.Float64() < often*(1-0.09*float64(n)) {
				at := day.Add(7*time.Hour + time.Duration(p.random.IntN(9*3600))*time.Second)
				list = append(list, p.visit(t, person, at, n > 1 && n == len(people)-1)...)
			}
		}
		if day.Day() == 1 {
			paid := demoFees[t.tier] * float64(demoMonths-back/30)
			list = append(list, demoEvent{Type: "accountUpdated", Subject: t.slug, Time: day.Add(6 * time.Hour), Data: map[string]any{"totalFee": paid}})
		}
	}
	if day.Weekday() == time.Wednesday { // somebody whom nobody has told Tributary of, and a type that is not in the plan
		at := day.Add(11 * time.Hour)
		list = append(list, demoEvent{Type: "userLogin", Subject: "lumen", Time: at, User: "lea@lumen"},
			demoEvent{Type: "betaFeatureTried", Subject: tenants[0].slug, Time: at, User: tenants[0].people()[0]})
	}
	return list
}

// visitors are those of a customer's shop in a day.
func (p *demoProduct) visitors(day time.Time) []demoEvent {
	var list []demoEvent
	for range 6 + p.random.IntN(9) {
		visitor, at := fmt.Sprintf("visitor-%03d", p.random.IntN(200)), day.Add(time.Duration(6*3600+p.random.IntN(13*3600))*time.Second)
		for n := range 1 + p.random.IntN(3) {
			page := []string{"/", "/shoes", "/basket"}[n]
			list = append(list, demoEvent{Type: "pageViewed", Time: at.Add(time.Duration(n) * time.Minute), Anonymous: visitor, Data: map[string]any{"page": page}})
		}
		if p.random.Float64() < 0.2 {
			items := 1 + p.random.IntN(3)
			list = append(list, demoEvent{Type: "orderPlaced", Time: at.Add(4 * time.Minute), Anonymous: visitor, Data: map[string]any{"items": items, "total": 49.9 * float64(items)}})
		}
	}
	return list
}

// send sends what has happened by a time with somebody's write key.
func (p *demoProduct) send(ctx context.Context, by *client.Client, origin string, list []demoEvent, until time.Time) error {
	sent := []demoEvent{}
	for _, e := range list {
		if e.Time.After(until) {
			continue
		}
		p.told++
		e.SpecVersion, e.ID, e.Source = "1.0", fmt.Sprintf("demo-%d", p.told), origin
		sent = append(sent, e)
	}
	raw, err := json.Marshal(sent)
	if err != nil {
		return err
	}
	if len(sent) > 0 {
		_, err = by.SendEvents(ctx, raw)
	}
	return err
}

// daily is that the product and the shop tell in the evening what happened in a day, so many
// days ago, and today what has happened so far.
func (w *demoWorld) daily(back int) event {
	day := w.now.Truncate(24*time.Hour).AddDate(0, 0, -back)
	at := day.Add(20 * time.Hour)
	if at.After(w.now) {
		at = w.now
	}
	return event{at, "the product told of " + day.Format(time.DateOnly), func(ctx context.Context) error {
		if err := w.product.send(ctx, w.product.backend, "product", w.product.day(w.tenants, day, back), at); err != nil {
			return err
		}
		return w.product.send(ctx, w.product.shop, "shop", w.product.visitors(day), at)
	}}
}
