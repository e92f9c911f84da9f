package parse

import (
	"fmt"

	"tributary/internal/exchange/contract"
	"tributary/internal/fault"
)

// Template is a dataset's template, in the encoding that its files have.
func Template(d *contract.Dataset, date contract.Date, participant string) ([]byte, error) {
	text, ok := d.Template(date, participant)
	if !ok {
		return nil, fault.New(fault.Conflict, "Files of the dataset %q are Parquet alone, of which there is no template. Its columns and their types are listed with it.", d.Name)
	}
	if !d.Takes(contract.CSV) || d.CSV.Encoding == "utf-8" {
		return text, nil
	}
	e, ok := decoders[d.CSV.Encoding]
	if !ok {
		return nil, fmt.Errorf("template of %s: encoding %q", d.Name, d.CSV.Encoding)
	}
	if d.CSV.Encoding == "utf-16" {
		text = append([]byte("\ufeff"), text...)
		e = decoders["utf-16le"]
	}
	b, err := e.NewEncoder().Bytes(text)
	if err != nil {
		return nil, fault.New(fault.Conflict, "The names or example values of the dataset %q cannot be written in %s, so it has no template.", d.Name, d.CSV.Encoding)
	}
	return b, nil
}
