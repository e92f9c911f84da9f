package expression

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func TestWhatIsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"price*quantity*1.19", "price * quantity * 1.19 = (119*price*quantity)/100"},
		{" price\n* quantity", "price * quantity = (1*price*quantity)/1"},
		{"price / 100", "price / 100 = (1*price)/100"},
		{"price - cost", "price - cost = (1*price + -1*cost)/1"},
		{"(price - cost) * quantity", "(price - cost) * quantity = (1*price*quantity + -1*cost*quantity)/1"},
		{"price * (1.5 * 2)", "price * (1.5 * 2) = (3*price)/1"},
		{"price + price", "price + price = (2*price)/1"},
		{"-price * -2 / 3", "-price * -2 / 3 = (2*price)/3"},
		{"price - -cost", "price - -cost = (1*price + 1*cost)/1"},
		{"price / quantity / 4 + cost / 6", "price / quantity / 4 + cost / 6 = (3*price/quantity + 2*cost)/12"},
		{"price / (quantity / cost)", "price / (quantity / cost) = (1*cost*price/quantity)/1"},
		{"(a / b) + (b / a)", "(a / b) + (b / a) = (1*a/b + 1*b/a)/1"},
		{`"net ""price""" * Größe_2`, `"net ""price""" * Größe_2 = (1*Größe_2*net "price")/1`},
		{"year * 2", "year * 2 = (2*year)/1"}, // a column of that name
		{"month(sold_on)", "month(sold_on): month of sold_on, part"},
		{`week( ("sold on") )`, `week(("sold on")): week of sold on, part`},
		{"lower(trim(city))", "lower(trim(city)): trim, lower of city, text"},
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := show(e); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, got, c.want)
		}
		if again, err := Parse(e.String()); err != nil || show(again) != c.want {
			t.Errorf("%s is read as something else: %v", e, err)
		}
	}
}

func show(e *Expression) string {
	if e.Kind != Number {
		return fmt.Sprintf("%s: %s of %s, %s", e, strings.Join(e.Functions, ", "), e.Of, e.Kind)
	}
	var terms []string
	for _, t := range e.Terms {
		s := fmt.Sprint(t.Times)
		for _, name := range t.Over {
			s += "*" + name
		}
		for _, name := range t.Under {
			s += "/" + name
		}
		terms = append(terms, s)
	}
	return fmt.Sprintf("%s = (%s)/%d", e, strings.Join(terms, " + "), e.By)
}

// Whoever can put a constant beside one participant's value makes it look like one of
// many. No spelling of it can be written, nor of what finds the participant.
func TestConstantPaddingCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		at   int
		want string
	}{
		// Conditions, comparisons, and whatever else a database would take.
		{"CASE WHEN participant = 'v' THEN value ELSE 1000000 END", 6, `"WHEN" stands where`},
		{"IF(participant = 1, value, 1000000)", 1, `there is no function "IF"`},
		{"coalesce(value, 1000000)", 1, `there is no function "coalesce"`},
		{"greatest(value, 1000000)", 1, "there is no function"},
		{"nullif(value, 0)", 1, "there is no function"},
		{"abs(value)", 1, "there is no function"},
		{"sign(value) * 1000000", 1, "there is no function"},
		{"round(value)", 1, "there is no function"},
		{"length(city) * 1000000", 1, "there is no function"},
		{"hash(city)", 1, "there is no function"},
		{"value = 5", 7, `"=" stands where`},
		{"value > 5", 7, `">" stands where`},
		{"value * (value > 5)", 16, `">" stands where + - * / or ) is expected`},
		{"value % 10", 7, `"%" stands where`},
		{"value // 10", 8, `"/" stands where`},
		{"value ** 2", 8, `"*" stands where`},
		{"value ^ 0", 7, `"^" stands where`},
		{"value AND 1", 7, `"AND" stands where`},
		{"value; SELECT 1", 6, `";" stands where`},
		{"value -- 1000000", 8, "a number cannot be added or subtracted"},
		{"value /* */ * 2", 8, `"*" stands where`},
		{"'1000000'", 1, `"'" stands where`},
		{"value::integer", 6, `":" stands where`},
		{"sum(value)", 1, "there is no function"},
		{"value, 1", 6, `"," stands where`},
		{"sales.value * 2", 6, `".value" stands where`},
		{"$1 * value", 1, `"$" stands where`},
		// Constants.
		{"", 1, "the end stands where"},
		{"1000000", 1, "a number by itself is a constant"},
		{"-(3 * 4)", 1, "a number by itself is a constant"},
		{"2 / 3", 1, "a number by itself is a constant"},
		{"value + 1000000", 9, "a number cannot be added or subtracted"},
		{"1000000 - value", 1, "a number cannot be added or subtracted"},
		{"value - -1000000", 9, "a number cannot be added or subtracted"},
		{"(value + 1) * 2", 10, "a number cannot be added"},
		{"value * (price + 1)", 18, "a number cannot be added"},
		{"value * (1 + 1)", 10, "a number cannot be added"},
		{"value * 0", 9, "0 makes a constant"},
		{"value * 0.00", 9, "0 makes a constant"},
		{"value * -0", 10, "0 makes a constant"},
		{"value / 0", 9, "0 makes a constant"},
		{"1000000 / value", 1, "a number by itself cannot be divided by a column"},
		{"value * 1e6", 9, `"1e6" is not a number`},
		{"value * 0x10", 9, `"0x10" is not a number`},
		{"value * 1_000", 9, `"1_000" is not a number`},
		{"value * .5", 9, `".5" is not a number`},
		{"value * 5.", 9, `"5." is not a number`},
		{"value * 1.2.3", 9, `"1.2.3" is not a number`},
		{"value * 1000000000000.0", 9, "more than 12 digits"},
		{"value * 1000000 * 10000000", 1, "have more than 12 digits"},
		{"a / 999983 + b / 999979 + c / 999961", 1, "have more than 12 digits"},
		// Constants made from columns.
		{"value - value", 9, "value is subtracted from itself"},
		{"value + price - value", 17, "value is subtracted from itself"},
		{"2 * value - value", 13, "value is subtracted from itself"},
		{"value + (-1 * value)", 10, "value is subtracted from itself"},
		{"(a + b) * c - c * a", 15, "a * c is subtracted from itself"},
		{"(a - b) * c + b * c", 15, "b * c is subtracted from itself"},
		{"a / b - (a / b) * 1.5", 10, "a / b is subtracted from itself"},
		{"value / value", 9, `"value" is divided by itself`},
		{"1000000 * value / value", 19, `"value" is divided by itself`},
		{"value * 1000000 / (value * 1)", 20, `"value" is divided by itself`},
		{"(value * price + 1000000 * price) / price", 37, `"price" is divided by itself`},
		{"a / b * b", 9, `"b" is divided by itself`},
		{"(a / b) * (b / a)", 12, `"a" is divided by itself`},
		{"(a + b / c) * c", 15, `"c" is divided by itself`},
		{"a / (b / (a * c))", 6, `"a" is multiplied by itself`},
		{"a / (a / b)", 6, `"a" is divided by itself`},
		{"value / (value + price)", 10, "a sum cannot be divided by"},
		{"(price + value) / (value + price)", 20, "a sum cannot be divided by"},
		{"price / (value - 1)", 18, "a number cannot be added"},
		// Parts of dates, which are nearly constant, and whatever is not a number.
		{"value + year(day)", 9, "year gives a part of a date, which cannot be calculated with"},
		{"year(day) * 1000000", 1, "year gives a part of a date"},
		{"value * month(day)", 9, "month gives a part of a date"},
		{"-day(day)", 2, "day gives a part of a date"},
		{"value / week(day)", 9, "week gives a part of a date"},
		{"trim(city) * 2", 1, "trim gives a text"},
		{"year(month(day))", 1, "year cannot be of month"},
		{"lower(year(day))", 1, "lower cannot be of year"},
		{"year(trim(city))", 1, "year cannot be of trim"},
		{"year(2026)", 6, "year is of a column"},
		{"year(a * b)", 6, "year is of a column"},
		{"lower()", 7, `")" stands where`},
		{"upper(city", 11, "the end stands where"},
		// Squares, which tell how close values are.
		{"value * value", 9, `"value" is multiplied by itself`},
		{"(a + b) * (a - b)", 12, `"a" is multiplied by itself`},
		{"a / b / b", 9, `"b" is divided by twice`},
		// What is pointless, unfinished or endless.
		{"value", 1, `it is the column "value" itself`},
		{"value * 2 / 2", 1, `it is the column "value" itself`},
		{"value *", 8, "the end stands where"},
		{"(value", 7, "the end stands where"},
		{"value)", 6, `")" stands where`},
		{`"value`, 1, "stands where"},
		{`"" * 2`, 1, "a column has no name"},
		{strings.Repeat("(", 17) + "a" + strings.Repeat(")", 17), 17, "more than 16 deep"},
		{strings.Repeat("-", 17) + "a", 17, "more than 16 deep"},
		{strings.Repeat("a", MaxLength+1), MaxLength + 1, "it is longer than 500 characters"},
		{"a+b+c+d+e+f+g+h+i", 17, "more than 8 terms"},
		{"(a+b+c) * (d+e+f)", 12, "more than 8 terms"},
		{"a*b*c*d*e*f*g*h*i", 1, "it reads 9 columns"},
	} {
		_, err := Parse(c.text)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.At != c.at || !strings.Contains(wrong.Text, c.want) {
			t.Errorf("%s: got %v, want %q at %d", c.text, err, c.want, c.at)
		}
	}
}

// Whatever can be written depends on each of its columns, is 0 where all are, and is
// the sum of its terms: nothing in it stays when the columns change.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"price * quantity * 1.19", "(a - b) * c / 100", "a / b + b / a", "lower(trim(city))", "month(sold_on)", `"a b" / 3`, "-a - -b", "a - a", "a * 0", "1 + a",
		"((a+b)*(c+d))/e", "x/(y/(z*2))", "CASE WHEN a THEN b END",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Text == "" || wrong.At < 1 || wrong.At > len([]rune(text))+1 {
				t.Fatalf("%q: error %#v", text, err)
			}
			return
		}
		again, err := Parse(e.String())
		if err != nil || show(again) != show(e) {
			t.Fatalf("%q is written %q, which is read as something else: %v", text, e, err)
		}
		if e.Kind != Number {
			return
		}
		seen := map[string]bool{}
		for _, term := range e.Terms {
			if len(term.Over) == 0 || term.Times == 0 || e.By < 1 {
				t.Fatalf("%q has a constant: %s", text, show(e))
			}
			all := slices.Concat(term.Over, term.Under)
			slices.Sort(all)
			if len(slices.Compact(slices.Clone(all))) != len(all) {
				t.Fatalf("%q has a column twice in a product: %s", text, show(e))
			}
			id := fmt.Sprintf("%q %q", term.Over, term.Under)
			if seen[id] {
				t.Fatalf("%q has a term twice: %s", text, show(e))
			}
			seen[id] = true
		}
		columns := e.Columns()
		for _, column := range columns {
			moves := false
			for shift := range int64(3) {
				moves = moves || e.at(columns, "", 0).Cmp(e.at(columns, column, shift+1)) != 0
			}
			if !moves {
				t.Fatalf("%q does not depend on %q: %s", text, column, show(e))
			}
		}
	})
}

// at computes the expression where the n-th column is a prime, one of them moved.
func (e *Expression) at(columns []string, moved string, by int64) *big.Rat {
	primes := []int64{10007, 20011, 30011, 40009, 50021, 60013, 70001, 80021}
	of := func(name string) *big.Rat {
		n := primes[slices.Index(columns, name)]
		if name == moved {
			n += by
		}
		return big.NewRat(n, 1)
	}
	sum := new(big.Rat)
	for _, t := range e.Terms {
		p := big.NewRat(t.Times, e.By)
		for _, name := range t.Over {
			p.Mul(p, of(name))
		}
		for _, name := range t.Under {
			p.Quo(p, of(name))
		}
		sum.Add(sum, p)
	}
	return sum
}
