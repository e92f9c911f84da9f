package events_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
)

// Whatever a body is, what is read of it is bounded, and an event without an error has
// what a CloudEvent has.
func FuzzCloudEvents(f *testing.F) {
	for _, text := range []string{
		`{"specversion":"1.0","id":"1","source":"/a","type":"t","data":{"a":1},"more":"x"}`,
		`[{"specversion":"1.0","id":"1","source":"/a","type":"t","time":"2026-03-01T00:00:00Z"},{"id":"\ud800"}]`,
		`[]`, `[[]]`, `{"id":"1","id":"2"}`, "{\"id\":\"\xff\"}", `{"data":` + strings.Repeat("[", 200), `null`, ``, `{} {}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := events.ReadCloudEvents(body)
		if err != nil && list != nil {
			t.Fatalf("got %d events and %v, want one of both", len(list), err)
		}
		for _, in := range list {
			e := in.Event
			if in.Err == nil && len(in.Raw) <= events.MaxEvent && (e.ID == "" || e.Type == "" || e.Origin == "" || len(e.Data) > 0 && !e.Data.IsValid() || !in.Raw.IsValid()) {
				t.Fatalf("got %+v, want an error", in)
			}
		}
	})
}

// Whatever bytes lie where a block should, they do not open as one, and nothing of
// them is read beyond their end.
func FuzzBlocks(f *testing.F) {
	ring, _ := newRing(f)
	b := newBlocks(f, ring)
	var whole [][]byte
	for n, id := range []string{string(alice), ""} {
		_, block, err := b.Seal(f.Context(), events.Header{Stream: "events", Tenant: alice[:len(id)], Sequence: uint64(n + 1)}, some(alice[:len(id)]))
		if err != nil {
			f.Fatal(err)
		}
		whole = append(whole, block)
		f.Add(block)
		f.Add(block[:len(block)/2])
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		h, err := events.ReadHeader(block)
		if err == nil && (h.Count < 1 || h.Sequence == 0 || h.Size > events.MaxLines) {
			t.Fatalf("got %+v, which no block has", h)
		}
		for _, known := range whole {
			if string(known) == string(block) {
				return
			}
		}
		if _, list, err := b.Open(t.Context(), block); err == nil {
			t.Fatalf("got %d events of a block that was not sealed here", len(list))
		}
	})
}

// What is taken in is JSON of its own line, whatever was sent.
func FuzzTheDataOfEvents(f *testing.F) {
	ring, _ := newRing(f)
	b := newBlocks(f, ring)
	for _, text := range []string{`{"a":"b\nc"}`, "{ \"a\" :\n[1,\t2] }", `{"a":{"a":{}}}`, `{"\u0061":1,"a":2}`, `{"a":1e400}`} {
		f.Add("id", []byte(text))
	}
	f.Fuzz(func(t *testing.T, id string, data []byte) {
		e := events.Event{ID: id, Source: "api", Type: "t", Time: noon, Received: noon, Tenant: alice, Data: jsontext.Value(data)}
		if events.Wrong(&e, false) != "" {
			return
		}
		_, block, err := b.Seal(t.Context(), events.Header{Stream: "events", Tenant: alice, Sequence: 1}, []events.Event{e})
		if err != nil {
			return // too large
		}
		_, list, err := b.Open(t.Context(), block)
		if err != nil || len(list) != 1 || list[0].ID != e.ID || string(list[0].Data) != string(e.Data) {
			t.Fatalf("got %+v, %v, want %+v", list, err, e)
		}
	})
}

// What was decoded strictly is as it would be if it were looked at once more, and what is
// found in it is what a decoder finds.
func FuzzObjects(f *testing.F) {
	for _, text := range []string{`{"a":{"b":[1,{"c":"}\\\""}]},"\u0062":"x,y","":null}`, "{ \"a\" :\n[1,\t2] , \"b\":-1.5e3 }", `{"a":tru`, `{"a":"`, `{"a"`, `{`, `[{"a":1}]`, `{"a":1,}`, `{"a":}`, `{"b":{}}`, `{"a":"\`} {
		f.Add([]byte(text), "a", "b")
	}
	f.Fuzz(func(t *testing.T, data []byte, first, second string) {
		found := events.Lookup(data, first, second) // which does not fail
		var top map[string]jsontext.Value
		if json.Unmarshal(data, &top) != nil {
			return
		}
		var want jsontext.Value
		var below map[string]jsontext.Value
		if json.Unmarshal(top[first], &below) == nil {
			want = below[second]
		}
		if string(found) != string(want) {
			t.Fatalf("%s at %q %q: got %s, want %s", data, first, second, found, want)
		}
		one, other := events.Event{ID: "1", Type: "t", Data: jsontext.Value(data).Clone()}, events.Event{ID: "1", Type: "t", Data: jsontext.Value(data).Clone()}
		if a, b := events.Wrong(&one, true), events.Wrong(&other, false); a != b || a == "" && string(one.Data) != string(other.Data) {
			t.Fatalf("%s: got %q and %s, and looked at again %q and %s", data, a, one.Data, b, other.Data)
		}
	})
}
