// Command goclients sends a few events with a Go client: analytics-go or posthog-go.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/posthog/posthog-go"
	"github.com/segmentio/analytics-go/v3"
)

func main() {
	var o outcome
	url, key := os.Getenv("COLLECT_URL"), os.Getenv("COLLECT_KEY")
	send := map[string]func(string, string, *outcome) error{"segment": segment, "posthog": capture}[os.Args[1]]
	if err := send(url, key, &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(append([]string{}, o.failed...))
}

// outcome waits until a client has said of each event whether it was delivered.
type outcome struct {
	left   sync.WaitGroup
	mu     sync.Mutex
	failed []string
}

func (o *outcome) of(err error) {
	if err != nil {
		o.mu.Lock()
		o.failed = append(o.failed, err.Error())
		o.mu.Unlock()
	}
	o.left.Done()
}

type ofSegment struct{ *outcome }

func (o ofSegment) Success(analytics.Message)            { o.of(nil) }
func (o ofSegment) Failure(_ analytics.Message, e error) { o.of(e) }

type ofPostHog struct{ *outcome }

func (o ofPostHog) Success(posthog.APIMessage)            { o.of(nil) }
func (o ofPostHog) Failure(_ posthog.APIMessage, e error) { o.of(e) }

func segment(url, key string, o *outcome) error {
	c, err := analytics.NewWithConfig(key, analytics.Config{Endpoint: url, BatchSize: 3, Callback: ofSegment{o}, DefaultContext: &analytics.Context{Extra: map[string]any{"groupId": "acme"}},
		RetryAfter: func(int) time.Duration { return 50 * time.Millisecond }})
	if err != nil {
		return err
	}
	for _, m := range []analytics.Message{
		analytics.Identify{MessageId: "g1", UserId: "u1", Traits: analytics.NewTraits().Set("plan", "pro")},
		analytics.Track{MessageId: "g2", UserId: "u1", Event: "Order Completed", Properties: analytics.NewProperties().Set("total", 12.5)},
		analytics.Group{MessageId: "g3", UserId: "u1", GroupId: "acme"},
	} {
		o.left.Add(1)
		if err := c.Enqueue(m); err != nil {
			return err
		}
	}
	o.left.Wait() // Close drops what is being tried again
	return c.Close()
}

func capture(url, key string, o *outcome) error {
	c, err := posthog.NewWithConfig(key, posthog.Config{Endpoint: url, BatchSize: 3, Callback: ofPostHog{o}, RetryAfter: func(int) time.Duration { return 50 * time.Millisecond }})
	if err != nil {
		return err
	}
	for _, m := range []posthog.Message{
		posthog.Identify{DistinctId: "u1", Properties: posthog.NewProperties().Set("plan", "pro")},
		posthog.Capture{Uuid: "0b5a3c1e-0000-4000-8000-000000000001", DistinctId: "u1", Event: "Order Completed", Properties: posthog.NewProperties().Set("total", 12.5), Groups: posthog.NewGroups().Set("company", "acme")},
		posthog.Alias{DistinctId: "u1", Alias: "a1"},
	} {
		o.left.Add(1)
		if err := c.Enqueue(m); err != nil {
			return err
		}
	}
	o.left.Wait()
	return c.Close()
}
