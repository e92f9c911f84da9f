package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"

	"tributary/internal/exchange/contract"
	"tributary/internal/exchange/parse"
)

const (
	runDate = "2026-09-23"
	tags    = 100 // of Tag1, and a tenth of it of Tag2: 1,000 cells
	dataset = `dataset: bench-values
title: Tagged values
description: Values for pairs of tags.
csv: {delimiter: ",", header: true}
columns:
  - {name: Date, type: date, format: YYYYMMDD, role: business_date}
  - {name: ClientID, type: text, role: participant}
  - {name: Tag1, type: text, required: true, max_length: 64}
  - {name: Tag2, type: text, required: true, max_length: 64}
  - {name: Value, type: decimal, scale: 2, required: true}
cadence: daily
due: {after_days: 1, at: "12:00", zone: UTC}
`
	// definition takes a number, so that each version has a snapshot of its own.
	// It has the default rules: five organisations, p = 10 %, (2,85) dominance.
	definition = `analysis: bench-sum
title: Sum and count across participants
description: Round %d of the benchmark.
datasets: [bench-values]
groups: [Tag1, Tag2]
measures:
  - {name: Total, function: sum, column: Value, decimals: 2}
  - {name: Rows, function: count}
recipients: contributors
own_value: true
output:
  file_name: "output-{date}-{participant}-000001.csv"
  date_column: Date
  date_format: YYYYMMDD
  id_column: YourId
  own_prefix: Your
quorum: 5
`
)

func externalID(participant int) string { return fmt.Sprintf("%06d", participant) }

// csvOf is what one participant sends: each cell the same number of times, in
// no order, with values of 0.01 to 10,000.00.
func csvOf(participant, rows int) []byte {
	r := rand.New(rand.NewPCG(seed, uint64(participant))) //nolint:gosec // data must be the same each time
	order := r.Perm(rows)
	text := bytes.NewBuffer(make([]byte, 0, rows*48))
	text.WriteString("Date,ClientID,Tag1,Tag2,Value\n")
	var number []byte
	for _, n := range order {
		cell := n % (tags * tags / 10)
		cents := 1 + r.IntN(1_000_000)
		number = strconv.AppendInt(number[:0], int64(cents/100), 10)
		number = append(number, '.', byte('0'+cents/10%10), byte('0'+cents%10))
		fmt.Fprintf(text, "20260923,%s,alpha-%02d,beta-%d,%s\n", externalID(participant), cell/10, cell%10, number)
	}
	return text.Bytes()
}

// acceptedForm writes what the server keeps of a file, by the server's own
// code, for the peer to read: both sides scan the same bytes.
func acceptedForm(ctx context.Context, participant int, csv []byte, to string) (err error) {
	d, err := contract.Parse([]byte(dataset))
	if err != nil {
		return err
	}
	args, err := parse.Args(d)
	if err != nil {
		return err
	}
	date, err := contract.ParseDate(runDate)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	frames, w := io.Pipe()
	go func() { w.CloseWithError(parse.Main(ctx, args, bytes.NewReader(csv), w)) }()
	v, err := parse.Check(d, parse.Facts{BusinessDate: date, Participants: []string{externalID(participant)}}, frames, f)
	if err != nil {
		return err
	}
	if !v.Accepted {
		return fmt.Errorf("the generated file was rejected: %+v", v.Errors[:1])
	}
	return nil
}
