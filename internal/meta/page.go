package meta

import (
	"encoding/base64"
	"encoding/json"

	"tributary/internal/fault"
)

// Page asks for part of a list.
type Page struct {
	Limit int    // how many; 0 means 50, and never more than 500
	After string // the cursor that the page before returned; empty for the first
	View         // for a List; others have one order and take none
}

// Size returns how many things the page may have.
func (p Page) Size() int {
	switch {
	case p.Limit <= 0:
		return 50
	case p.Limit > 500:
		return 500
	}
	return p.Limit
}

// Position is where in a list a page starts: the time and id of the last thing
// before it. Lists are ordered by both, so pages neither repeat nor skip.
type Position struct {
	At int64  `json:"a"`
	ID string `json:"i"`
}

// Position decodes the cursor. For the first page of a list that goes from new
// to old it is the end of time.
func (p Page) Position() (Position, error) {
	pos := Position{At: 1<<63 - 1}
	if p.After == "" {
		return pos, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.After)
	if err == nil {
		err = json.Unmarshal(raw, &pos)
	}
	if err != nil {
		return pos, fault.Wrap(fault.Invalid, err, "The cursor %q is not one that a list returned; start again without it.", p.After)
	}
	return pos, nil
}

// Cursor encodes a position as the cursor of the page that follows it.
func (p Position) Cursor() string {
	raw, err := json.Marshal(p)
	if err != nil {
		panic("meta: cursor: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Cut cuts a list that was read one longer than the page to the page's size and
// returns the next page's cursor, empty on the last.
func Cut[T any](list []T, p Page, position func(T) Position) ([]T, string) {
	if len(list) <= p.Size() {
		return list, ""
	}
	list = list[:p.Size()]
	return list, position(list[len(list)-1]).Cursor()
}
