package contract

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Encodings lists the encodings that files may have.
var Encodings = [...]string{
	"utf-8", "utf-16", "utf-16le", "utf-16be", // utf-16 needs a byte order mark
	"iso-8859-1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252", "macintosh", "ibm850",
}

var (
	slug       = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)
	columnName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{M}\p{N}_ .%/()#&+-]*$`)
)

// Parse reads a contract. Unknown keys, and everything else that is not
// understood, are errors: a fault.Invalid (or TooLarge) whose message has a
// line for each problem with the line of the YAML, the path, and what to do.
func Parse(text []byte) (*Dataset, error) {
	doc := &document{}
	root, err := open(text, doc)
	if err != nil {
		return nil, err
	}
	d := readDataset(root)
	if err := doc.err(); err != nil {
		return nil, err
	}
	d.hash = d.sum()
	return d, nil
}

func readDataset(root node) *Dataset {
	f := root.fields("dataset", "title", "description", "formats", "csv", "columns", "unique", "file_name", "file_pattern", "limits", "cadence", "due", "retention")
	d := &Dataset{
		Name:        f.text("dataset", "", maxName),
		Title:       f.text("title", "", 200),
		Description: f.text("description", "", maxNote),
		FileName:    f.text("file_name", "", 200),
		FilePattern: f.text("file_pattern", "", MaxPattern),
	}
	if !slug.MatchString(d.Name) {
		f.node("dataset").problem("must name the dataset in 1 to 63 lower-case letters, digits, hyphens and underscores, such as sales.")
	}
	d.readFormats(f)
	d.CSV = readDialect(f)
	columns := f.list("columns", MaxColumns)
	for _, n := range columns {
		d.Columns = append(d.Columns, readColumn(n))
	}
	d.Limits = readLimits(f, len(d.Columns))
	d.checkColumns(f.node("columns"), columns)
	d.readUnique(f)
	d.readFileName(f)
	d.readDue(f)
	d.readRetention(f)
	return d
}

// readFormats keeps them in one order, and nothing for CSV alone.
func (d *Dataset) readFormats(f fields) {
	var known []string
	for _, k := range AllFormats {
		known = append(known, string(k))
	}
	named := make(map[Format]bool)
	for _, n := range f.list("formats", len(AllFormats)) {
		k := Format(n.text(maxName))
		switch {
		case !slices.Contains(known, string(k)):
			n.problem("%q is not known. Write one of: %s.", k, strings.Join(known, ", "))
		case named[k]:
			n.problem("names %s twice. Remove one.", k)
		}
		named[k] = true
	}
	if f.has("formats") && len(named) == 0 {
		f.node("formats").problem("is empty. List what files may be (%s), or remove the key for %s alone.", strings.Join(known, ", "), CSV)
	}
	if len(named) == 1 && named[CSV] {
		return
	}
	for _, k := range AllFormats {
		if named[k] {
			d.Formats = append(d.Formats, k)
		}
	}
}

func readDialect(parent fields) Dialect {
	f := fields{at: parent.node("csv")}
	if parent.has("csv") {
		f = parent.node("csv").fields("delimiter", "quote", "encoding", "decimal", "thousands", "header", "compression", "null", "comment")
	}
	d := Dialect{
		Delimiter:   f.text("delimiter", ",", 1),
		Quote:       f.text("quote", `"`, 1),
		Encoding:    f.oneOf("encoding", "utf-8", Encodings[:]...),
		Decimal:     f.oneOf("decimal", ".", ".", ","),
		Thousands:   f.text("thousands", "", 1),
		Header:      f.boolean("header", true),
		Compression: f.oneOf("compression", Auto, Plain, Gzip, Auto),
		Null:        []string{""},
		Comment:     f.text("comment", "", 1),
	}
	if f.has("null") {
		d.Null = []string{}
		for _, n := range f.list("null", maxNulls) {
			d.Null = append(d.Null, n.text(maxValue))
		}
		slices.Sort(d.Null)
		d.Null = slices.Compact(d.Null)
	}
	d.check(f)
	return d
}

// check makes sure that each sign of a dialect has one meaning.
func (d Dialect) check(f fields) {
	if d.Delimiter == "" {
		f.node("delimiter").problem(`must be one character, such as "," or ";" or "\t".`)
	}
	for _, sign := range []struct{ key, value string }{{"delimiter", d.Delimiter}, {"quote", d.Quote}, {"comment", d.Comment}} {
		if sign.value != "" && (sign.value[0] >= utf8.RuneSelf || strings.ContainsAny(sign.value, "\r\n\x00") || alphanumeric(sign.value)) {
			f.node(sign.key).problem("must be one ASCII sign that is not a letter, a digit or a line end.")
		}
	}
	if d.Quote != "" && d.Quote == d.Delimiter || d.Comment != "" && (d.Comment == d.Delimiter || d.Comment == d.Quote) {
		f.node("delimiter").problem("delimiter, quote and comment must be different characters.")
	}
	if t := d.Thousands; t != "" && (t == d.Decimal || alphanumeric(t) || strings.ContainsAny(t, "+-\r\n\x00")) {
		f.node("thousands").problem("must be a sign other than the decimal sign %q.", d.Decimal)
	}
	if d.Quote == "" && (d.Decimal == d.Delimiter || d.Thousands != "" && d.Thousands == d.Delimiter) {
		f.node("delimiter").problem("is also part of numbers, and nothing is quoted. Choose another delimiter, or give a quote.")
	}
}

func alphanumeric(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

func readColumn(n node) Column {
	f := n.fields("name", "type", "description", "scale", "format", "unit", "required", "role", "pattern", "allowed", "max_length", "min", "max")
	c := Column{
		Name:        f.text("name", "", maxName),
		Description: f.text("description", "", maxNote),
		Unit:        f.text("unit", "", 32),
		Role:        Role(f.oneOf("role", "", string(BusinessDate), string(Participant))),
	}
	c.Type = readType(f)
	c.Required = f.boolean("required", c.Role != NoRole)
	if !columnName.MatchString(c.Name) || strings.TrimSpace(c.Name) != c.Name || !norm.NFC.IsNormalString(c.Name) {
		f.node("name").problem("must be 1 to %d characters: a letter or _ first, then letters, digits, spaces and any of _ . %% / ( ) # & + -.", maxName)
	}
	if c.Role != NoRole && !c.Required {
		f.node("required").problem("a column with the role %s is always required. Remove the key.", c.Role)
	}
	want := map[Role]Type{BusinessDate: DateType, Participant: Text}
	if t, ok := want[c.Role]; ok && c.Type != t {
		f.node("role").problem("a column with the role %s must have the type %s.", c.Role, t)
	}
	if c.Unit != "" && !c.Numeric() {
		f.node("unit").problem("only numbers have a unit; this column's type is %s.", c.Type)
	}
	c.readScaleAndFormat(f)
	c.readTextRules(f)
	c.min, c.Min = c.readBound(f, "min")
	c.max, c.Max = c.readBound(f, "max")
	if c.min != nil && c.max != nil && (c.min.i > c.max.i || c.min.f > c.max.f) {
		f.node("max").problem("is less than min.")
	}
	return c
}

func readType(f fields) Type {
	var known []string
	for _, t := range Types {
		known = append(known, string(t))
	}
	if !f.has("type") {
		f.node("type").problem("is missing. Write one of: %s.", strings.Join(known, ", "))
	}
	return Type(f.oneOf("type", string(Text), known...))
}

func (c *Column) readScaleAndFormat(f fields) {
	switch {
	case c.Type == Decimal && !f.has("scale"):
		f.node("scale").problem("is missing. Write how many digits follow the decimal sign, 0 to %d.", MaxScale)
	case c.Type != Decimal && f.has("scale"):
		f.node("scale").problem("only columns of type decimal have a scale; this column's type is %s.", c.Type)
	default:
		c.Scale = int(f.integer("scale", 0, 0, MaxScale))
	}
	switch c.Type {
	case DateType:
		c.Format = f.text("format", ISODate, maxName)
	case Timestamp:
		c.Format = f.text("format", RFC3339, maxName)
	default:
		if f.has("format") {
			f.node("format").problem("only columns of type date and timestamp have a format; this column's type is %s.", c.Type)
		}
		return
	}
	if _, err := NewLayout(c.Type, c.Format); err != nil {
		f.node("format").problem("%s.", err)
	}
}

func (c *Column) readTextRules(f fields) {
	for _, key := range []string{"pattern", "allowed", "max_length"} {
		if f.has(key) && c.Type != Text {
			f.node(key).problem("only columns of type text have this; this column's type is %s. Use min and max for numbers and dates.", c.Type)
			return
		}
	}
	if f.has("pattern") {
		c.Pattern = f.text("pattern", "", MaxPattern)
		re, err := regexp.Compile(c.Pattern)
		switch {
		case err != nil:
			f.node("pattern").problem("is not a regular expression of the RE2 syntax: %s.", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		case c.Pattern == "":
			f.node("pattern").problem("is empty. Remove the key.")
		}
		c.pattern = re
	}
	for _, n := range f.list("allowed", MaxAllowed) {
		c.Allowed = append(c.Allowed, n.text(maxValue))
	}
	if f.has("allowed") && len(c.Allowed) == 0 {
		f.node("allowed").problem("is empty, so no value is allowed. List the values, or remove the key.")
	}
	slices.Sort(c.Allowed)
	c.Allowed = slices.Compact(c.Allowed)
	c.MaxLength = int(f.integer("max_length", 0, 1, MaxField))
}

// readBound reads min or max with a decimal point; dates as YYYY-MM-DD and
// timestamps in RFC 3339, whatever the column's format is.
func (c *Column) readBound(f fields, key string) (*bound, string) {
	if !f.has(key) {
		return nil, ""
	}
	n := f.node(key)
	text := n.text(maxName)
	var b bound
	var plain Numbers
	flaw, ok := Sound, true
	switch c.Type {
	case Integer:
		if b.i, flaw = plain.Integer([]byte(text)); flaw == Sound {
			text = FormatFixed(b.i, 0)
		}
	case Decimal:
		if b.i, flaw = plain.Fixed([]byte(text), c.Scale); flaw == Sound {
			text = FormatFixed(b.i, c.Scale)
		}
	case Float:
		if b.f, flaw = plain.Float([]byte(text)); flaw == Sound {
			text = strconv.FormatFloat(b.f, 'g', -1, 64)
		}
	case DateType:
		var d Date
		d, ok = isoDate.Date([]byte(text))
		b.i = int64(d)
	case Timestamp:
		if b.i, ok = (Layout{}).Timestamp([]byte(text)); ok {
			text = time.UnixMicro(b.i).UTC().Format(time.RFC3339Nano)
		}
	default:
		n.problem("a column of type %s has no range. Use pattern, allowed or max_length.", c.Type)
		return nil, ""
	}
	if flaw != Sound || !ok {
		n.problem("%q is not a value of type %s. Write numbers with a decimal point, dates as YYYY-MM-DD and timestamps in RFC 3339.", text, c.Type)
		return nil, ""
	}
	return &b, text
}

func readLimits(parent fields, columns int) Limits {
	f := fields{at: parent.node("limits")}
	if parent.has("limits") {
		f = parent.node("limits").fields("bytes", "rows", "columns", "field", "ratio")
	}
	l := Limits{
		Bytes:   f.size("bytes", 1<<30, MaxBytes),
		Rows:    f.integer("rows", 10_000_000, 1, MaxRows),
		Columns: int(f.integer("columns", int64(max(200, columns)), 1, MaxColumns)),
		Field:   int(f.size("field", 64<<10, MaxField)),
		Ratio:   int(f.integer("ratio", 100, 1, MaxRatio)),
	}
	if l.Columns < columns {
		f.node("columns").problem("allows %d columns, but the contract has %d.", l.Columns, columns)
	}
	if parent.has("unique") && l.Rows > MaxUniqueRows {
		f.node("rows").problem("a dataset with a unique key can have at most %d rows.", MaxUniqueRows)
	}
	return l
}

func (d *Dataset) checkColumns(at node, nodes []node) {
	if len(d.Columns) == 0 {
		at.problem("must list at least one column.")
	}
	names, roles := make(map[string]bool), make(map[Role]bool)
	for i, c := range d.Columns {
		if c.Name != "" && names[foldName(c.Name)] {
			nodes[i].problem("there is another column %q; names must differ in more than case.", c.Name)
		}
		if c.Role != NoRole && roles[c.Role] {
			nodes[i].problem("there is another column with the role %s. Only one can have it.", c.Role)
		}
		names[foldName(c.Name)], roles[c.Role] = true, true
	}
}

// foldName makes names equal that differ in case at most.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}

func (d *Dataset) readUnique(f fields) {
	for _, n := range f.list("unique", MaxColumns) {
		name := n.text(maxName)
		i, ok := d.Column(name)
		switch {
		case !ok:
			n.problem("there is no column %q.", name)
		case slices.Contains(d.Unique, name):
			n.problem("names %q twice. Remove one.", name)
		case d.Columns[i].Type == Float:
			n.problem("the column %q is a float, and floats are no keys. Use decimal.", name)
		}
		d.Unique = append(d.Unique, name)
	}
	if f.has("unique") && len(d.Unique) == 0 {
		f.node("unique").problem("is empty. List the columns that together name a row, or remove the key.")
	}
}

func (d *Dataset) readFileName(f fields) {
	switch {
	case d.FileName != "" && d.FilePattern != "":
		f.node("file_pattern").problem("file_name and file_pattern exclude each other. Remove one.")
	case d.FileName != "":
		re, flaw := fileNameOf(d.FileName, d.Name)
		if flaw != "" {
			f.node("file_name").problem("%s", flaw)
		}
		d.fileName = re
	case d.FilePattern != "":
		re, err := regexp.Compile(d.FilePattern)
		if err != nil {
			f.node("file_pattern").problem("is not a regular expression of the RE2 syntax: %s.", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			return
		}
		for _, name := range re.SubexpNames() {
			if name != "" && name != "date" && name != "participant" {
				f.node("file_pattern").problem("has the group %q, which is not known. Use date and participant.", name)
			}
		}
		d.fileName = re
	}
}

func (d *Dataset) readDue(parent fields) {
	d.Cadence = Cadence(parent.oneOf("cadence", string(Irregular),
		string(Daily), string(Weekly), string(Monthly), string(Quarterly), string(Yearly), string(Irregular)))
	if !parent.has("due") {
		return
	}
	f := parent.node("due").fields("after_days", "at", "zone", "grace")
	due := &Due{
		AfterDays: int(f.integer("after_days", 0, 0, maxAfterDays)),
		At:        f.text("at", "23:59", 5),
		Zone:      f.text("zone", "UTC", maxName),
	}
	clock, err := time.Parse("15:04", due.At)
	if err != nil || len(due.At) != 5 {
		f.node("at").problem(`must be a time of day such as "12:00", in quotes.`)
	}
	due.minutes = clock.Hour()*60 + clock.Minute()
	due.zone, err = time.LoadLocation(due.Zone)
	if err != nil || due.Zone == "Local" || due.Zone == "" {
		f.node("zone").problem("%q is not a time zone. Write an IANA name such as Europe/Zurich, or UTC.", due.Zone)
	}
	due.readGrace(f)
	d.Due = due
}

// readGrace reads a whole number of minutes, hours or days. None and 0 are the
// same, and so is what begins with zeros.
func (d *Due) readGrace(f fields) {
	text := f.text("grace", "", 8)
	if text == "" {
		return
	}
	number, unit := text[:len(text)-1], text[len(text)-1:]
	n, err := strconv.ParseUint(number, 10, 31)
	each := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	if err != nil || each == 0 || n > uint64(maxGraceDays*24*time.Hour/each) {
		f.node("grace").problem("%q must be a whole number of minutes, hours or days, such as 90m, 6h or 2d, and at most %d days.", text, maxGraceDays)
		return
	}
	if n == 0 {
		return
	}
	d.Grace = strconv.FormatUint(n, 10) + unit
	if unit == "d" {
		d.graceDays = int(n)
	} else {
		d.grace = time.Duration(n) * each
	}
}

func (d *Dataset) readRetention(parent fields) {
	if !parent.has("retention") {
		return
	}
	f := parent.node("retention").fields("days")
	if !f.has("days") {
		f.node("days").problem("is missing. Write for how many days a file is kept, 1 to %d.", MaxDays)
		return
	}
	d.Retention = &Retention{Days: int(f.integer("days", 1, 1, MaxDays))}
}
