package parse

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"
)

// The engine that runs read accepted forms with must see the contract's types.
func TestDuckDBReadsTheAcceptedForm(t *testing.T) {
	t.Parallel()
	text := strings.Replace(everyType, "pattern: \"^[A-Z]{1,3}$\"", "max_length: 3", 1)
	d := dataset(t, strings.Replace(text, "unique: [Tag, Count]", "unique: [Value]", 1))
	var file strings.Builder
	file.WriteString(everyHeader)
	const n = 130_000 // two row groups, and notes that do not fit a dictionary
	for i := range n {
		fmt.Fprintf(&file, "23.09.2022,007,%s,new,%d,%d,%d.25,0.5,yes,2020-01-01,2022-01-01T00:00:00.000001Z\n", tagOf(i)[:3], i%100_000, i%101, i)
	}
	v, table := run(t, d, Facts{day(t, "2022-09-23"), []string{"007"}}, file.String()+"23.09.2022,007,zzz,,,,,,,,\n")
	if !v.Accepted {
		t.Fatalf("got %+v, want accepted", v)
	}
	path := filepath.Join(t.TempDir(), "accepted.parquet")
	if err := os.WriteFile(path, table, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	described, err := db.Query("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('" + path + "'))")
	if err != nil {
		t.Fatal(err)
	}
	defer described.Close()
	var got []string
	for described.Next() {
		var name, kind string
		if err := described.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}
		got = append(got, name+" "+kind)
	}
	if err := described.Err(); err != nil {
		t.Fatal(err)
	}
	want := "Day DATE, Client VARCHAR, Tag VARCHAR, Kind VARCHAR, Note VARCHAR, Count BIGINT, Value DECIMAL(18,2), " +
		"Share DOUBLE, Yes BOOLEAN, From DATE, At TIMESTAMP WITH TIME ZONE"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}
	var sums string
	query := `SELECT concat_ws(' ', count(*), count("Value"), sum("Value"), count(DISTINCT "Note"), sum("Count"), sum("Share"),
		min("Client"), max("Day"), max("Tag"), min("From"), epoch_us(max("At")), count(*) FILTER ("Yes")) FROM read_parquet('` + path + `')`
	if err := db.QueryRow(query).Scan(&sums); err != nil {
		t.Fatal(err)
	}
	counts := 0
	for i := range n {
		counts += i % 101
	}
	wantSums := fmt.Sprintf("%d %d %d.%02d 100000 %d 65000.0 007 2022-09-23 zzz 2020-01-01 1640995200000001 %d",
		n+1, n, n*(n-1)/2+n/4, 0, counts, n)
	if sums != wantSums {
		t.Errorf("got  %s\nwant %s", sums, wantSums)
	}
}
