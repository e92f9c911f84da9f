package events

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// Reader reads streams for people: events in order, from a place on. It is safe for
// use by several goroutines.
type Reader struct {
	streams *stream.Streams
	blocks  *Blocks
	ring    *keys.Ring
	kept    Kept
}

// Kept tells how long a tenant's events stay on a stream.
type Kept func(ctx context.Context, n stream.Name, id tenant.ID) (time.Duration, error)

// NewReader makes a Reader. How long a tenant's events are kept, kept says; nil: as long
// as any.
func NewReader(streams *stream.Streams, blocks *Blocks, ring *keys.Ring, kept Kept) *Reader {
	return &Reader{streams, blocks, ring, kept}
}

// Placed is an event with the place to read on from after it.
type Placed struct {
	Event
	Place string
}

// View is a stream as one may see it: of all tenants, or of one.
type View struct {
	reader *Reader
	name   stream.Name
	id     tenant.ID
	all    bool // whatever id is
	sealed bool // places tell nothing of how much others publish
}

// View is the part of a stream that is the scope's tenant's.
func (r *Reader) View(ctx context.Context, scope tenant.Scope, n stream.Name) (*View, error) {
	if err := scope.Check(ctx, tenant.Read, tenant.Streams); err != nil {
		return nil, err
	}
	return r.view(&View{name: n, id: scope.Tenant(), sealed: true})
}

// UnscopedView is one tenant's part of a stream, for the provider; with "" all of it.
func (r *Reader) UnscopedView(n stream.Name, id tenant.ID) (*View, error) {
	return r.view(&View{name: n, id: id, all: id == ""})
}

func (r *Reader) view(v *View) (*View, error) {
	if !v.name.Valid() {
		return nil, fault.New(fault.NotFound, "There is no stream %q.", v.name)
	}
	v.reader = r
	return v, nil
}

// position is a place: after some events of the message with a sequence. With all of
// them it is after the message itself.
type position struct {
	sequence uint64
	events   uint32
}

// whole is an events of a position that stands for all.
const whole = 0

func (v *View) about() []byte {
	return []byte("place in stream " + string(v.name) + " of " + string(v.id))
}

// place writes a position for who reads this view: a tenant does not see in it how
// much others publish.
func (v *View) place(p position) (string, error) {
	if !v.sealed {
		if p.events == whole {
			return strconv.FormatUint(p.sequence, 10), nil
		}
		return fmt.Sprintf("%d.%d", p.sequence, p.events), nil
	}
	raw := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, p.sequence), p.events)
	sealed, err := v.reader.ring.EncryptOwn(raw, v.about())
	if err != nil {
		return "", fmt.Errorf("seal place: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// position reads what place wrote; "" and "0" are the beginning.
func (v *View) position(place string) (p position, err error) {
	wrong := fault.New(fault.Invalid, "This is no place in the stream %s. A list's next, or an event's id in a tail, is.", v.name)
	if place == "" || place == "0" {
		return p, nil
	}
	if v.sealed {
		sealed, err := base64.RawURLEncoding.DecodeString(place)
		if err != nil {
			return p, wrong
		}
		raw, err := v.reader.ring.DecryptOwn(sealed, v.about())
		if err != nil || len(raw) != 12 {
			return p, wrong
		}
		return position{binary.BigEndian.Uint64(raw), binary.BigEndian.Uint32(raw[8:])}, nil
	}
	sequence, events, part := strings.Cut(place, ".")
	if p.sequence, err = strconv.ParseUint(sequence, 10, 63); err != nil {
		return p, wrong
	}
	if part {
		n, err := strconv.ParseUint(events, 10, 32)
		if err != nil || n == whole {
			return p, wrong
		}
		p.events = uint32(n)
	}
	return p, nil
}

// readBlocks is how many blocks are read at once.
const readBlocks = 50

// Next returns events after a place, at most most of them, the place after what was
// read, and whether that is the end for now; it does not wait. Where blocks are missing,
// or damaged, the error says so, with a stream.Missing in its chain.
func (v *View) Next(ctx context.Context, place string, most int) (list []Placed, next string, end bool, err error) {
	p, err := v.position(place)
	if err != nil {
		return nil, "", false, err
	}
	for len(list) < most && !end {
		if list, p, end, err = v.more(ctx, list, p, most); err != nil && len(list) == 0 {
			return nil, "", false, v.tell(err)
		} else if err != nil {
			break // said when somebody reads on from there
		}
	}
	next, err = v.place(p)
	return list, next, end && err == nil, err
}

// more adds what some more blocks have to a list, which has most of them at most.
func (v *View) more(ctx context.Context, list []Placed, p position, most int) ([]Placed, position, bool, error) {
	blocks, last, err := v.read(ctx, p)
	if err != nil {
		return list, p, false, err
	}
	for _, m := range blocks {
		if last, err = v.lost(p, last, m); err != nil {
			return list, p, false, err
		}
		found, gone, err := v.open(ctx, m)
		if err != nil {
			return list, p, false, err
		}
		from := 0
		if m.Sequence == p.sequence {
			from = min(int(p.events), len(found))
		}
		for i := from; i < len(found); i++ {
			if len(list) == most {
				return list, p, false, nil
			}
			if p = (position{m.Sequence, uint32(i + 1)}); i+1 == len(found) {
				p.events = whole
			}
			if gone.Has(&found[i]) {
				continue
			}
			at, err := v.place(p)
			if err != nil {
				return list, p, false, err
			}
			list = append(list, Placed{found[i], at})
		}
		p = position{m.Sequence, whole}
	}
	return list, p, len(blocks) == 0, nil
}

// read reads blocks from a place on, and says which block of a tenant's chain is before
// them: the stream does not say of a tenant's own that some are lost, but their chain does.
func (v *View) read(ctx context.Context, p position) (blocks []stream.Stored, last Place, err error) {
	after := p.sequence
	if p.events != whole {
		after--
	}
	if v.all || p.events != whole || p.sequence <= 1 { // from 0 on nothing is said of what is kept no longer
		blocks, err = v.reader.streams.Read(ctx, v.name, after, v.id, readBlocks)
		return blocks, last, err
	}
	blocks, err = v.reader.streams.Read(ctx, v.name, after-1, v.id, readBlocks+1)
	if err != nil { // what is before may be kept no longer
		blocks, err = v.reader.streams.Read(ctx, v.name, after, v.id, readBlocks)
		return blocks, last, err
	}
	if len(blocks) > 0 && blocks[0].Sequence == after {
		if h, err := ReadHeader(blocks[0].Data); err == nil {
			last = PlaceOf(h, blocks[0].Data)
		}
		blocks = blocks[1:]
	}
	return blocks, last, nil
}

// lost returns where a tenant's chain is with a block, or what is missing before it.
func (v *View) lost(p position, last Place, m stream.Stored) (Place, error) {
	h, err := ReadHeader(m.Data)
	if v.all || err != nil {
		return Place{}, nil //nolint:nilerr // open says so
	}
	if from, to := p.sequence+1, m.Sequence-1; last.Sequence != 0 && h.Sequence > last.Sequence+1 && from <= to {
		err := last.Follows(h)
		return last, fault.Wrap(fault.Damaged, fmt.Errorf("%w: %w", err, stream.Missing{Stream: v.name, From: from, To: to}), "%s", fault.Message(err))
	}
	return PlaceOf(h, m.Data), nil
}

// tell says what is missing without the stream's own numbers, where they are not for
// the reader.
func (v *View) tell(err error) error {
	var gone stream.Missing
	if !v.sealed || !errors.As(err, &gone) {
		return err
	}
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.NotFound, gone, "What came after this place is kept no longer. Begin again with the oldest, without a place.")
	}
	return fault.Wrap(fault.Damaged, gone, "Events after this place are damaged, and cannot be read.")
}

// open opens a message's block. One of a tenant whose key is destroyed has nothing
// that anybody could read. Whose events are to be left out it says beside them: places count
// all of a block.
func (v *View) open(ctx context.Context, m stream.Stored) ([]Event, People, error) {
	h, list, gone, err := v.reader.blocks.openWhole(ctx, m.Data)
	if fault.Is(err, fault.NotFound) {
		return nil, nil, nil
	}
	if err == nil && (h.Tenant != m.Tenant || h.Stream != string(v.name) || !v.all && h.Tenant != v.id) {
		err = fault.New(fault.Damaged, "The %s lies where one of %q on stream %s should.", h, m.Tenant, v.name)
	}
	if err != nil && (!fault.Is(err, fault.Damaged) || errors.Is(err, keys.ErrKey)) {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, fault.Wrap(fault.Damaged, fmt.Errorf("%w: %w", err, stream.Missing{Stream: v.name, From: m.Sequence, To: m.Sequence}), "%s", fault.Message(err))
	}
	return list, gone, nil
}

// Over is the place after what an error of Next says is missing, and whether it says so.
func (v *View) Over(m stream.Missing) (string, error) { return v.place(position{m.To, whole}) }

// Knows returns nil if a place is one of this view.
func (v *View) Knows(place string) error {
	_, err := v.position(place)
	return err
}

// Since is the place before all that came at a time or later.
func (v *View) Since(ctx context.Context, t time.Time) (string, error) {
	before, err := v.reader.streams.Before(ctx, v.name, t)
	if err != nil {
		return "", err
	}
	return v.place(position{before, whole})
}

// End is the place after all that is there now.
func (v *View) End(ctx context.Context) (string, error) {
	state, err := v.reader.streams.State(ctx, v.name)
	if err != nil {
		return "", err
	}
	return v.place(position{state.Last, whole})
}

// More is closed when something may have been published after the call.
func (v *View) More() <-chan struct{} { return v.reader.streams.More(v.name) }

// Summary is what there is of a stream in a view.
type Summary struct {
	Name   stream.Name
	Kept   time.Duration
	LastAt time.Time // zero: nothing is there

	// Of the whole stream, for the provider.
	State stream.State
}

// Summary says what there is. To a tenant it says nothing of others.
func (v *View) Summary(ctx context.Context) (Summary, error) {
	state, err := v.reader.streams.State(ctx, v.name)
	s := Summary{Name: v.name, Kept: state.Retention.Age}
	if err != nil {
		return s, err
	}
	if v.all {
		s.State, s.LastAt = state, state.LastAt
		return s, nil
	}
	if v.reader.kept != nil {
		if s.Kept, err = v.reader.kept(ctx, v.name, v.id); err != nil {
			return s, err
		}
	}
	last, err := v.reader.streams.Last(ctx, v.name, v.id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return s, err
	}
	s.LastAt = last.At
	return s, nil
}
