package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/internal/fault"
	"tributary/internal/tenant"
)

// The bounds of one Read, whatever is asked for.
const (
	maxRead  = 1000
	maxBytes = 16 << 20
)

// Missing says which messages of a stream cannot be had: From to To. Who wants what
// comes after them records it, and reads on after To.
type Missing struct {
	Stream   Name
	From, To uint64
}

func (m Missing) Error() string {
	return fmt.Sprintf("messages %d to %d of stream %s are missing", m.From, m.To, m.Stream)
}

// Shorter says that a stream ends before what was read of it: its newest messages are
// lost, or it is another stream.
type Shorter struct {
	Stream    Name
	End, Read uint64
}

func (s Shorter) Error() string {
	return fmt.Sprintf("stream %s ends at %d, before %d", s.Stream, s.End, s.Read)
}

// Read returns messages after a sequence, at most most of them, in order: of one tenant,
// or with "" of all tenants and the provider. At the end it returns none, and does not
// wait. After 0 it begins with the oldest that is there.
//
// Messages that are kept no longer are never passed over (but see ExpireTenant and EraseTenant), and with
// "" no damaged ones either: the error then has a Missing in its chain, and its kind is NotFound or Damaged.
// The kind is Damaged too when the stream ends before the sequence, which must have been
// read somewhere; it has a Shorter in its chain.
func (s *Streams) Read(ctx context.Context, n Name, after uint64, id tenant.ID, most int) ([]Stored, error) {
	subject, err := n.subject(id)
	if err != nil {
		return nil, err
	}
	if id == "" {
		subject = n.all()
	}
	if most <= 0 || most > maxRead {
		most = maxRead
	}
	if gone := s.named[n].expiredOf(id); id != "" && after != 0 && after < gone {
		return nil, fault.Wrap(fault.NotFound, Missing{n, after + 1, gone}, "The messages %d to %d of the stream %s are kept no longer for this tenant.", after+1, gone, n)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list, err := s.get(ctx, n, after, subject, most)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", n, err)
	}
	if len(list) > 0 && list[0].Sequence == after+1 {
		return s.whole(n, list, id)
	}
	state, err := s.State(ctx, n)
	if err != nil {
		return nil, err
	}
	switch {
	case after > state.Last:
		return nil, fault.Wrap(fault.Damaged, Shorter{n, state.Last, after}, "The stream %s ends at %d, and was read to %d before: its newest messages are lost.", n, state.Last, after)
	case after == 0:
		after = state.First - 1
	case after+1 < state.First:
		return nil, fault.Wrap(fault.NotFound, Missing{n, after + 1, state.First - 1},
			"The messages %d to %d of the stream %s are kept no longer. The oldest is %d.", after+1, state.First-1, n, state.First)
	}
	if after == state.Last {
		return nil, nil
	}
	if len(list) == 0 { // whoever answered may not be as far as the leader
		switch next, err := s.one(ctx, n, map[string]any{"seq": after + 1, "next_by_subj": subject}); {
		case err == nil:
			list = []Stored{next}
		case !fault.Is(err, fault.NotFound):
			return nil, err
		}
	}
	if id != "" {
		return list, nil
	}
	next := state.Last + 1
	if len(list) > 0 {
		next = list[0].Sequence
	}
	if gone, missing := s.gap(n, after+1, next); missing {
		return nil, fault.Wrap(fault.Damaged, gone, "The messages %d to %d of the stream %s cannot be read: their bytes are not what was written.", gone.From, gone.To, n)
	}
	return s.whole(n, list, id)
}

// whole is a list up to where a sequence is left out that nobody removed, or where a lost
// message was. That is looked into when somebody reads on from there. Of a tenant's
// own, sequences are left out by nature.
func (s *Streams) whole(n Name, list []Stored, id tenant.ID) ([]Stored, error) {
	if id != "" {
		return list, nil
	}
	for i, m := range list {
		if i > 0 {
			if _, missing := s.gap(n, list[i-1].Sequence+1, m.Sequence); missing || m.Tenant == lost {
				return list[:i], nil
			}
		}
		if m.Tenant == lost {
			to := 0
			for to+1 < len(list) && list[to+1].Tenant == lost {
				to++
			}
			return nil, fault.Wrap(fault.Damaged, Missing{n, m.Sequence, list[to].Sequence},
				"The messages %d to %d of the stream %s are lost: their bytes were damaged.", m.Sequence, list[to].Sequence, n)
		}
	}
	return list, nil
}

// gap returns what is missing from a sequence to before another, but for what was thinned.
func (s *Streams) gap(n Name, from, next uint64) (m Missing, missing bool) {
	from = max(from, s.named[n].thinnedTo()+1)
	return Missing{n, from, next - 1}, from < next
}

// Last returns a tenant's newest message, with "" the provider's. The fault is NotFound
// when there is none.
func (s *Streams) Last(ctx context.Context, n Name, id tenant.ID) (Stored, error) {
	subject, err := n.subject(id)
	if err != nil {
		return Stored{}, err
	}
	return s.one(ctx, n, map[string]any{"last_by_subj": subject})
}

// First returns a tenant's oldest message, with "" the provider's. The fault is NotFound
// when there is none.
func (s *Streams) First(ctx context.Context, n Name, id tenant.ID) (Stored, error) {
	subject, err := n.subject(id)
	if err != nil {
		return Stored{}, err
	}
	return s.one(ctx, n, map[string]any{"seq": 1, "next_by_subj": subject})
}

// Before returns the sequence that messages of a time or later come after.
func (s *Streams) Before(ctx context.Context, n Name, t time.Time) (uint64, error) {
	if !n.Valid() {
		return 0, unknown(n)
	}
	m, err := s.one(ctx, n, map[string]any{"start_time": t.UTC().Format(time.RFC3339Nano), "next_by_subj": n.all()})
	if fault.Is(err, fault.NotFound) {
		state, err := s.State(ctx, n)
		return state.Last, err
	}
	if err != nil {
		return 0, err
	}
	return m.Sequence - 1, nil
}

// one asks the stream's leader for a message.
func (s *Streams) one(ctx context.Context, n Name, request map[string]any) (Stored, error) {
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Data     []byte    `json:"data"`
			At       time.Time `json:"time"`
		} `json:"message"`
	}
	if err := s.ask(ctx, "STREAM.MSG.GET."+string(n), request, &answer); err != nil {
		return Stored{}, fmt.Errorf("read stream %s: %w", n, err)
	}
	if answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return Stored{}, fault.New(fault.NotFound, "The stream %s has no such message.", n)
	}
	if answer.Error != nil {
		return Stored{}, fmt.Errorf("read stream %s: %w", n, kindly(n, answer.Error))
	}
	id, err := n.tenantOf(answer.Message.Subject)
	if err != nil {
		return Stored{}, err
	}
	return Stored{Sequence: answer.Message.Sequence, At: answer.Message.At.UTC(), Message: Message{Tenant: id, Data: answer.Message.Data}}, nil
}

// get reads messages from whichever node answers. It stops at the first that it cannot
// have, and does not say so.
func (s *Streams) get(ctx context.Context, n Name, after uint64, subject string, most int) ([]Stored, error) {
	request, err := json.Marshal(map[string]any{"seq": after + 1, "next_by_subj": subject, "batch": most, "max_bytes": maxBytes})
	if err != nil {
		return nil, err
	}
	inbox := s.conn.NewInbox()
	answers, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return nil, silent(ctx, err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := s.conn.PublishRequest("$JS.API.DIRECT.GET."+string(n), inbox, request); err != nil {
		return nil, silent(ctx, err)
	}
	var list []Stored
	for {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return nil, silent(ctx, err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404": // the end, and nothing at all
			return list, nil
		default:
			return nil, fault.Wrap(fault.Unavailable, fmt.Errorf("status %s %s", status, m.Header.Get("Description")), "The stream %s does not answer. Try again.", n)
		}
		one, err := stored(n, m)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
}

func stored(n Name, m *nats.Msg) (Stored, error) {
	id, err := n.tenantOf(m.Header.Get("Nats-Subject"))
	if err != nil {
		return Stored{}, err
	}
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return Stored{}, fmt.Errorf("sequence of a message: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return Stored{}, fmt.Errorf("time of message %d: %w", seq, err)
	}
	return Stored{Sequence: seq, At: at.UTC(), Message: Message{Tenant: id, Data: m.Data}}, nil
}

func (n Name) tenantOf(subject string) (tenant.ID, error) {
	word, found := strings.CutPrefix(subject, string(n)+".")
	if !found {
		return "", fault.New(fault.Damaged, "The stream %s has a message of subject %q.", n, subject)
	}
	switch word {
	case provider:
		return "", nil
	case lost:
		return lost, nil
	}
	if id := tenant.ID(word); id.Valid() {
		return id, nil
	}
	return "", fault.New(fault.Damaged, "The stream %s has a message of subject %q.", n, subject)
}
