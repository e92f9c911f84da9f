package isolation

import "encoding/json"

const planText = "events:\n  - {type: login}\n"

// sendEvents sends one that is kept and one that is not fit, both with what only its
// tenant may read in them.
func sendEvents(w *world, c *credential, _ string) shot {
	if c == nil || c.tenant == nil {
		return shot{body: []byte(`{}`)}
	}
	event := func(kind string) map[string]any {
		return map[string]any{"specversion": "1.0", "id": w.fresh(c.tenant, product), "source": "/" + w.fresh(c.tenant, product), "type": kind,
			"data": map[string]any{"note": w.fresh(c.tenant, product)}}
	}
	kept := event("login")
	kept["tenant"] = pick(w, w.tenants).id // which nobody reads
	raw, err := json.Marshal([]any{kept, event("")})
	if err != nil {
		panic(err)
	}
	return shot{body: raw, header: map[string]string{"Content-Type": "application/json"}, want: []int{empty, tooMany}}
}

func createSource(w *world, c *credential, _ string) shot {
	var of *tenant
	if c != nil {
		of = c.tenant
	}
	body := map[string]any{"name": w.fresh(of, key), "strict": w.chance(50)}
	if of == nil {
		body["tenant_field"] = "subject"
	}
	return shot{body: document(body), want: []int{created, clash}, then: func(a *answer) {
		w.know(sources, a.field("id"), of)
		w.secrets = append(w.secrets, a.field("key"))
	}}
}

// listHeld finds out which events are in quarantine.
func listHeld(w *world, c *credential, _ string) shot {
	return shot{then: func(a *answer) {
		var list struct {
			Items []struct{ ID string }
		}
		if err := json.Unmarshal(a.body, &list); err != nil {
			panic(err)
		}
		for _, x := range list.Items {
			w.know(heldEvents, x.ID, c.tenant)
		}
	}}
}

func dropHeld(w *world, _ *credential, id string) shot {
	return shot{want: []int{empty}, then: func(*answer) { w.things[id].gone = true }}
}

// runQuery does a named query, sometimes of another tenant, which a tenant's answer is not
// to have.
func runQuery(w *world, c *credential, id string) shot {
	values := map[string]any{"until": "today+1"}
	if id == "user-activity" {
		values["tenant"] = pick(w, []string{"", pick(w, w.tenants).id, pick(w, w.tenants).slug})
	}
	return shot{body: document(map[string]any{"parameters": values}), want: []int{ok, tooMany}}
}
