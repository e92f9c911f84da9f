package disclosure

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tributary/internal/disclosure/attack"
)

// textbook is a file of cases with known answers that is being read; it says itself what
// its lines mean.
type textbook struct {
	t     *testing.T
	rules Rules
	floor int64
	of    string // what the verdicts are of
	at    int64  // the number behind that
	cases int
}

// lines calls each with every line that is no comment.
func lines(t *testing.T, path string, each func(where, line string)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(text), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			each(fmt.Sprintf("%s:%d", path, n+1), line)
		}
	}
}

// setting takes a line that is no case.
func (b *textbook) setting(where, line string) bool {
	words := strings.Fields(line)
	switch words[0] {
	case "of":
		b.of, b.at = words[1], 0
		if len(words) > 2 {
			b.at = b.number(where, words[2])
		}
	case "rules":
		b.rules, b.floor = Rules{}, 0
		for _, pair := range words[1:] {
			name, value, _ := strings.Cut(pair, "=")
			n := b.number(where, value)
			switch name {
			case "min":
				b.rules.MinContributors = int(n)
			case "p":
				b.rules.PPercent = int(n)
			case "q":
				b.rules.QPercent = int(n)
			case "n":
				b.rules.Dominance.N = int(n)
			case "k":
				b.rules.Dominance.K = int(n)
			case "c":
				b.rules.Coalition = int(n)
			case "floor":
				b.floor = n
			default:
				b.t.Fatalf("%s: there is no rule %q", where, name)
			}
		}
	default:
		return false
	}
	return true
}

func (b *textbook) number(where, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		b.t.Fatalf("%s: %v", where, err)
	}
	return n
}

// repeated reads a word that may have a number of times in front.
func (b *textbook) repeated(where, word string) (string, int) {
	if n, rest, is := strings.Cut(word, "*"); is {
		return rest, int(b.number(where, n))
	}
	return word, 1
}

// cell reads contributions.
func (b *textbook) cell(where, text string) Cell {
	var cell Cell
	owners := map[string]int32{}
	next := int32(0)
	for _, word := range strings.Fields(text) {
		owner, value, owned := strings.Cut(word, ":")
		if !owned {
			owner, value = "", word
		}
		value, times := b.repeated(where, value)
		for range times {
			o, known := owners[owner]
			if !owned || !known {
				o = next
				next++
				owners[owner] = o
			}
			cell = append(cell, Contribution{int32(len(cell)), o, b.number(where, value)})
		}
	}
	return cell
}

// want reads verdicts.
func (b *textbook) want(where, text string, n int) []string {
	var list []string
	for _, word := range strings.Fields(text) {
		word, times := b.repeated(where, word)
		list = append(list, slices.Repeat([]string{word}, times)...)
	}
	if len(list) == 1 {
		list = slices.Repeat(list, n)
	}
	return list
}

func TestTextbookCells(t *testing.T) {
	t.Parallel()
	b := textbook{t: t}
	lines(t, "testdata/cells.txt", func(where, line string) {
		if b.setting(where, line) {
			return
		}
		columns := strings.SplitN(line, "|", 3)
		if len(columns) != 3 {
			t.Fatalf("%s: %d columns, want 3", where, len(columns))
		}
		b.cases++
		cell := b.cell(where, columns[0])
		got, out := b.judged(where, cell)
		switch b.of {
		case "levels":
			if want := strings.TrimSpace(columns[1]); len(got) != 1 || got[0] != want {
				t.Errorf("%s: level %v, want %s", where, got, want)
			}
			return
		case "quantiles", "medians-beside-sums", "medians-beside-variances":
			sum, _, _ := strings.Cut(strings.TrimSpace(columns[2]), ":")
			if want := b.number(where, sum); out.Sum != want {
				t.Errorf("%s: the window's sum is %d, want %d", where, out.Sum, want)
			}
		}
		if want := b.want(where, columns[1], len(cell)); !slices.Equal(got, want) {
			t.Errorf("%s: verdicts %v, want %v", where, got, want)
		}
	})
	if b.cases < 200 {
		t.Errorf("%d cases", b.cases)
	}
}

// judged puts one cell before the gate.
func (b *textbook) judged(where string, cell Cell) ([]string, Outcome) {
	cells := []Cell{cell}
	if b.of == "levels" {
		s, _, err := newScratch(b.rules, b.floor, cells)
		if err != nil {
			b.t.Fatalf("%s: %v", where, err)
		}
		w, _, err := s.weight(cell, typical(Part{Cells: cells}), make([]Verdict, len(cell)))
		if err != nil {
			b.t.Fatalf("%s: %v", where, err)
		}
		return []string{fmt.Sprint(w.level)}, Outcome{}
	}
	check := func(err error) {
		if err != nil {
			b.t.Fatalf("%s: %v", where, err)
		}
	}
	j, err := Judge(b.rules, b.floor, cells)
	check(err)
	switch b.of {
	case "variances":
		check(Spread(b.rules, cells, j))
	case "quantiles":
		j, err = Quantile(b.rules, b.floor, int(b.at), cells)
		check(err)
	case "medians-beside-sums", "medians-beside-variances":
		median, err := Quantile(b.rules, b.floor, 50, cells)
		check(err)
		variance, err := Judge(b.rules, b.floor, cells)
		check(err)
		check(Spread(b.rules, cells, variance))
		check(Together(b.rules, b.floor, cells, func(_, at int) (bool, bool) {
			return j.Cells[0].Verdicts[at].Released(), b.of == "medians-beside-variances" && variance.Cells[0].Verdicts[at].Released()
		}, []Order{{50, median}}))
		j = median
	}
	var list []string
	for _, v := range j.Cells[0].Verdicts {
		list = append(list, v.String())
	}
	return list, j.Cells[0]
}

// written is a table of the textbooks as it is written.
type written struct {
	where, name string
	columns     []string
	indents     []int
	labels      []string
	rows        [][]string
	most        int // cells to hide
}

// words splits a row, keeping together what is in brackets.
func words(row string) []string {
	var list []string
	for _, word := range strings.Fields(row) {
		if last := len(list) - 1; last >= 0 && strings.HasPrefix(list[last], "[") && !strings.HasSuffix(list[last], "]") {
			list[last] += " " + word
		} else {
			list = append(list, word)
		}
	}
	return list
}

func TestTextbookTables(t *testing.T) {
	t.Parallel()
	b := textbook{t: t}
	w := &written{}
	finish := func() {
		if w.name == "" {
			return
		}
		b.cases++
		if b.of == "intervals" {
			b.intervals(w)
		} else {
			b.protection(w)
		}
	}
	lines(t, "testdata/tables.txt", func(where, line string) {
		label, row, is := strings.Cut(line, "|")
		switch fields := strings.Fields(line); {
		case is:
			trimmed := strings.TrimLeft(label, " ")
			w.indents = append(w.indents, len(label)-len(trimmed))
			w.labels, w.rows = append(w.labels, strings.TrimSpace(label)), append(w.rows, words(row))
		case fields[0] == "table":
			finish()
			w = &written{where: where, name: line}
		case fields[0] == "columns":
			w.columns = fields[1:]
		case fields[0] == "hide":
			w.most = int(b.number(where, fields[1]))
		default:
			finish()
			w = &written{}
			if !b.setting(where, line) {
				t.Fatalf("%s: what is %q", where, line)
			}
		}
	})
	finish()
	if b.cases < 25 {
		t.Errorf("%d tables", b.cases)
	}
}

// tree is the rows' dimension.
func (w *written) tree() Dimension {
	var d Dimension
	for i, indent := range w.indents {
		up := int32(i) - 1
		for up >= 0 && w.indents[up] >= indent {
			up--
		}
		d.Parent = append(d.Parent, max(up, Top))
	}
	return d
}

// table makes the table of the contributions at its leaves, and says which cell of it is
// in which row and column. Totals have to be what is written.
func (b *textbook) table(w *written, leaf, total func(text string) Cell) (*Table, map[[2]int32]int) {
	b.t.Helper()
	dimensions := []Dimension{w.tree()}
	if len(w.columns) > 1 {
		dimensions = append(dimensions, branches(len(w.columns)-1))
	}
	var places [][2]int32
	var cells []Cell
	ends := map[[2]int32]bool{}
	for _, row := range leavesOf(dimensions[0]) {
		for column := range w.columns {
			if column > 0 || len(w.columns) == 1 {
				ends[[2]int32{row, int32(column)}] = true
				places, cells = append(places, [2]int32{row, int32(column)}), append(cells, leaf(w.rows[row][column]))
			}
		}
	}
	tab, err := Complete(dimensions, places, []Part{{Cells: cells}})
	if err != nil {
		b.t.Fatalf("%s: %v", w.where, err)
	}
	at := map[[2]int32]int{}
	sum := func(c Cell) (n int64) {
		for _, v := range c {
			n += v.Value
		}
		return n
	}
	for i, node := range tab.Nodes {
		at[node] = i
		if want, got := sum(total(w.rows[node[0]][node[1]])), sum(tab.Parts[0].Cells[i]); !ends[node] && got != want {
			b.t.Fatalf("%s: %s, row %s, column %s: adds up to %d, want %d", w.where, w.name, w.labels[node[0]], w.columns[node[1]], got, want)
		}
	}
	return tab, at
}

// intervals compares what an attacker can derive with what is written.
func (b *textbook) intervals(w *written) {
	b.t.Helper()
	of := func(text string) int64 {
		text, _, _ = strings.Cut(strings.TrimPrefix(text, "["), " ")
		return b.number(w.where, text)
	}
	next := int32(0)
	pair := func(text string) Cell {
		next += 2
		return Cell{{next, next, of(text)}, {next + 1, next + 1, of(text)}}
	}
	tab, at := b.table(w, pair, pair)
	hidden := make([]bool, len(tab.Nodes))
	want := map[int32]string{}
	for row, cells := range w.rows {
		for column, text := range cells {
			if interval, is := strings.CutPrefix(text, "["); is {
				cell := at[[2]int32{int32(row), int32(column)}]
				hidden[cell] = true
				_, want[int32(cell)], _ = strings.Cut(strings.TrimSuffix(interval, "]"), " ")
			}
		}
	}
	found, err := Intervals(Rules{MinContributors: 2}, tab, hidden, 1000)
	if err != nil || len(found) != len(want) {
		b.t.Fatalf("%s: %s: %d intervals, %v, want %d", w.where, w.name, len(found), err, len(want))
	}
	for _, in := range found {
		n := tab.Nodes[in.Cell]
		v := float64(of(w.rows[n[0]][n[1]]))
		got := fmt.Sprintf("%.0f..", v-in.Below)
		if !math.IsInf(in.Above, 0) {
			got += fmt.Sprintf("%.0f", v+in.Above)
		}
		if got = strings.Replace(got, "-0.", "0.", 1); got != want[in.Cell] {
			b.t.Errorf("%s: %s, row %s, column %s: %s, want %s", w.where, w.name, w.labels[n[0]], w.columns[n[1]], got, want[in.Cell])
		}
	}
}

// protection protects a table, and compares which cells break a rule, how many are hidden,
// and by how much the former are in doubt.
func (b *textbook) protection(w *written) {
	b.t.Helper()
	named, next := map[string]int32{}, int32(0)
	level := map[[2]int32]float64{}
	list := func(text string) Cell {
		text, _, _ = strings.Cut(strings.TrimPrefix(text, "!"), "^")
		var cell Cell
		for word := range strings.SplitSeq(text, "/") {
			owner, value, is := strings.Cut(word, ":")
			if !is {
				owner, value = "", word
			}
			value, times := b.repeated(w.where, value)
			for range times {
				o, known := named[owner]
				if !is || !known {
					o = next
					next++
					named[owner] = o
				}
				cell = append(cell, Contribution{o, o, b.number(w.where, value)})
			}
		}
		return cell
	}
	tab, at := b.table(w, list, list)
	for row, cells := range w.rows {
		for column, text := range cells {
			if _, doubt, is := strings.Cut(text, "^"); is {
				level[[2]int32{int32(row), int32(column)}] = float64(b.number(w.where, doubt))
			}
		}
	}
	for _, cost := range []Cost{LeastCells, LeastValue} {
		p, err := Protect(b.t.Context(), b.rules, cost, tab)
		if err != nil {
			b.t.Fatalf("%s: %s: %v", w.where, w.name, err)
		}
		hidden := 0
		for node, cell := range at {
			if p.Hidden[cell] {
				hidden++
			}
			verdicts := p.Judgements[0].Cells[cell].Verdicts
			broken := slices.ContainsFunc(verdicts, func(v Verdict) bool { return !v.Released() && v != Secondary })
			if breaks := strings.HasPrefix(w.rows[node[0]][node[1]], "!"); breaks != broken || p.Hidden[cell] == slices.Contains(verdicts, Release) {
				b.t.Errorf("%s: %s, row %s, column %s: %v and hidden %v, want that it breaks a rule: %v", w.where, w.name, w.labels[node[0]], w.columns[node[1]], verdicts, p.Hidden[cell], breaks)
			}
		}
		if cost == LeastCells && hidden > w.most+1 {
			b.t.Errorf("%s: %s: %d cells hidden, want %d", w.where, w.name, hidden, w.most)
		}
		found, err := Intervals(b.rules, tab, p.Hidden, 1000)
		if err != nil || len(found) != hidden {
			b.t.Fatalf("%s: %s: %d intervals, %v, want %d", w.where, w.name, len(found), err, hidden)
		}
		for _, in := range found {
			if n := tab.Nodes[in.Cell]; in.Above < level[n]-1e-6 {
				b.t.Errorf("%s: %s, row %s, column %s: in doubt by %v, want %v", w.where, w.name, w.labels[n[0]], w.columns[n[1]], in.Above, level[n])
			}
		}
		if b.rules.PPercent > 0 {
			b.attacked(w, tab, p.Hidden)
		}
	}
}

// attacked lets those with the most in any cell attack each other, wherever they are.
func (b *textbook) attacked(w *written, tab *Table, hidden []bool) {
	b.t.Helper()
	world := worldOf(b.t, tab)
	shown := func(_, cell int) bool { return !hidden[cell] }
	var large []int32
	for cell := range tab.Nodes {
		organisations, _ := world.Contributors(0, cell)
		large = append(large, organisations[:min(len(organisations), 3)]...)
	}
	slices.Sort(large)
	large = slices.Compact(large)
	for cell := range tab.Nodes {
		for _, c := range tab.Parts[0].Cells[cell] {
			if !slices.Contains(large, c.Organisation) {
				continue
			}
			for _, by := range large {
				if by == c.Organisation {
					continue
				}
				bound, err := world.Bound([]int32{by}, shown, attack.Asked{Cell: cell, Victim: c.Organisation})
				if err != nil {
					b.t.Fatalf("%s: %v", w.where, err)
				}
				if bound.Within(float64(b.rules.PPercent)) {
					b.t.Errorf("%s: %s: %d knows that %d has %v at %v to be at most %v", w.where, w.name, by, c.Organisation, bound.Value, tab.Nodes[cell], bound.Most)
				}
			}
		}
	}
}
