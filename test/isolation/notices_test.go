package isolation

import "fmt"

func noticeSwitches(_ *world, c *credential, _ string) shot {
	if c == nil || c.user == nil {
		return shot{want: []int{clash}}
	}
	return shot{}
}

func setNoticeSwitch(w *world, c *credential, _ string) shot {
	q := shot{body: document(map[string]any{"on": w.chance(50)})}
	if c == nil || c.user == nil {
		q.want = []int{clash}
	}
	return q
}

// createWebhook makes one whose URL is for its owner's eyes only. Its host does not
// exist.
func createWebhook(w *world, c *credential, _ string) shot {
	var of *tenant
	if c != nil {
		of = c.tenant
	}
	body := map[string]any{"url": fmt.Sprintf("https://%s.invalid/%s", w.fresh(of, key), w.fresh(of, key)), "kinds": []string{"webhook.disabled"}}
	return shot{body: document(body), want: []int{created, clash}, then: func(a *answer) {
		w.know(webhooks, a.field("id"), of)
		w.secrets = append(w.secrets, a.field("secret"))
	}}
}

func updateWebhook(w *world, _ *credential, _ string) shot {
	body := map[string]any{"state": pick(w, []string{"active", "active", "disabled"})}
	if w.chance(30) {
		body["rotate_secret"] = true
	}
	return shot{body: document(body), then: func(a *answer) {
		if text := a.field("secret"); text != "" {
			w.secrets = append(w.secrets, text)
		}
	}}
}

func deleteWebhook(w *world, _ *credential, id string) shot {
	return shot{want: []int{empty}, then: func(*answer) {
		for _, x := range w.things {
			x.gone = x.gone || x.id == id || x.webhook == id
		}
	}}
}

func testWebhook(w *world, c *credential, id string) shot {
	return shot{want: []int{accepted, clash, tooMany}, then: func(a *answer) { w.know(deliveries, a.field("id"), c.tenant).webhook = id }}
}

func preferences(w *world, c *credential, id string) shot { return noticeSwitches(w, c, id) }

// changePreferences keeps something of one's own where nobody else may read it.
func changePreferences(w *world, c *credential, _ string) shot {
	q := shot{}
	if c == nil || c.user == nil {
		q.want = []int{clash}
		q.body = document(map[string]any{"rows.users": 25})
		return q
	}
	q.body = document(map[string]any{"note": w.fresh(c.tenant, key)})
	return q
}

func resetTOTP(w *world, c *credential, id string) shot {
	if x := w.things[id]; c != nil && x != nil && x.user != nil && c.user == x.user {
		return shot{want: []int{denied}}
	}
	return shot{want: []int{clash}}
}

// unlinkOwn unlinks what is not linked: there is no issuer.
func unlinkOwn(_ *world, c *credential, _ string) shot {
	if c == nil || c.user == nil {
		return shot{want: []int{denied}}
	}
	return shot{want: []int{clash}}
}

func unlink(*world, *credential, string) shot { return shot{want: []int{clash}} }
