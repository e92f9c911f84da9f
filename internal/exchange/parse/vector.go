package parse

import "tributary/internal/exchange/contract"

// vector is one column of a batch: how its texts become values, and the values.
type vector struct {
	typ     contract.Type
	kind    kind
	scale   int
	layout  contract.Layout
	numbers contract.Numbers
	nulls   []string
	utf8    bool // the format is always in UTF-8, whatever the dialect says

	status  []byte
	ints    []int64
	floats  []float64
	lengths []uint32
	bytes   []byte // texts, or booleans
}

func (v *vector) reset() {
	v.status, v.ints, v.floats, v.lengths, v.bytes = v.status[:0], v.ints[:0], v.floats[:0], v.lengths[:0], v.bytes[:0]
}

func (v *vector) isNull(cell []byte) bool {
	for _, n := range v.nulls {
		if string(cell) == n {
			return true
		}
	}
	return false
}

// text appends a text cell.
func (v *vector) text(cell []byte, suspect bool) flaw {
	if v.isNull(cell) {
		return v.without(null)
	}
	if f := v.flawOfText(cell, suspect); f != sound {
		return v.without(f)
	}
	v.status = append(v.status, byte(sound))
	v.lengths = append(v.lengths, uint32(len(cell)))
	v.bytes = append(v.bytes, cell...)
	return sound
}

func (v *vector) flawOfText(cell []byte, suspect bool) flaw {
	f := flawOfText(cell, suspect)
	if f == badEncoding && v.utf8 {
		return notUTF8
	}
	return f
}

// value appends a cell of any other type, written as text in the dataset's dialect.
func (v *vector) value(cell []byte, suspect bool) flaw {
	cell = trim(cell)
	if v.isNull(cell) {
		return v.without(null)
	}
	return v.read(cell, v.numbers, suspect)
}

// read appends a cell that is not text from its text.
func (v *vector) read(cell []byte, numbers contract.Numbers, suspect bool) flaw {
	var s scalar
	ok, bad := true, contract.Sound
	switch v.typ {
	case contract.Integer:
		s.i, bad = numbers.Integer(cell)
	case contract.Decimal:
		s.i, bad = numbers.Fixed(cell, v.scale)
	case contract.Float:
		s.x, bad = numbers.Float(cell)
	case contract.Boolean:
		s.yes, ok = contract.ParseBoolean(cell)
	case contract.DateType:
		var d contract.Date
		d, ok = v.layout.Date(cell)
		s.i = int64(d)
	case contract.Timestamp:
		s.i, ok = v.layout.Timestamp(cell)
	}
	f := flawOf(bad, ok)
	if f == badType {
		if inText := v.flawOfText(cell, suspect); inText != sound {
			f = inText
		}
	}
	return v.put(f, s)
}

// scalar is a value that is not text, in the field of its column's kind.
type scalar struct {
	i   int64
	x   float64
	yes bool
}

// put appends a cell that is not text; one that is not sound has no value.
func (v *vector) put(f flaw, s scalar) flaw {
	if f != sound {
		return v.without(f)
	}
	v.status = append(v.status, byte(sound))
	switch v.kind {
	case kindInt:
		v.ints = append(v.ints, s.i)
	case kindFloat:
		v.floats = append(v.floats, s.x)
	case kindBool:
		b := byte(0)
		if s.yes {
			b = 1
		}
		v.bytes = append(v.bytes, b)
	}
	return sound
}

// without appends a cell that has no value, of any type.
func (v *vector) without(f flaw) flaw {
	v.status = append(v.status, byte(f))
	switch v.kind {
	case kindText:
		v.lengths = append(v.lengths, 0)
	case kindInt:
		v.ints = append(v.ints, 0)
	case kindFloat:
		v.floats = append(v.floats, 0)
	case kindBool:
		v.bytes = append(v.bytes, 0)
	}
	return f
}

func flawOf(bad contract.Flaw, ok bool) flaw {
	switch {
	case !ok || bad == contract.Malformed:
		return badType
	case bad == contract.OutOfRange:
		return outOfRange
	case bad == contract.TooPrecise:
		return tooPrecise
	}
	return sound
}

// trim removes the spaces around a value that is not text.
func trim(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}
