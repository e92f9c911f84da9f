package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tributary/internal/events"
	"tributary/internal/fault"
	"tributary/internal/query"
	"tributary/internal/stream"
	"tributary/internal/tenant"
)

// The bounds of one load.
const (
	mostBlocks = 1000            // read at once
	mostBytes  = 12 << 20        // of rows, beside the last blocks'
	mostLines  = 4 << 20         // bytes of lines that are opened at once, beside the last block's
	mostTurns  = 4               // transactions before others may load or erase
	atStart    = 2 * time.Second // a server has more urgent things to do
	settle     = 50 * time.Millisecond

	leastRetry = time.Second // after a failure
	mostRetry  = time.Minute // after many
)

// longer is how long it takes until the next try, after one more failure.
func longer(pause time.Duration) time.Duration { return min(max(2*pause, leastRetry), mostRetry) }

// Run loads the streams as they grow, until ctx ends: what has come is there within
// a fraction of a second, and each stream that does not lag behind has at most twenty
// commits a second. What is made of it follows within seconds, or so that it takes a
// tenth of the time.
func (w *Warehouse) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, n := range stream.Names {
		all.Go(func() { w.follow(ctx, n) })
	}
	w.signal() // what was loaded before the start may not be made
	all.Go(func() { w.makeModels(ctx) })
	all.Wait()
}

func (w *Warehouse) follow(ctx context.Context, n stream.Name) {
	pause, failed := atStart, time.Duration(0)
	for after := uint64(0); ctx.Err() == nil; {
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = settle
		err := w.cfg.Streams.Wait(ctx, n, after)
		if err == nil {
			after, err = w.load(ctx, n, false)
		}
		switch {
		case err == nil:
			failed = 0
		case ctx.Err() == nil:
			w.cfg.Log.ErrorContext(ctx, "the warehouse could not load", "stream", string(n), "error", err)
			failed = longer(failed)
			pause = failed
		}
	}
}

// Load loads what the streams have by now, and makes nothing of it.
func (w *Warehouse) Load(ctx context.Context) error {
	for _, n := range stream.Names {
		if _, err := w.load(ctx, n, true); err != nil {
			return err
		}
	}
	return nil
}

// load loads what a stream has by now, and returns how far that is. To the end, it goes
// on until there is nothing more; else a little may have come meanwhile.
func (w *Warehouse) load(ctx context.Context, n stream.Name, toEnd bool) (uint64, error) {
	l := w.loaders[n]
	for {
		w.loading.Lock()
		more, err := l.some(ctx, toEnd)
		w.loading.Unlock()
		l.report(err)
		if err != nil {
			l.known = false // a commit that was not answered may have been made
			return l.after, fmt.Errorf("load stream %s: %w", n, err)
		}
		if !more {
			return l.after, nil
		}
	}
}

// loader loads one stream.
type loader struct {
	*Warehouse
	name   stream.Name
	known  bool // the rest is as the warehouse has it
	after  uint64
	at     time.Time // when the last block came that it has
	chains map[tenant.ID]events.Place

	progress atomic.Pointer[progress] // for who is told; nil: not known yet
}

// progress is how far a loader has got.
type progress struct {
	after   uint64
	through time.Time // when the last block came that it has; zero: it has none
	err     error     // why it cannot go on; nil: it can
}

func (l *loader) report(err error) {
	if l.known {
		l.progress.Store(&progress{l.after, l.at, err})
	} else if p := l.progress.Load(); p != nil {
		l.progress.Store(&progress{p.after, p.through, err})
	}
}

// some loads some of a stream, one transaction after the other, and reports whether it
// is to be called again. While one is committed the next is gathered. What is gathered is
// committed before some returns: an erasure must not come in between.
func (l *loader) some(ctx context.Context, toEnd bool) (more bool, err error) {
	if !l.known {
		if err := l.look(ctx); err != nil {
			return false, err
		}
	}
	next, err := l.gather(ctx, nil)
	for turn := 1; err == nil && next != nil; turn++ {
		b := next
		next, more = nil, b.full || toEnd
		committed := make(chan error, 1)
		go func() { committed <- b.commit(ctx) }()
		if more && turn < mostTurns {
			next, err = l.gather(ctx, b)
			more = next != nil
		}
		if err := <-committed; err != nil {
			return false, err
		}
		l.after, l.chains, l.at = b.last, b.chains, latest(l.at, b.arrived)
		if b.size() > 0 {
			l.signal()
		}
	}
	return more, err
}

// look finds out how far the warehouse has got.
func (l *loader) look(ctx context.Context) error {
	rows, err := l.transact(ctx, query.Transact{Statements: []query.Statement{
		{SQL: "INSERT INTO load_position SELECT $1, 0, NULL, NULL WHERE NOT EXISTS (SELECT 1 FROM load_position WHERE stream = $1)", Arguments: []string{string(l.name)}},
		{SQL: "SELECT sequence::VARCHAR, epoch_us(through)::VARCHAR FROM load_position WHERE stream = $1", Arguments: []string{string(l.name)}},
	}})
	if err != nil {
		return fmt.Errorf("find position: %w", err)
	}
	if l.after, err = strconv.ParseUint(rows[0][0], 10, 64); err != nil {
		return fmt.Errorf("find position: %w", err)
	}
	if l.at = (time.Time{}); rows[0][1] != "" {
		if l.at, err = moment(rows[0][1]); err != nil {
			return fmt.Errorf("find position: %w", err)
		}
	}
	if rows, err = l.transact(ctx, query.Transact{Statements: []query.Statement{
		{SQL: "SELECT coalesce(tenant, ''), sequence::VARCHAR, digest FROM load_chain WHERE stream = $1", Arguments: []string{string(l.name)}},
	}}); err != nil {
		return fmt.Errorf("find chains: %w", err)
	}
	l.chains = map[tenant.ID]events.Place{}
	for _, row := range rows {
		p := events.Place{}
		if p.Sequence, err = strconv.ParseUint(row[1], 10, 64); err != nil {
			return fmt.Errorf("find chains: %w", err)
		}
		if n, err := hex.Decode(p.Digest[:], []byte(row[2])); err != nil || n != len(p.Digest) {
			return fmt.Errorf("find chains: digest %q", row[2])
		}
		l.chains[tenant.ID(row[0])] = p
	}
	l.known = true
	return nil
}

// batch is what one transaction loads.
type batch struct {
	*loader
	now      time.Time
	from     uint64
	last     uint64
	full     bool      // there is more
	arrived  time.Time // of the newest block
	rows     *query.Rows
	ends     map[tenant.ID]events.Place // chains that went on
	chains   map[tenant.ID]events.Place // all chains, after the batch
	anew     bool                       // the stream is read from its beginning again
	problems *query.Rows
	touched  touched
}

func texts(names ...string) []query.Column { return columns(query.Text, names...) }

func columns(t query.Type, names ...string) []query.Column {
	list := make([]query.Column, len(names))
	for i, name := range names {
		list[i] = query.Column{Name: name, Type: t}
	}
	return list
}

func (l *loader) newBatch() *batch {
	b := &batch{loader: l, now: l.cfg.Clock.Now(), from: l.after, last: l.after, ends: map[tenant.ID]events.Place{}, chains: map[tenant.ID]events.Place{}, touched: touched{}}
	for id, p := range l.chains {
		b.chains[id] = p
	}
	b.rows = &query.Rows{Table: "stage", Unique: &query.Unique{Table: l.fact(), Column: "key"}, Into: l.fact(), Keep: []string{"tenant", "time"}}
	b.rows.Columns = columns(query.Key, "key")
	if l.name == stream.Events {
		b.rows.Columns = append(b.rows.Columns, texts("tenant", "source", "origin", "id", "type", "subject")...)
		b.rows.Columns = append(b.rows.Columns, columns(query.Timestamp, "time", "received")...)
		b.rows.Columns = append(b.rows.Columns, texts("channel", "user_id", "anonymous_id", "session_id", "device_id", "data", "context", "flags")...)
		b.rows.Columns = append(b.rows.Columns, query.Column{Name: "bytes", Type: query.Integer})
	} else {
		b.rows.Columns = append(b.rows.Columns, texts("tenant", "entry", "verb", "subject", "actor", "outcome")...)
		b.rows.Columns = append(b.rows.Columns, columns(query.Timestamp, "time", "received")...)
		b.rows.Columns = append(b.rows.Columns, texts("facts")...)
	}
	b.problems = &query.Rows{Table: "stage_problem", Columns: []query.Column{
		{Name: "sequence", Type: query.Integer}, {Name: "tenant", Type: query.Text}, {Name: "problem", Type: query.Text},
	}}
	return b
}

// fact is the table that the stream's events are rows of.
func (l *loader) fact() string {
	if l.name == stream.Events {
		return "fact_event"
	}
	return "fact_act"
}

func (b *batch) size() int { return b.rows.Size() }

func (b *batch) through(sequence uint64, at time.Time) {
	b.last = sequence
	if at.After(b.arrived) {
		b.arrived = at
	}
}

// problem notes what is not loaded, in words that the provider may read.
func (b *batch) problem(sequence uint64, id tenant.ID, cause error) {
	b.problems.Integer(int64(sequence))
	b.problems.Text(string(id))
	b.problems.Text(fault.Message(cause))
	b.cfg.Log.Error("events cannot be loaded into the warehouse", "stream", string(b.name), "sequence", sequence, "tenant.id", string(id), "error", cause)
}

// rowsOf adds the rows of those events that are to be kept. The caller holds loading, so
// that an erasure comes before it, or finds the rows.
func (b *batch) rowsOf(ctx context.Context, list []events.Event) error {
	list, err := b.cfg.Blocks.Kept(ctx, list)
	if err != nil {
		return err
	}
	for i := range list {
		if b.name == stream.Events {
			b.event(&list[i])
		} else if err := b.act(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// keyOf is what an event is known by for ever.
func keyOf(e *events.Event) [16]byte {
	text := make([]byte, 0, 256)
	for _, part := range [...]string{string(e.Tenant), e.Source, e.Origin, e.ID} {
		text = append(binary.BigEndian.AppendUint64(text, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

func (b *batch) event(e *events.Event) {
	b.touched.add(e.Tenant, eventPart)
	r := b.rows
	r.Key(keyOf(e))
	for _, s := range [...]string{string(e.Tenant), e.Source, e.Origin, e.ID, e.Type, e.Subject} {
		r.Text(s)
	}
	r.Time(e.Time)
	r.Time(e.Received)
	for _, s := range [...]string{e.Channel, e.User, e.Anonymous, e.Session, e.Device} {
		r.Text(s)
	}
	r.Bytes(e.Data)
	r.Bytes(e.Context)
	r.Text(strings.Join(e.Flags, ","))
	r.Integer(int64(len(e.Data) + len(e.Context)))
}

// act adds an event that the server itself told of.
func (b *batch) act(e *events.Event) error {
	facts := map[string]jsontext.Value{}
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, &facts); err != nil {
			return fmt.Errorf("read event %s: %w", e.ID, err)
		}
	}
	word := func(name string) string {
		var s string
		_ = json.Unmarshal(facts[name], &s) // what is no text is none
		delete(facts, name)
		return s
	}
	actor, outcome, entry := word("actor"), word("outcome"), string(facts["entry"])
	delete(facts, "entry")
	var rest []byte
	if len(facts) > 0 {
		var err error
		if rest, err = json.Marshal(facts, json.Deterministic(true)); err != nil {
			return fmt.Errorf("encode facts of event %s: %w", e.ID, err)
		}
	}
	verb := strings.TrimPrefix(e.Type, "tributary.")
	b.touched.add(e.Tenant, partsOf(verb, e.Subject)...)
	if id := tenant.ID(e.Subject); id.Valid() {
		b.touched.add(id, tenantPart) // its chain may be the provider's
	}
	r := b.rows
	r.Key(keyOf(e))
	for _, s := range [...]string{string(e.Tenant), entry, verb, e.Subject, actor, outcome} {
		r.Text(s)
	}
	r.Time(e.Time)
	r.Time(e.Received)
	r.Text(string(rest))
	return nil
}

// stamp is a time as a timestamp's text.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999") }

// stampOf is stamp; the zero time is empty.
func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}

// commit loads the rows, adds them to the ledger, and stores the positions, all or
// nothing. If the position is not the one that the batch began at, nothing is loaded.
func (b *batch) commit(ctx context.Context) error {
	name, now := string(b.name), stamp(b.now)
	t := query.Transact{Rows: []*query.Rows{b.rows}}
	say := func(sql string, arguments ...string) {
		t.Statements = append(t.Statements, query.Statement{SQL: sql, Arguments: arguments})
	}
	say("SELECT CASE WHEN max(sequence) IS DISTINCT FROM $2::UBIGINT THEN error('the warehouse is not where its loader thinks') END FROM load_position WHERE stream = $1", name, strconv.FormatUint(b.from, 10))
	say("UPDATE load_position SET sequence = $2::UBIGINT, through = nullif($3, '')::TIMESTAMP, loaded = $4::TIMESTAMP WHERE stream = $1",
		name, strconv.FormatUint(b.last, 10), stampOf(latest(b.at, b.arrived)), now)
	if b.rows.Size() > 0 {
		say("UPDATE load_version SET n = n + 1 WHERE EXISTS (SELECT 1 FROM stage)")
		say("CREATE OR REPLACE TEMP TABLE stage_hour AS SELECT tenant, date_trunc('hour', time) AS start, count(*) AS rows FROM stage GROUP BY ALL")
		say(`UPDATE load_interval i SET rows = i.rows + s.rows, last_loaded = $1::TIMESTAMP, changed = (SELECT n FROM load_version), reopened = i.reopened + coalesce(i.start + INTERVAL 1 HOUR <= nullif($2, '')::TIMESTAMP, false)::INTEGER
			FROM stage_hour s WHERE i.model = $3 AND i.start = s.start AND i.tenant IS NOT DISTINCT FROM s.tenant`, now, stampOf(b.at), b.fact())
		say(`INSERT INTO load_interval SELECT $2, s.tenant, s.start, s.rows, $1::TIMESTAMP, $1::TIMESTAMP, 0, (SELECT n FROM load_version)
			FROM stage_hour s ANTI JOIN load_interval i ON i.model = $2 AND i.start = s.start AND i.tenant IS NOT DISTINCT FROM s.tenant`, now, b.fact())
	}
	if b.problems.Size() > 0 {
		t.Rows = append(t.Rows, b.problems)
		say("INSERT INTO load_problem SELECT $1, sequence, tenant, $2::TIMESTAMP, problem FROM stage_problem", name, now)
	}
	if b.anew {
		say("DELETE FROM load_chain WHERE stream = $1", name)
	}
	if len(b.ends) > 0 {
		t.Rows = append(t.Rows, b.stagedChains())
		say("UPDATE load_chain c SET sequence = s.sequence, digest = s.digest FROM stage_chain s WHERE c.stream = $1 AND c.tenant IS NOT DISTINCT FROM s.tenant", name)
		say("INSERT INTO load_chain SELECT $1, s.tenant, s.sequence, s.digest FROM stage_chain s ANTI JOIN load_chain c ON c.stream = $1 AND c.tenant IS NOT DISTINCT FROM s.tenant", name)
	}
	return b.change(ctx, t, b.touched)
}

// stagedChains are the chains that went on.
func (b *batch) stagedChains() *query.Rows {
	r := &query.Rows{Table: "stage_chain", Columns: []query.Column{
		{Name: "tenant", Type: query.Text}, {Name: "sequence", Type: query.Integer}, {Name: "digest", Type: query.Text},
	}}
	for id, p := range b.ends {
		r.Text(string(id))
		r.Integer(int64(p.Sequence))
		r.Text(p.Digest.String())
	}
	return r
}
