package query

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"tributary/internal/fault"
)

// What a stranger says is coming takes no room before it comes, and a row has a bound.
func TestAnswersAreReadAsAStrangers(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	begun := func() *bytes.Buffer {
		var b bytes.Buffer
		a, err := NewAnswerWriter(&b, make([]AnswerColumn, 100))
		if err == nil {
			err = a.Row()
		}
		if err == nil {
			err = a.w.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		return &b
	}
	b := begun()
	b.Write(binary.AppendUvarint(nil, 16<<20))
	b.WriteString("and no more")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadAnswer(b, 16<<20, Into{}); err == nil {
		t.Error("an answer that is cut off is read")
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 4<<20 {
		t.Errorf("%d bytes were made room for", after.TotalAlloc-before.TotalAlloc)
	}
	b = begun()
	in := []io.Reader{b}
	for range 3 {
		in = append(in, bytes.NewReader(binary.AppendUvarint(nil, 15<<20+1)), bytes.NewReader(make([]byte, 15<<20)))
	}
	if _, err := ReadAnswer(io.MultiReader(in...), 16<<20, Into{}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a row of 45 MiB: got %v, want too large", err)
	}
	b = begun()
	b.Write(binary.AppendUvarint(nil, 16<<20+2))
	if _, err := ReadAnswer(b, 16<<20, Into{}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a value of more than 16 MiB: got %v, want too large", err)
	}
}
