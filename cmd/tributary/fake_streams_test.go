package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"tributary/client"
)

func (f *fake) streams() {
	f.on("GET /streams", func(w http.ResponseWriter, _ *http.Request) {
		at := noon
		yes(w, client.List[client.Stream]{Items: []client.Stream{{ID: "tenants", Days: 7, LastAt: &at, First: 1, Last: 2, Messages: 2, Bytes: 300}, {ID: "jobs", Days: 30}}})
	})
	event := func(n int) client.StreamEvent {
		return client.StreamEvent{SpecVersion: "1.0", ID: fmt.Sprint(n), Source: "tributary", Type: "tributary.submission.receive", Subject: fmt.Sprint("sub_", n), Time: noon, Received: noon,
			Tenant: "ten_1", Data: json.RawMessage(`{"outcome":"ok"}`)}
	}
	f.on("GET /streams/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		switch after := r.URL.Query().Get("after"); {
		case r.PathValue("id") != "jobs":
			no(w, 404, client.NotFound, "There is no such stream.")
		case after == "":
			yes(w, client.List[client.StreamEvent]{Items: []client.StreamEvent{event(1)}, Next: "1"})
		default:
			yes(w, client.List[client.StreamEvent]{Items: []client.StreamEvent{event(2)}})
		}
	})
	f.on("GET /streams/{id}/tail", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := 1; n <= 2; n++ {
			raw, _ := json.Marshal(event(n))
			fmt.Fprintf(w, "event: event\nid: %d\ndata: %s\n\n", n, raw)
		}
		fmt.Fprint(w, "event: missing\nid: 3\ndata: {\"from\":3,\"to\":3,\"message\":\"Events are missing here.\"}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
}
