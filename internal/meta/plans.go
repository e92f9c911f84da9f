package meta

// Statement is what a page of a list is read by.
type Statement struct {
	Text string
	Args []any
}

// Statements are those of the first page and of a later one: for tests of how the
// databases go about them.
func (l *List[T]) Statements(where *Where, page Page) ([]Statement, error) {
	q, err := l.question(where, page.View)
	if err != nil {
		return nil, err
	}
	later := place{Sort: "m", Of: q.of}
	if q.sort.Kind == Number || q.sort.Kind == Instant {
		later.Sort = int64(5)
	}
	for _, k := range l.Key {
		later.Key = append(later.Key, map[Kind]any{Text: "m", Number: int64(5)}[k.Kind])
	}
	conditions := []string{""}
	if q.sort.Null {
		conditions = []string{q.sort.SQL + " IS NOT NULL", q.sort.SQL + " IS NULL"}
	}
	var list []Statement
	for _, c := range conditions {
		for _, at := range []place{{}, later} {
			text, args := q.statement(at, page.Size()+1, c)
			list = append(list, Statement{text, args})
		}
	}
	return list, nil
}
