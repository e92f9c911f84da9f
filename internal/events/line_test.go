package events_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
)

// The short way reads what the long one does, of all lines that are written here but those
// with escapes.
func TestLinesAreReadTheShortWay(t *testing.T) {
	t.Parallel()
	full := events.Event{
		ID: "1", Source: "src_1", Origin: "/shop", Type: "t é", Subject: "s", Time: noon, Received: noon.Add(time.Microsecond), Stated: noon.Add(-time.Hour), Channel: "api",
		User: "u", Anonymous: "a", Session: "se", Device: "d", Data: jsontext.Value(`{"a":"}\"\\","b":[{"c":{}},"]"],"":null}`), Context: jsontext.Value(`{}`), Flags: []string{"late", "unfit"},
	}
	least := events.Event{ID: "1", Source: "api", Type: "t", Time: noon, Received: noon}
	list := []events.Event{full, least}
	for n := range reflect.TypeFor[events.Event]().NumField() {
		one, other := least, full
		reflect.ValueOf(&one).Elem().Field(n).Set(reflect.ValueOf(full).Field(n))
		reflect.ValueOf(&other).Elem().Field(n).Set(reflect.ValueOf(least).Field(n))
		list = append(list, one, other)
	}
	for _, e := range list {
		line, err := events.Line(&e)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := events.ReadLine(line)
		if !ok || !reflect.DeepEqual(got, e) {
			t.Errorf("%s: got %+v, %v, want %+v", line, got, ok, e)
		}
	}
	line, err := events.Line(&full)
	if err != nil {
		t.Fatal(err)
	}
	text := string(line)
	for _, other := range []string{
		"", "{", text[:len(text)-1], text + " ", text + "}", strings.Replace(text, `"1"`, `"\u0031"`, 1), strings.Replace(text, `"1"`, `1`, 1), strings.Replace(text, `"data":{`, `"data":`, 1),
		strings.Replace(text, `,"type"`, `,"new":1,"type"`, 1), strings.Replace(text, `{"id"`, `{ "id"`, 1), strings.Replace(text, `"late","unfit"`, `"late" "unfit"`, 1),
		strings.Replace(text, `"late","unfit"`, `"late""unfit"`, 1), strings.Replace(text, `"unfit"]`, `"unfit",]`, 1), strings.Replace(text, `"unfit"]`, `"unfit"],`, 1), strings.Replace(text, `"late",`, ",", 1),
		strings.Replace(text, `"id":"1","source":"src_1"`, `"source":"src_1","id":"1"`, 1), strings.Replace(text, "12:00:00Z", "12:00:00", 1),
	} {
		if got, ok := events.ReadLine([]byte(other)); ok {
			t.Errorf("%s: got %+v the short way, which only lines as they are written go", other, got)
		}
	}
}

// FuzzLines holds the short way against the long one.
func FuzzLines(f *testing.F) {
	f.Add(`{"a":"}\"\\","b":[{"c":{}},"]"]}`, "1", "u")
	f.Add("", "\n", `"`)
	f.Fuzz(func(t *testing.T, data, id, user string) {
		e := events.Event{ID: id, Source: "api", Type: "t", Time: noon, Received: noon, User: user, Data: jsontext.Value(data)}
		if events.Wrong(&e, false) != "" {
			return
		}
		line, err := events.Line(&e)
		if err != nil {
			return
		}
		got, ok := events.ReadLine(line)
		var want events.Event
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		if ok && !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %+v, want %+v", line, got, want)
		}
	})
}
