package api

import (
	"testing"

	"tributary/internal/exchange"
)

func TestAnswersSayWhichSubmissionsWereLate(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{true, false} {
		if got := submissionWord(exchange.Submission{Late: late}).Late; got != late {
			t.Errorf("late: got %v, want %v", got, late)
		}
	}
}
