package stream_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"tributary/internal/stream"
	"tributary/internal/stream/streamtest"
	"tributary/internal/tenant"
)

// publisherOf names the variable with which this test's binary is a publisher into a
// directory, until it is killed.
const publisherOf = "TRIBUTARY_TEST_PUBLISHER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(publisherOf); dir != "" {
		if err := publishForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// saying is the data of the message that has a name.
func saying(name string) []byte { return []byte(strings.Repeat(name+" ", 15)) }

// publishForEver writes a line for each message once it is acknowledged: stream,
// sequence, tenant, name. Four publishers write batches of one to five.
func publishForEver(dir string) error {
	s, err := stream.Open(context.Background(), stream.Config{Dir: dir})
	if err != nil {
		return err
	}
	var out sync.Mutex
	failed := make(chan error)
	for p := range 4 {
		id, n := streamtest.NewTenant(), stream.Names[p%2]
		go func() {
			for i := 0; ; i++ {
				var list []stream.Message
				var names []string
				for k := range i%5 + 1 {
					names = append(names, fmt.Sprintf("%s/%d.%d", id, i, k))
					list = append(list, stream.Message{Tenant: id, Data: saying(names[k])})
				}
				last, err := s.Publish(context.Background(), n, list)
				if err != nil {
					failed <- err
					return
				}
				out.Lock()
				for k, name := range names {
					fmt.Println(n, last-uint64(len(list)-1-k), id, name)
				}
				out.Unlock()
			}
		}()
	}
	return <-failed
}

// A publisher is killed again and again, at moments of its own choice. What it said was
// acknowledged is there, in its place, once, and batches are whole.
func TestKilledPublishersLoseNothing(t *testing.T) {
	t.Parallel()
	rounds := 10
	if testing.Short() {
		rounds = 2
	}
	dir, acknowledged := t.TempDir(), map[string]string{}
	for round := range rounds {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), publisherOf+"="+dir)
		child.Stderr = os.Stderr
		lines, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		scanner := bufio.NewScanner(lines)
		for n := 0; scanner.Scan(); n++ {
			if n == 40+37*round {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			if at, name, found := cutTwo(scanner.Text()); found {
				acknowledged[name] = at
			}
		}
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the publisher ended by itself: %v", err)
		}
		look(t, dir, acknowledged)
	}
}

// cutTwo splits "events 12 ten_… NAME" into "events 12" and NAME. The last line may be torn.
func cutTwo(line string) (at, name string, found bool) {
	parts := strings.Fields(line)
	if len(parts) != 4 || !tenant.ID(parts[2]).Valid() {
		return "", "", false
	}
	return parts[0] + " " + parts[1], parts[3], true
}

func look(t *testing.T, dir string, acknowledged map[string]string) {
	t.Helper()
	s, err := stream.Open(t.Context(), stream.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	seen, batches := map[string]string{}, map[string]int{}
	for _, n := range stream.Names {
		for after := uint64(0); ; {
			list, err := s.Read(t.Context(), n, after, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			for _, m := range list {
				name, _, _ := strings.Cut(string(m.Data), " ")
				if m.Sequence != after+1 || seen[name] != "" || !bytes.Equal(m.Data, saying(name)) {
					t.Errorf("message %s has sequence %d after %d, was seen at %q, and says %.100q", name, m.Sequence, after, seen[name], m.Data)
				}
				after = m.Sequence
				seen[name] = fmt.Sprint(n, " ", m.Sequence)
				batch, _, _ := strings.Cut(name, ".")
				batches[batch]++
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, at := range acknowledged {
		if seen[name] != at {
			t.Errorf("acknowledged %s at %s: got %q", name, at, seen[name])
		}
	}
	for batch, count := range batches {
		var number int
		if _, err := fmt.Sscan(batch[strings.Index(batch, "/")+1:], &number); err != nil {
			t.Fatal(err)
		}
		if count != number%5+1 {
			t.Errorf("batch %s has %d messages, want %d", batch, count, number%5+1)
		}
	}
}
