package contract

import (
	"fmt"
	"strings"
	"time"
)

// Words says in plain sentences what a file of this dataset must be, without its columns.
func (d *Dataset) Words() []string {
	var words []string
	say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	say("A file is %s.", listed(d.formats(), "or"))
	if d.Takes(CSV) {
		d.CSV.words(say)
	}
	switch {
	case d.FileName != "":
		say("It is called %s, where {date} is the business date.", d.FileName)
	case d.FilePattern != "":
		say("Its name matches the pattern %s.", d.FilePattern)
	default:
		say("It may have any name; its dataset and date are said when it is sent.")
	}
	if i, ok := d.ColumnWith(BusinessDate); ok {
		say("Every row has the business date in the column %s.", d.Columns[i].Name)
	}
	if i, ok := d.ColumnWith(Participant); ok {
		say("Every row has one of your organisation's ids in the column %s.", d.Columns[i].Name)
	}
	if len(d.Unique) > 0 {
		say("No two rows have the same %s.", listed(d.Unique, "and"))
	}
	say("At most %s and %s rows.", size(d.Limits.Bytes), grouped(d.Limits.Rows))
	d.sayDue(say)
	if d.Retention != nil {
		say("It is kept for %s, then its bytes are deleted.", days(d.Retention.Days))
	}
	return words
}

func (d *Dataset) formats() []string {
	names := map[Format]string{CSV: "CSV", NDJSON: "NDJSON (one JSON object a line)", Parquet: "Parquet"}
	var all []string
	for _, f := range AllFormats {
		if d.Takes(f) {
			all = append(all, names[f])
		}
	}
	return all
}

func (d Dialect) words(say func(string, ...any)) {
	signs := map[string]string{",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
	by := signs[d.Delimiter]
	if by == "" {
		by = d.Delimiter
	}
	say("Values in CSV are separated by %s, in the encoding %s, with the decimal sign %q.", by, d.Encoding, d.Decimal)
	if d.Header {
		say("The first line names the columns, in any order.")
	} else {
		say("There is no line of names: the columns are in the order below.")
	}
	if d.Compression == Gzip {
		say("It is compressed with gzip.")
	}
	var none []string
	for _, n := range d.Null {
		if n != "" {
			none = append(none, fmt.Sprintf("%q", n))
		}
	}
	if len(none) > 0 {
		say("No value is written as nothing or %s.", listed(none, "or"))
	}
}

func (d *Dataset) sayDue(say func(string, ...any)) {
	if d.Cadence != Irregular {
		say("One file for each %s.", map[Cadence]string{Daily: "day", Weekly: "week", Monthly: "month", Quarterly: "quarter", Yearly: "year"}[d.Cadence])
	}
	if d.Due == nil {
		return
	}
	of := "its period has ended"
	if d.Cadence == Irregular || d.Cadence == Daily {
		of = "its date"
	}
	say("It is due %s after %s, at %s (%s).", days(d.Due.AfterDays), of, d.Due.At, d.Due.Zone)
	switch {
	case d.Due.graceDays > 0:
		say("Scheduled runs wait %s longer; what comes after is left out of them.", days(d.Due.graceDays))
	case d.Due.grace >= time.Hour && d.Due.grace%time.Hour == 0:
		say("Scheduled runs wait %d hours longer; what comes after is left out of them.", d.Due.grace/time.Hour)
	case d.Due.grace > 0:
		say("Scheduled runs wait %d minutes longer; what comes after is left out of them.", d.Due.grace/time.Minute)
	}
}

// Rules says in words what a column's values must be, beside its type.
func (c *Column) Rules() []string {
	var rules []string
	switch c.Role {
	case BusinessDate:
		rules = append(rules, "the business date of the file")
	case Participant:
		rules = append(rules, "one of your organisation's ids")
	}
	if c.Format != "" && c.Format != ISODate {
		rules = append(rules, "written as "+c.Format)
	}
	if len(c.Allowed) > 0 {
		shown := c.Allowed[:min(len(c.Allowed), 20)]
		rule := "one of " + strings.Join(shown, ", ")
		if n := len(c.Allowed) - len(shown); n > 0 {
			rule += fmt.Sprintf(" and %d more", n)
		}
		rules = append(rules, rule)
	}
	if c.Pattern != "" {
		rules = append(rules, "matches "+c.Pattern)
	}
	if c.MaxLength > 0 {
		rules = append(rules, fmt.Sprintf("at most %d characters", c.MaxLength))
	}
	if c.HasRange() {
		rules = append(rules, c.Range())
	}
	return rules
}

// size writes bytes in the largest unit of which they are a whole number.
func size(n int64) string {
	unit := 0
	for n%1024 == 0 && unit < 3 {
		n, unit = n/1024, unit+1
	}
	return grouped(n) + " " + [...]string{"bytes", "KiB", "MiB", "GiB"}[unit]
}

// grouped writes a number with commas.
func grouped(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

func days(n int) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

// listed joins words as a sentence has them.
func listed(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
