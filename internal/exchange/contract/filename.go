package contract

import (
	"regexp"
	"slices"
	"strings"

	"tributary/internal/fault"
)

// Places in a file name's template.
const (
	placeDate        = "{date}"        // the business date, YYYY-MM-DD
	placeParticipant = "{participant}" // one of the submitter's external ids
	placeDataset     = "{dataset}"     // the dataset's name
)

var placeholder = regexp.MustCompile(`\{[^}]*\}?|\}`)

// fileNameOf makes a template a regular expression over the whole name.
func fileNameOf(template, dataset string) (*regexp.Regexp, string) {
	var b strings.Builder
	b.WriteString("^")
	seen, last := "", 0
	for _, at := range placeholder.FindAllStringIndex(template, -1) {
		place := template[at[0]:at[1]]
		b.WriteString(regexp.QuoteMeta(template[last:at[0]]))
		last = at[1]
		switch place {
		case placeDate:
			b.WriteString(`(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})`)
		case placeParticipant:
			b.WriteString(`(?P<participant>[^/]+)`)
		case placeDataset:
			b.WriteString(regexp.QuoteMeta(dataset))
		default:
			return nil, "has " + place + ", which is not known. Use " + placeDate + ", " + placeParticipant + " and " + placeDataset + "."
		}
		if strings.Contains(seen, place) && place != placeDataset {
			return nil, "has " + place + " twice. Remove one."
		}
		seen += place
	}
	b.WriteString(regexp.QuoteMeta(template[last:]))
	b.WriteString("$")
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, "is not usable as a file name."
	}
	return re, ""
}

// FileName is what a file's name says about the submission; nil and empty
// where the name says nothing.
type FileName struct {
	Date        *Date
	Participant string
}

// ParseFileName reads a file's name by the contract's template or pattern. A
// pattern's named groups date and participant mean what the places of a
// template do. Without either, every name is right and says nothing. The
// error is a fault.Invalid that says what is expected.
func (d *Dataset) ParseFileName(name string) (FileName, error) {
	if d.fileName == nil {
		return FileName{}, nil
	}
	groups := d.fileName.FindStringSubmatch(name)
	if groups == nil {
		return FileName{}, fault.New(fault.Invalid, "The file name %.64q does not have the form of this dataset: %s. Rename the file.", name, d.fileNameForm())
	}
	var f FileName
	if i := d.fileName.SubexpIndex("date"); i >= 0 {
		date, err := ParseDate(groups[i])
		if err != nil {
			return FileName{}, fault.New(fault.Invalid, "The file name %.64q has the date %.32q, which is not in the calendar. Rename the file.", name, groups[i])
		}
		f.Date = &date
	}
	if i := d.fileName.SubexpIndex("participant"); i >= 0 {
		f.Participant = groups[i]
	}
	return f, nil
}

// CheckFileName reports, as a fault.Invalid, how a file's name contradicts the
// submission that it is sent for.
func (d *Dataset) CheckFileName(name string, business Date, participants []string) error {
	f, err := d.ParseFileName(name)
	if err != nil {
		return err
	}
	if f.Date != nil && *f.Date != business {
		return fault.New(fault.Invalid, "The file name %.64q is for %s, but the submission is for %s. Rename the file or submit it for its own date.", name, f.Date, business)
	}
	if f.Participant != "" && !slices.Contains(participants, f.Participant) {
		return fault.New(fault.Invalid, "The file name %.64q has %.64q where one of your organisation's ids is expected. Rename the file.", name, f.Participant)
	}
	return nil
}

func (d *Dataset) fileNameForm() string {
	if d.FilePattern != "" {
		return "the pattern " + d.FilePattern
	}
	return d.FileName
}
