package audit_test

import (
	"context"
	"testing"
	"time"

	"tributary/internal/audit"
)

// An entry without details says too how many refusals before it have none.
func TestARefusalSaysHowManyWentBefore(t *testing.T) {
	t.Parallel()
	var r audit.Refusals
	var got []audit.Entry
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, 0, 0, time.Minute} {
		at = at.Add(after)
		if err := r.Record(t.Context(), at, audit.Lane{Of: "key_1", Every: time.Minute, Burst: 1}, audit.Entry{Verb: "knock"}, func(_ context.Context, e audit.Entry) error {
			got = append(got, e)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 || got[1].Details["unrecorded_before"] != int64(2) {
		t.Errorf("got %+v, want two entries, the second of which stands for two more", got)
	}
}
