package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Events as the method of measures says: 12 types, some more common than others, of
// tenants (Zipf 1.1) and users (Zipf 1.2), about 580 bytes each as Segment's clients send them.
const (
	eventTenants = 1_000
	eventUsers   = 100_000
	tenantField  = "context.groupId"
	idDigits     = 16
	stampForm    = "2006-01-02T15:04:05.000Z"
)

var eventTypes = []struct {
	name   string
	weight int
}{
	{"page viewed", 40}, {"report opened", 15}, {"search run", 10}, {"login", 8}, {"dashboard opened", 7}, {"file uploaded", 5},
	{"jobSubmitted", 4}, {"jobTerminated", 4}, {"export started", 3}, {"invite sent", 2}, {"setting changed", 1}, {"jobCancelled", 1},
}

// events makes events, the same each time.
type events struct {
	random  *rand.Rand
	tenants *rand.Zipf
	users   *rand.Zipf
	total   int // of the types' weights
	tenant  func(n uint64) string
}

func newEvents(stream uint64, tenants int) *events {
	r := rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // data must be the same each time
	e := &events{random: r, tenants: rand.NewZipf(r, 1.1, 1, uint64(tenants-1)), users: rand.NewZipf(r, 1.2, 1, eventUsers-1), tenant: slugOf}
	for _, t := range eventTypes {
		e.total += t.weight
	}
	return e
}

func slugOf(n uint64) string { return fmt.Sprintf("tenant-%05d", n) }

func (e *events) kind() string {
	n := e.random.IntN(e.total)
	for _, t := range eventTypes {
		if n -= t.weight; n < 0 {
			return t.name
		}
	}
	panic("the weights do not add up")
}

// append adds an event as Segment's client for node writes it.
func (e *events) append(b []byte, now time.Time) []byte {
	r, user := e.random, e.users.Uint64()
	return fmt.Appendf(b, `{"type":"track","messageId":"%0*d","userId":"user-%06d","anonymousId":"%08x-%04x-4%03x-a%03x-%012x","event":%q,"timestamp":%q,`+
		`"properties":{"path":"/projects/%d/reports/%d","title":"Report %d of project %d","referrer":"https://app.example.com/projects/%d","duration_ms":%d,"plan":%q,"seats":%d},`+
		`"context":{"groupId":%q,"ip":"10.%d.%d.%d","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1%d.0.0.0 Safari/537.36","library":{"name":"@segment/analytics-node","version":"2.3.0"},"sessionId":"s-%010d"}}`,
		idDigits, 0, user, r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48), e.kind(), now.Format(stampForm),
		r.IntN(500), r.IntN(9000), r.IntN(9000), r.IntN(500), r.IntN(500), r.IntN(90_000), []string{"free", "team", "business"}[r.IntN(3)], 1+r.IntN(200),
		e.tenant(e.tenants.Uint64()), r.IntN(256), r.IntN(256), r.IntN(256), 20+r.IntN(20), r.IntN(1_000_000))
}

// payload is a request's body, of which the ids and the time of sending are written
// anew each time that it is sent.
type payload struct {
	body []byte
	ids  []int // where they are
	sent int
}

func (e *events) payload(count int, now time.Time) payload {
	p := payload{body: []byte(`{"batch":[`)}
	for n := range count {
		if n > 0 {
			p.body = append(p.body, ',')
		}
		p.ids = append(p.ids, len(p.body)+len(`{"type":"track","messageId":"`))
		p.body = e.append(p.body, now)
	}
	p.body = append(p.body, `],"sentAt":"`...)
	p.sent = len(p.body)
	p.body = append(p.body, now.Format(stampForm)+`"}`...)
	return p
}

// sender is one connection that sends requests one after the other. It is written for
// costing little beside what it measures.
type sender struct {
	conn     net.Conn
	answers  *bufio.Reader
	head     string // of each request, up to the length
	payloads []payload
	next     int
	id       uint64 // of the next event
}

// dial connects a sender, whose events have ids from which no other sender's have.
func dial(ctx context.Context, target, key string, number int, payloads []payload) (*sender, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	head := "POST /v1/batch HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nAuthorization: Basic " +
		base64.StdEncoding.EncodeToString([]byte(key+":")) + "\r\nContent-Length: "
	return &sender{conn: conn, answers: bufio.NewReader(conn), head: head, payloads: payloads, id: uint64(number) * 1_000_000_000}, nil
}

func (s *sender) close() error { return s.conn.Close() }

// send sends the next request and returns its status.
func (s *sender) send() (int, error) {
	p := &s.payloads[s.next%len(s.payloads)]
	s.next++
	for _, at := range p.ids {
		id := s.id
		s.id++
		for n := at + idDigits - 1; n >= at; n-- {
			p.body[n] = byte('0' + id%10)
			id /= 10
		}
	}
	copy(p.body[p.sent:], time.Now().UTC().Format(stampForm))
	out := net.Buffers{[]byte(s.head + strconv.Itoa(len(p.body)) + "\r\n\r\n"), p.body}
	if _, err := out.WriteTo(s.conn); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(s.answers, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}

// sent is what became of requests.
type sent struct {
	took     []time.Duration // of those that were answered with success, rising
	refused  int             // 429
	requests int
	wall     time.Duration
}

func (s sent) p(n int) time.Duration { return percentile(s.took, n) }

// drive has all senders send until the time is over: one request after the other, or, if
// every is not 0, all of them together one in that time, whether or not the last is
// answered; then what an answer took counts from when the request was due.
func drive(senders []*sender, during, every time.Duration) (sent, error) {
	began := time.Now()
	parts := make([]sent, len(senders))
	errs := make([]error, len(senders))
	var all sync.WaitGroup
	for i, s := range senders {
		all.Go(func() {
			part := &parts[i]
			for n := i; ; n += len(senders) {
				due := time.Now()
				if every > 0 {
					due = began.Add(time.Duration(n) * every)
					time.Sleep(time.Until(due))
				}
				if due.Sub(began) >= during {
					return
				}
				status, err := s.send()
				part.requests++
				switch {
				case err != nil:
					errs[i] = err
					return
				case status == http.StatusTooManyRequests:
					part.refused++
				case status != http.StatusOK:
					errs[i] = fmt.Errorf("events were answered with %d", status)
					return
				default:
					part.took = append(part.took, time.Since(due))
				}
			}
		})
	}
	all.Wait()
	total := sent{wall: time.Since(began)}
	for _, part := range parts {
		total.took = append(total.took, part.took...)
		total.refused += part.refused
		total.requests += part.requests
	}
	slices.Sort(total.took)
	err := errors.Join(errs...)
	if err == nil && len(total.took) == 0 {
		err = errors.New("no request was answered with success")
	}
	return total, err
}

func closeAll(senders []*sender) error {
	var errs []error
	for _, s := range senders {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
