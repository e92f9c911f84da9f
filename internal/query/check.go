package query

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"tributary/internal/fault"
)

// The largest question.
const (
	MaxParticipants = 100_000
	MaxSources      = 1_000_000
	MaxDatasets     = 64
	MaxColumns      = 256 // that one question needs of a dataset
	MaxGroups       = 16
	MaxMeasures     = 256
	MaxFilters      = 64
	MaxEquals       = 1_000
	MaxName         = 1_024 // bytes
	MaxScale        = 18
	MaxRows         = 100_000_000
	MinMemory       = 32 << 20
)

func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

// Check reports what is wrong with the spec, as fault.Invalid that names the
// part. Engines and Read take a spec that passed, on either side of the stream.
func (s Spec) Check() error {
	for _, part := range []func() error{
		s.checkSizes, s.checkDatasets, s.checkDerived, s.checkSources, s.checkGroups, s.checkMeasures, s.checkFilters,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (s Spec) checkSizes() error {
	for _, n := range []struct {
		what          string
		got, min, max int
	}{
		{"participants", s.Participants, 1, MaxParticipants},
		{"sources", len(s.Sources), 0, MaxSources},
		{"datasets", len(s.Datasets), 1, MaxDatasets},
		{"group columns", len(s.Groups), 0, MaxGroups},
		{"measures", len(s.Measures), 1, MaxMeasures},
		{"filters", len(s.Filters), 0, MaxFilters},
		{"derived columns", len(s.Derived), 0, MaxDerived},
		{"rows of the answer", s.Limits.Rows, 1, MaxRows},
	} {
		if n.got < n.min || n.got > n.max {
			return invalid("The query has %d %s; between %d and %d are possible.", n.got, n.what, n.min, n.max)
		}
	}
	if s.Limits.Memory < MinMemory {
		return invalid("The query may use %d bytes of memory; it needs at least %d.", s.Limits.Memory, MinMemory)
	}
	return nil
}

func checkName(what, name string) error {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return invalid("The %s name %.64q must have 1 to %d bytes of UTF-8 without NUL.", what, name, MaxName)
	}
	return nil
}

// names returns the datasets in order, so that the first complaint is always the same.
func (s Spec) names() []string {
	names := make([]string, 0, len(s.Datasets))
	for name := range s.Datasets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s Spec) checkDatasets() error {
	for _, name := range s.names() {
		if err := checkName("dataset", name); err != nil {
			return err
		}
		columns := s.Datasets[name]
		if len(columns) > MaxColumns {
			return invalid("The query needs %d columns of dataset %q; at most %d are possible.", len(columns), name, MaxColumns)
		}
		seen := map[string]bool{}
		for _, c := range columns {
			if err := checkName("column", c.Name); err != nil {
				return err
			}
			if seen[c.Name] {
				return invalid("Dataset %q has two columns %q.", name, c.Name)
			}
			seen[c.Name] = true
			switch c.Type {
			case Text, Integer, Float, Boolean, Date, Timestamp:
				if c.Scale != 0 {
					return invalid("Column %q of dataset %q is %s and has a scale; only decimals do.", c.Name, name, c.Type)
				}
			case Decimal:
				if c.Scale < 0 || c.Scale > MaxScale {
					return invalid("Column %q of dataset %q has scale %d; 0 to %d are possible.", c.Name, name, c.Scale, MaxScale)
				}
			default:
				return invalid("Column %q of dataset %q has the unknown type %q.", c.Name, name, c.Type)
			}
		}
	}
	return nil
}

func (s Spec) checkSources() error {
	inputs := make(map[int]bool, len(s.Sources))
	for i, source := range s.Sources {
		if _, ok := s.Datasets[source.Dataset]; !ok {
			return invalid("Source %d is of dataset %q, which the query does not declare.", i, source.Dataset)
		}
		if source.Participant < 0 || source.Participant >= s.Participants {
			return invalid("Source %d is of participant %d; there are %d.", i, source.Participant, s.Participants)
		}
		if source.Input < 0 || inputs[source.Input] { // one file is one participant's
			return invalid("Source %d names input %d, which is negative or another source's.", i, source.Input)
		}
		inputs[source.Input] = true
	}
	return nil
}

func (s Spec) checkGroups() error {
	for i, name := range s.Groups {
		if slices.Contains(s.Groups[:i], name) {
			return invalid("The query groups by %q twice.", name)
		}
		first := Column{}
		for j, dataset := range s.names() {
			c, err := s.Column(dataset, name)
			switch {
			case err != nil:
				return err
			case c.Type == Float:
				return invalid("Column %q is a float; results cannot be grouped by it.", name)
			case s.calculated(dataset, name):
				return invalid("Column %q is calculated; results cannot be grouped by it.", name)
			case j > 0 && c != first:
				return invalid("Group column %q does not have the same type in every dataset.", name)
			}
			first = c
		}
	}
	return nil
}

func (s Spec) checkMeasures() error {
	names := map[string]bool{}
	for _, m := range s.Measures {
		if err := checkName("measure", m.Name); err != nil {
			return err
		}
		if names[m.Name] {
			return invalid("The query has two measures %q.", m.Name)
		}
		names[m.Name] = true
		if m.Scale < 0 || m.Scale > MaxScale {
			return invalid("Measure %q has scale %d; 0 to %d are possible.", m.Name, m.Scale, MaxScale)
		}
		if m.Column == "" && m.Own == Count {
			if _, ok := s.Datasets[m.Dataset]; !ok {
				return invalid("Measure %q is of dataset %q, which the query does not declare.", m.Name, m.Dataset)
			}
			continue
		}
		c, err := s.Column(m.Dataset, m.Column)
		if err != nil {
			return err
		}
		if d, ok := s.derived(m.Dataset, m.Column); ok && (len(d.Terms) == 0 || m.Own == Count) {
			return invalid("Measure %q takes the %s of the derived column %q; there are sums and means of calculated ones.", m.Name, m.Own, c.Name)
		}
		switch m.Own {
		case Count:
		case Sum, Mean:
			if c.Type != Integer && c.Type != Decimal && c.Type != Float {
				return invalid("Measure %q takes the %s of column %q, which is %s.", m.Name, m.Own, c.Name, c.Type)
			}
		default:
			return invalid("Measure %q has the unknown way %q; there are sum, mean and count.", m.Name, m.Own)
		}
	}
	return nil
}

func (s Spec) checkFilters() error {
	for _, f := range s.Filters {
		datasets := []string{f.Dataset}
		if f.Dataset == "" {
			datasets = s.names()
		}
		ranged := f.From != nil || f.To != nil
		if len(f.Equals) > MaxEquals || (len(f.Equals) > 0) == ranged {
			return invalid("The filter on %q needs 1 to %d values, or a range.", f.Column, MaxEquals)
		}
		values := slices.Clone(f.Equals)
		for _, bound := range []*Value{f.From, f.To} {
			if bound != nil {
				values = append(values, *bound)
			}
		}
		for _, dataset := range datasets {
			c, err := s.declared(dataset, f.Column)
			if err != nil {
				return err
			}
			for _, v := range values {
				if v.Null || !v.fits(c) {
					return invalid("The filter on %q has a value that is not %s.", f.Column, describe(c))
				}
			}
		}
	}
	return nil
}

func describe(c Column) string {
	if c.Type == Decimal {
		return fmt.Sprintf("a decimal with %d digits after the point", c.Scale)
	}
	return "of type " + string(c.Type)
}

// Column finds a column, declared or derived, or says as fault.Invalid which is missing.
func (s Spec) Column(dataset, name string) (Column, error) {
	if d, ok := s.derived(dataset, name); ok {
		return Column{Name: d.Name, Type: d.Type, Scale: d.Scale}, nil
	}
	return s.declared(dataset, name)
}

// declared is Column of the dataset's own.
func (s Spec) declared(dataset, name string) (Column, error) {
	for _, c := range s.Datasets[dataset] {
		if c.Name == name {
			return c, nil
		}
	}
	return Column{}, invalid("Dataset %q has no column %q.", dataset, name)
}
