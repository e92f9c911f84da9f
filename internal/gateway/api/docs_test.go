package api

import (
	"strings"
	"testing"
)

func TestDocumentationHasParametersBodiesAndAnswers(t *testing.T) {
	t.Parallel()
	page, err := testServer(t).docsPage()
	if err != nil {
		t.Fatal(err)
	}
	for id, wants := range map[string][]string{
		"create-tenant":   {"<code>external_ids</code><td>list of string", "basic, standard, premium, platinum", `&#34;slug&#34;:&#34;…&#34;`, "<code>created_at</code><td>date-time"},
		"list-tenants":    {"each item with", "<code>after</code>", "<code>slug</code>", `"$TRIBUTARY_SERVER/api/v1/tenants"`},
		"submit":          {"--data-binary @FILE", "?dataset=…&amp;date=…&amp;name=…"},
		"apply-dataset":   {"--data-binary @FILE.yaml"},
		"download-result": {"<code>format</code><td>string<td>csv, parquet"},
	} {
		_, section, found := strings.Cut(page, `<details id="`+id+`">`)
		section, _, _ = strings.Cut(section, "</details>")
		for _, want := range wants {
			if want = strings.ReplaceAll(want, `"$`, "&#34;$"); !found || !strings.Contains(section, strings.TrimSuffix(want, `"`)) {
				t.Errorf("%s: no %s in %s", id, want, section)
			}
		}
	}
}
