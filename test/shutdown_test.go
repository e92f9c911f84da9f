package test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"tributary/client"
	"tributary/test/servertest"
)

// TestShutdownFinishesUploads sends SIGTERM in the middle of an upload: the
// server takes no new connection, but finishes this one.
func TestShutdownFinishesUploads(t *testing.T) {
	t.Parallel()
	const date = "2022-10-01"
	s := started(t, "")
	a, _ := s.exchange()
	text := servertest.Values(1, date, "x,y,10", "x,z,2")
	body, w := io.Pipe()
	type outcome struct {
		sent client.Submission
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		sent, err := a.Submit(t.Context(), client.Upload{Dataset: dataset, Date: date, Name: servertest.InputName(1, date), Body: body})
		done <- outcome{sent, err}
	}()
	if _, err := io.WriteString(w, text[:20]); err != nil { // returns once the client has it
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text[20:40]); err != nil { // so by now the request is under way
		t.Fatal(err)
	}
	// A request made later on another connection has been answered: this one is being handled.
	if _, err := a.Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Terminate()
	s.refusesConnections()
	if _, err := io.WriteString(w, text[40:]); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got := <-done
	if got.err != nil {
		t.Fatalf("upload during shutdown: got %v, want it finished", got.err)
	}
	s.Stopped()
	s.Sound()
	s.Start()
	s.Reconnect(&a.Party)
	if v := must(a.WaitSubmission(t.Context(), got.sent.ID))(t); v.State != "accepted" {
		t.Errorf("submission of the shutdown: got %s %v, want accepted", v.State, v.Problems)
	}
}

// refusesConnections waits until the server's port is closed.
func (s *server) refusesConnections() {
	s.T.Helper()
	address := strings.TrimPrefix(s.URL, "http://")
	for end := time.Now().Add(servertest.Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		c.Close()
	}
	s.T.Fatalf("the server takes connections %v after SIGTERM", servertest.Patience)
}
