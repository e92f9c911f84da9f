package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"

	"tributary/internal/blob"
	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/keys"
	"tributary/internal/meta"
)

// row is an event in a Parquet file; docs/formats/archive.md has the columns.
type row struct {
	Block     int64    `parquet:"block,delta"` // its number in the chain; rows are in the chain's order
	ID        string   `parquet:"id"`
	Source    string   `parquet:"source,dict"`
	Origin    *string  `parquet:"origin,dict,optional"`
	Type      string   `parquet:"type,dict"`
	Subject   *string  `parquet:"subject,optional"`
	Time      int64    `parquet:"time,timestamp(nanosecond)"`
	Received  int64    `parquet:"received,timestamp(nanosecond)"`
	Stated    *string  `parquet:"stated,optional"` // a client's clock may be in any year
	Channel   *string  `parquet:"channel,dict,optional"`
	User      *string  `parquet:"user_id,optional"`
	Anonymous *string  `parquet:"anonymous_id,optional"`
	Session   *string  `parquet:"session_id,optional"`
	Device    *string  `parquet:"device_id,optional"`
	Data      *string  `parquet:"data,optional"`
	Context   *string  `parquet:"context,optional"`
	Flags     []string `parquet:"flags,list"`
}

// doer is the part of a row that says who did it.
type doer struct {
	Source    string  `parquet:"source,dict"`
	Received  int64   `parquet:"received,timestamp(nanosecond)"`
	User      *string `parquet:"user_id,optional"`
	Anonymous *string `parquet:"anonymous_id,optional"`
}

// event is that part of the event.
func (d doer) event() *events.Event {
	return &events.Event{Source: d.Source, User: text(d.User), Anonymous: text(d.Anonymous), Received: time.Unix(0, d.Received)}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// nanoseconds is a time as the column has it, which reaches from 1678 to 2261.
func nanoseconds(t time.Time) (int64, error) {
	if y := t.Year(); y < 1679 || y > 2260 {
		return 0, fault.New(fault.Damaged, "An event has the time %s, and none of that year is taken in.", t.UTC())
	}
	return t.UnixNano(), nil
}

func rowOf(block uint64, e *events.Event) (r row, err error) {
	if block > math.MaxInt64 {
		return r, errors.New("no chain has so many blocks")
	}
	r = row{Block: int64(block), ID: e.ID, Source: e.Source, Origin: optional(e.Origin), Type: e.Type, Subject: optional(e.Subject), Channel: optional(e.Channel),
		User: optional(e.User), Anonymous: optional(e.Anonymous), Session: optional(e.Session), Device: optional(e.Device),
		Data: optional(string(e.Data)), Context: optional(string(e.Context)), Flags: e.Flags}
	if !e.Stated.IsZero() {
		stated := e.Stated.UTC().Format(time.RFC3339Nano)
		r.Stated = &stated
	}
	if r.Time, err = nanoseconds(e.Time); err == nil {
		r.Received, err = nanoseconds(e.Received)
	}
	return r, err
}

// event is the event that the row was made of.
func (r *row) event() (e events.Event, err error) {
	e = events.Event{ID: r.ID, Source: r.Source, Origin: text(r.Origin), Type: r.Type, Subject: text(r.Subject), Channel: text(r.Channel),
		Time: time.Unix(0, r.Time).UTC(), Received: time.Unix(0, r.Received).UTC(),
		User: text(r.User), Anonymous: text(r.Anonymous), Session: text(r.Session), Device: text(r.Device)}
	if len(r.Flags) > 0 {
		e.Flags = r.Flags
	}
	if r.Data != nil {
		e.Data = jsontext.Value(*r.Data)
	}
	if r.Context != nil {
		e.Context = jsontext.Value(*r.Context)
	}
	if r.Stated != nil {
		e.Stated, err = time.Parse(time.RFC3339Nano, *r.Stated)
	}
	return e, err
}

// The bounds of a row group: what is held in memory while a file is written.
const (
	groupRows  = 50_000
	groupBytes = 16 << 20
)

// writer writes one object.
type writer struct {
	archive *Archive
	object  Object
	blob    blob.Writer
	hash    hash.Hash
	sealed  *keys.Writer
	plain   *counter // of what goes to sealed
	stored  *counter // of what goes to blob
	parquet *parquet.GenericWriter[row]

	rows, bytes int64 // in the row group
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// create starts an object of o's tenant, stream, day and Previous. NotFound: the
// tenant's key is gone.
func (a *Archive) create(ctx context.Context, o Object) (w *writer, err error) {
	o.ID, o.CreatedAt = a.Clock.ID("arc"), a.Clock.Now()
	w = &writer{archive: a, object: o, hash: sha256.New()}
	if w.blob, err = a.Blobs.Create(ctx, o.blobKey()); err != nil {
		return nil, fmt.Errorf("create archive object: %w", err)
	}
	w.stored = &counter{w: io.MultiWriter(w.blob, w.hash)}
	named := keys.Object{ID: o.ID, Version: 1}
	if o.Tenant == "" {
		w.sealed, err = a.Keys.NewOwnWriter(named, w.stored)
	} else {
		w.sealed, err = a.Keys.NewWriter(ctx, o.Tenant, keys.Pool, named, w.stored)
	}
	if err != nil {
		w.blob.Abort()
		return nil, fmt.Errorf("seal archive object: %w", err)
	}
	w.plain = &counter{w: w.sealed}
	w.parquet = parquet.NewGenericWriter[row](w.plain, parquet.Compression(&parquet.Zstd), parquet.CreatedBy("tributary", "", ""))
	return w, nil
}

// add adds a block's events, after those of the block before.
func (w *writer) add(block uint64, digest events.Digest, list []events.Event) error {
	rows := make([]row, len(list))
	for n := range list {
		var err error
		if rows[n], err = rowOf(block, &list[n]); err != nil {
			return err
		}
	}
	if err := w.addRows(rows); err != nil {
		return err
	}
	w.through(block, digest)
	return nil
}

// through is how far the object goes.
func (w *writer) through(block uint64, digest events.Digest) {
	if w.object.First == 0 {
		w.object.First = block
	}
	w.object.Last, w.object.Digest = block, digest
}

func (w *writer) addRows(rows []row) error {
	if _, err := w.parquet.Write(rows); err != nil {
		return fmt.Errorf("write archive object: %w", err)
	}
	w.object.Events += int64(len(rows))
	for n := range rows {
		w.bytes += int64(len(text(rows[n].Data))+len(text(rows[n].Context))) + 200
	}
	if w.rows += int64(len(rows)); w.rows >= groupRows || w.bytes >= groupBytes {
		w.rows, w.bytes = 0, 0
		if err := w.parquet.Flush(); err != nil {
			return fmt.Errorf("write archive object: %w", err)
		}
	}
	return nil
}

// finish makes the object durable. It exists once its row does.
func (w *writer) finish(ctx context.Context) (Object, error) {
	o := &w.object
	for name, value := range o.notes() {
		w.parquet.SetKeyValueMetadata(name, value)
	}
	err := w.parquet.Close()
	if err == nil {
		err = w.sealed.Close()
	}
	if err != nil {
		w.blob.Abort()
		return *o, fmt.Errorf("write archive object: %w", err)
	}
	if err := w.blob.Commit(ctx); err != nil {
		return *o, fmt.Errorf("commit archive object: %w", err)
	}
	o.Size, o.SealedSize = w.plain.n, w.stored.n
	copy(o.SHA256[:], w.hash.Sum(nil))
	return *o, nil
}

func (w *writer) abort() { w.blob.Abort() }

// The notes of a Parquet file say what the catalogue says of it, so that it can be made
// anew from the objects.
func (o *Object) notes() map[string]string {
	return map[string]string{
		"tributary.stream": string(o.Stream), "tributary.tenant": string(o.Tenant), "tributary.day": o.Day.String(), "tributary.parts": strconv.FormatInt(o.Parts, 10),
		"tributary.first": strconv.FormatUint(o.First, 10), "tributary.last": strconv.FormatUint(o.Last, 10),
		"tributary.previous": o.Previous.String(), "tributary.digest": o.Digest.String(), "tributary.created": o.CreatedAt.UTC().Format(time.RFC3339Nano),
	}
}

// reader reads one object.
type reader struct {
	object  Object
	blob    blob.Object
	sealed  *keys.Reader
	parquet *parquet.File
}

// gone says of an object without bytes that it is lost, or that the catalogue has it no more.
func (a *Archive) gone(ctx context.Context, o Object) error {
	if _, err := a.UnscopedObject(ctx, o.ID); fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.Conflict, errMeanwhile, "The archive's object %s is there no more.", o.ID)
	} else if err != nil {
		return err
	}
	return fault.New(fault.Damaged, "The archive's object %s is lost.", o.ID)
}

// open opens an object that the catalogue has. What is not what was written is Damaged,
// also an object that is lost; if it was replaced or removed meanwhile, Conflict; if the
// tenant's key is gone, NotFound.
func (a *Archive) open(ctx context.Context, o Object) (_ *reader, err error) {
	if err := o.sound(); err != nil {
		return nil, err
	}
	r := &reader{object: o}
	if r.blob, err = a.Blobs.Open(ctx, o.blobKey()); err != nil {
		if fault.Is(err, fault.NotFound) {
			err = a.gone(ctx, o)
		}
		return nil, err
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := r.unseal(ctx, a.Keys); err != nil {
		return nil, err
	}
	found, err := r.notes()
	if err != nil {
		return nil, err
	}
	found.SealedSize, found.SHA256 = o.SealedSize, o.SHA256 // which those who verify look at
	if !reflect.DeepEqual(found.fields(), o.fields()) {
		return nil, fault.Wrap(fault.Damaged, fmt.Errorf("got %+v, want %+v", found, o), "The archive's object %s is another than its catalogue says.", o.ID)
	}
	return r, nil
}

// unseal opens the sealed bytes and the Parquet file in them, which our own AEAD has
// authenticated.
func (r *reader) unseal(ctx context.Context, ring *keys.Ring) (err error) {
	o, named := r.object, keys.Object{ID: r.object.ID, Version: 1}
	if o.Tenant == "" {
		r.sealed, err = ring.NewOwnReader(named, r.blob, r.blob.Size())
	} else {
		r.sealed, err = ring.NewReader(ctx, o.Tenant, keys.Pool, named, r.blob, r.blob.Size())
	}
	if err != nil {
		return fmt.Errorf("open archive object: %w", err)
	}
	r.parquet, err = parquet.OpenFile(r.sealed, r.sealed.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	return r.damaged(err)
}

func (r *reader) damaged(err error) error {
	if !fault.Is(err, fault.Internal) {
		return err
	}
	return fault.Wrap(fault.Damaged, err, "The archive's object %s is damaged.", r.object.ID)
}

// notes reads what the file says of itself, as its catalogue's row.
func (r *reader) notes() (o Object, err error) {
	note := func(name string) string {
		v, ok := r.parquet.Lookup("tributary." + name)
		if !ok && err == nil {
			err = fmt.Errorf("it does not say its %s", name)
		}
		return v
	}
	number := func(name string) (n uint64) {
		text := note(name)
		if err == nil {
			n, err = strconv.ParseUint(text, 10, 63)
		}
		return n
	}
	digest := func(name string) (d events.Digest) {
		text := note(name)
		if err == nil && len(text) != 2*len(d) {
			err = fmt.Errorf("its %s is none", name)
		}
		if err == nil {
			_, err = hex.Decode(d[:], []byte(text))
		}
		return d
	}
	o = Object{ID: r.object.ID, Tenant: r.object.Tenant, Stream: r.object.Stream, Events: r.parquet.NumRows(), Size: r.sealed.Size(), Parts: int64(number("parts")),
		First: number("first"), Last: number("last"), Previous: digest("previous"), Digest: digest("digest")}
	if s := note("stream"); s != string(o.Stream) && err == nil {
		err = fmt.Errorf("it is of stream %q", s)
	}
	if id := note("tenant"); id != string(o.Tenant) && err == nil {
		err = fmt.Errorf("it is of tenant %q", id)
	}
	day, created := note("day"), note("created")
	if err == nil {
		o.Day, err = ParseDay(day)
	}
	if err == nil {
		var at time.Time
		at, err = time.Parse(time.RFC3339Nano, created)
		o.CreatedAt = meta.Time(meta.Micros(at))
	}
	return o, r.damaged(err)
}

// each calls f with the rows, some at a time, which are f's only until it returns.
func (r *reader) each(f func([]row) error) error { return eachOf(r, f) }

// eachOf is each for a part of the columns.
func eachOf[T any](r *reader, f func([]T) error) error {
	rows := parquet.NewGenericReader[T](r.parquet)
	defer func() { _ = rows.Close() }()
	buffer := make([]T, 256)
	for {
		clear(buffer)
		n, err := rows.Read(buffer)
		if n > 0 {
			if err := f(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return r.damaged(err)
		}
	}
}

func (r *reader) close() { _ = r.blob.Close() }
