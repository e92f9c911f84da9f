package query

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"tributary/internal/fault"
)

// WarehouseProgram is the name under which the sandbox knows the engine as the
// owner of a warehouse: a child that lives, whose directory has the warehouse's
// file. Its arguments are a Warehouse in JSON, its requests what EncodeRequest
// makes, its answers for ReadAnswer.
const WarehouseProgram = "warehouse"

// Warehouse says how a warehouse is opened.
type Warehouse struct {
	// Migrations are the steps from nothing to the newest schema, each one or more
	// statements. Those that the file has had are not done again.
	Migrations []string
	Memory     int64 // bytes that the engine may use; the process needs more
	Threads    int
}

// Request is one of the two.
type Request struct {
	Transact *Transact `json:",omitempty"`
	Select   *Select   `json:",omitempty"`
}

// Transact is one transaction: all of it is durable when it is answered, or it has
// not happened. Transactions are done one after the other. The answer is that of
// the last statement.
type Transact struct {
	Rows       []*Rows `json:"-"`
	Statements []Statement
	// Beside lets the others go on meanwhile. It sees the warehouse as it was when it
	// began, writes no table that they write, and has no rows that are to be unique.
	// Those that are beside are one after the other too.
	Beside bool `json:",omitempty"`
}

// Statement is SQL of ours, with texts for $1 and on.
type Statement struct {
	SQL       string
	Arguments []string `json:",omitempty"`
}

// Select is one SELECT, which sees the warehouse of one moment.
type Select struct {
	Statement
	// Tables are all that a SELECT of somebody else's may name; nil: it is ours, and
	// is not looked at. What it may call is the engine's to know.
	Tables []string
	// Instead has SELECTs of ours that stand for tables. With one or more, somebody else's
	// SELECT names tables by their names alone, and cannot reach what is behind these.
	Instead  []Instead `json:",omitempty"`
	Rows     int       // of the answer at most; it then says that there are more
	Bytes    int64     // of the answer at most, likewise
	Describe bool      `json:",omitempty"` // the answer is its columns; nothing is read
}

// Instead is a SELECT of ours that stands for a table.
type Instead struct{ Table, SQL string }

// Key is the type of a whole number of 128 bits, which says nothing but which row it is.
// Only Rows have it.
const Key Type = "key"

// Rows are rows for a temporary table of a transaction, which is made for them and
// gone afterwards. Values are added in the order of the columns, row by row.
type Rows struct {
	Table   string
	Columns []Column // of types Text, Integer, Float, Boolean, Timestamp and Key
	// Unique, if not nil, leaves out rows whose key a table has already, or a row
	// before them. Their column of the key has the same name as the table's.
	Unique *Unique
	// Again has those whose key the table has too: a statement replaces them.
	Again bool
	// Into, if not empty, is the table that the rows go into at once, by the names of its
	// columns. The temporary table then has those of Keep alone.
	Into string
	Keep []string

	data []byte
}

// Unique names the column of a table that has keys (of type Key) and no two the same.
// Nothing else may add rows to the table.
type Unique struct{ Table, Column string }

// Text adds a text; the empty one is a null.
func (r *Rows) Text(s string) { addText(r, s) }

// Bytes is Text for who has bytes.
func (r *Rows) Bytes(b []byte) { addText(r, b) }

func addText[T string | []byte](r *Rows, s T) {
	if len(s) == 0 {
		r.Null()
		return
	}
	r.data = binary.AppendUvarint(r.data, uint64(len(s))+1)
	r.data = append(r.data, s...)
}

// Integer adds a whole number.
func (r *Rows) Integer(n int64) { r.fixed(uint64(n)) }

// Float adds a number.
func (r *Rows) Float(f float64) { r.fixed(math.Float64bits(f)) }

// Boolean adds true or false.
func (r *Rows) Boolean(b bool) {
	if b {
		r.fixed(1)
	} else {
		r.fixed(0)
	}
}

// Time adds a timestamp; the zero one is a null.
func (r *Rows) Time(t time.Time) {
	if t.IsZero() {
		r.Null()
		return
	}
	r.fixed(uint64(t.UnixMicro()))
}

// Key adds a key.
func (r *Rows) Key(k [16]byte) {
	r.data = append(append(r.data, 1), k[:]...)
}

// Null adds a null of any type.
func (r *Rows) Null() { r.data = append(r.data, 0) }

func (r *Rows) fixed(n uint64) { r.data = binary.LittleEndian.AppendUint64(append(r.data, 1), n) }

// Size is how many bytes the rows have by now.
func (r *Rows) Size() int { return len(r.data) }

// Data are the values, for the engine: of each a 0 for a null; or of a text its
// length and 1 as a uvarint and its bytes, of others a 1 and 8 or 16 bytes, little-endian.
func (r *Rows) Data() []byte { return r.data }

// wireRows is how the rows of a request are announced.
type wireRows struct {
	Table   string
	Columns []Column
	Unique  *Unique  `json:",omitempty"`
	Again   bool     `json:",omitempty"`
	Into    string   `json:",omitempty"`
	Keep    []string `json:",omitempty"`
	Size    int
}

type wireRequest struct {
	Request
	Rows []wireRows `json:",omitempty"`
}

// EncodeRequest returns the bytes of a request: four of the length of what follows,
// big-endian, its JSON, and the data of the rows in their order.
func EncodeRequest(r Request) ([]byte, error) {
	w := wireRequest{Request: r}
	size := 0
	if r.Transact != nil {
		for _, rows := range r.Transact.Rows {
			w.Rows = append(w.Rows, wireRows{rows.Table, rows.Columns, rows.Unique, rows.Again, rows.Into, rows.Keep, len(rows.data)})
			size += len(rows.data)
		}
	}
	head, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	b := make([]byte, 4, 4+len(head)+size)
	binary.BigEndian.PutUint32(b, uint32(len(head)))
	b = append(b, head...)
	if r.Transact != nil {
		for _, rows := range r.Transact.Rows {
			b = append(b, rows.data...)
		}
	}
	return b, nil
}

// DecodeRequest reads what EncodeRequest made.
func DecodeRequest(b []byte) (Request, error) {
	var w wireRequest
	if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
		return w.Request, errors.New("a request that is cut off")
	}
	head, data := b[4:4+binary.BigEndian.Uint32(b)], b[4+binary.BigEndian.Uint32(b):]
	if err := json.Unmarshal(head, &w); err != nil {
		return w.Request, fmt.Errorf("decode request: %w", err)
	}
	if (w.Select == nil) == (w.Transact == nil) {
		return w.Request, fault.New(fault.Invalid, "A request is a transaction or a SELECT.")
	}
	for _, r := range w.Rows {
		if w.Transact == nil || r.Size < 0 || r.Size > len(data) {
			return w.Request, errors.New("a request with fewer rows than it says")
		}
		w.Transact.Rows = append(w.Transact.Rows, &Rows{Table: r.Table, Columns: r.Columns, Unique: r.Unique, Again: r.Again, Into: r.Into, Keep: r.Keep, data: data[:r.Size]})
		data = data[r.Size:]
	}
	return w.Request, nil
}
