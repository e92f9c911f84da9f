package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tributary/client"
)

func TestErrorsOfSeveralLinesArePrintedAsLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	o := &output{stderr: &b}
	err := &client.Error{Problem: client.Problem{Type: "urn:tributary:invalid", Status: http.StatusUnprocessableEntity,
		Detail: "line 4: columns[0].type: \"int\x1b[2J\" is not known.\r\nline 5: cadence: \"hourly\u202e\" is not known.\nhint: run this\n"}}
	if code := o.fail(err); code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	want := "error: line 4: columns[0].type: \"int\\x1b[2J\" is not known.\n" +
		"       line 5: cadence: \"hourly\\u202e\" is not known.\n" +
		"       hint: run this\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Lists and details of submissions say which were late.
func TestLateSubmissionsAreMarked(t *testing.T) {
	t.Parallel()
	late := client.Submission{ID: "sub_1", State: "accepted", Late: true, ReceivedAt: noon}
	timely := client.Submission{ID: "sub_2", State: "accepted", ReceivedAt: noon}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		yes(w, client.List[client.Submission]{Items: []client.Submission{late, timely}})
	}))
	defer server.Close()
	c, err := client.New(server.URL, "good")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	o := &output{stdout: &b, stderr: &b}
	if err := (&submissionListCmd{}).Run(t.Context(), o, c); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], "LATE") || !strings.HasSuffix(lines[1], " yes") || !strings.HasSuffix(lines[2], " no") {
		t.Errorf("list:\n%s", b.String())
	}
	for want, s := range map[string]client.Submission{"yes": late, "no": timely} {
		b.Reset()
		o.submission(s)
		if fields := strings.Fields(b.String()); !strings.Contains(strings.Join(fields, " "), " late "+want) {
			t.Errorf("late %s is not in\n%s", want, b.String())
		}
	}
}
